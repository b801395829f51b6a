//! The pages in which one memory differs from another one.

use sha2::{Digest as _, Sha256};

use super::pages::{Builder, Format, Pages};
use super::{Digest, Image, PAGE_BYTES, is_zero};
use crate::Error;

const FORMAT: Format = Format { what: "delta", magic: *b"dayflyde", version: 1 };
const ZERO_PAGE: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

/// What turns one image, the base, into another one. A page that is zero in the target only is part of it, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    base: Digest,
    pages: Pages,
}

impl Delta {
    /// What turns `base` into `target`. Both must be images of memories of the same size.
    pub fn between(base: &Image, target: &Image) -> Result<Delta, Error> {
        check_size(base, target.memory_bytes())?;
        let mut builder = Builder::new(target.memory_bytes());
        for index in 0..target.pages.page_count() {
            let (before, after) = (base.page(index), target.page(index));
            if before != after {
                builder.push(index, after.unwrap_or(&ZERO_PAGE));
            }
        }
        Ok(Delta { base: base.digest(), pages: builder.finish() })
    }

    /// The delta that puts these pages, in ascending order, into the place of those of a base with this digest.
    ///
    /// # Panics
    /// If the pages are out of order or beyond a memory of `memory_bytes`, or no wasm memory has that size.
    pub fn new<'a>(base: Digest, memory_bytes: u64, pages: impl Iterator<Item = (u32, &'a [u8])>) -> Delta {
        let mut builder = Builder::new(memory_bytes);
        pages.for_each(|(index, page)| builder.push(index, page));
        Delta { base, pages: builder.finish() }
    }

    /// The digest of the image that this delta changes.
    pub fn base(&self) -> &Digest {
        &self.base
    }

    /// Octets of the whole memory.
    pub fn memory_bytes(&self) -> u64 {
        self.pages.memory_bytes()
    }

    /// The changed pages, in ascending order, each with its index.
    pub fn pages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.pages.iter()
    }

    /// The same by runs: the offset in memory of the first octet, and the octets of all pages of the run.
    pub fn runs(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pages.runs()
    }

    /// The image that `base` becomes; refused if this is not the delta's base.
    pub fn apply(&self, base: &Image) -> Result<Image, Error> {
        check_size(base, self.memory_bytes())?;
        if base.digest() != self.base {
            return Err(Error::Damaged { what: FORMAT.what, reason: "it belongs to another base" });
        }
        let mut builder = Builder::new(self.memory_bytes());
        for index in 0..self.pages.page_count() {
            match self.pages.get(index).or_else(|| base.page(index)) {
                Some(page) if !is_zero(page) => builder.push(index, page),
                _ => {}
            }
        }
        Ok(Image { pages: builder.finish() })
    }

    /// The delta as octets; see the description of [`crate::image`].
    pub fn encode(&self) -> Vec<u8> {
        self.pages.encode(FORMAT, &self.base)
    }

    /// Reads what [`Delta::encode`] wrote.
    pub fn decode(octets: &[u8]) -> Result<Delta, Error> {
        let (base, pages) = Pages::decode(FORMAT, octets)?;
        Ok(Delta { base, pages })
    }

    /// SHA-256 of [`Delta::encode`], without making a copy.
    pub fn digest(&self) -> Digest {
        let hash = Sha256::new().chain_update(self.pages.head(FORMAT, &self.base)).chain_update(self.pages.data());
        hash.finalize().into()
    }
}

fn check_size(base: &Image, memory_bytes: u64) -> Result<(), Error> {
    if base.memory_bytes() == memory_bytes {
        return Ok(());
    }
    Err(Error::Damaged { what: FORMAT.what, reason: "the base has another memory size" })
}
