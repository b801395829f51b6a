//! Memory images, and what differs between two of them.
//!
//! An [`Image`] holds the pages of a memory that are not all zero, a [`Delta`] the pages in which a memory differs
//! from another one. Both have exactly one encoding, so equal digests mean equal contents and the other way round:
//! ```text
//!  magic 8 | version u32 | runs u32 | memory_bytes u64 | delta only: digest of the base, 32
//!  for each run: first page u32, pages u32       ascending, with a gap between two runs
//!  zeros up to a multiple of 4096                so that a file of it can be mapped page by page
//!  the pages of all runs, one after the other
//! ```
//! Integers are little-endian. Decoding trusts nothing: sizes are checked against the input before anything is
//! allocated, and an encoding that is not the one this module writes is refused.

mod delta;
mod pages;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::Error;
pub use delta::Delta;
use pages::{Builder, Format, Pages};

/// Octets of a page of an image: the unit in which the processor protects memory.
pub const PAGE_BYTES: usize = 4096;

/// A digest, SHA-256.
pub type Digest = [u8; 32];

const FORMAT: Format = Format { what: "image", magic: *b"dayflyim", version: 1 };

/// One whole memory without its zero pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pages: Pages,
}

impl Image {
    /// The image of `memory`.
    ///
    /// # Panics
    /// If the length of `memory` is not that of a wasm memory: a multiple of 64 KiB up to 4 GiB, and not 0.
    pub fn from_memory(memory: &[u8]) -> Image {
        let mut builder = Builder::new(memory.len() as u64);
        for (index, page) in (0..).zip(memory.chunks_exact(PAGE_BYTES)) {
            if !is_zero(page) {
                builder.push(index, page);
            }
        }
        Image { pages: builder.finish() }
    }

    /// The image of a zeroed memory into which `writes` (offset, octets) went one after the other. Costs memory for
    /// the pages written to, however large the memory is.
    pub(crate) fn from_writes<'a>(memory_bytes: u64, writes: impl Iterator<Item = (u64, &'a [u8])>) -> Image {
        let mut sketch: BTreeMap<u32, Box<[u8; PAGE_BYTES]>> = BTreeMap::new();
        for (mut offset, mut octets) in writes {
            assert!(offset + octets.len() as u64 <= memory_bytes, "the caller checks bounds");
            while !octets.is_empty() {
                let at = (offset % PAGE_BYTES as u64) as usize;
                let (now, later) = octets.split_at(octets.len().min(PAGE_BYTES - at));
                let page =
                    sketch.entry((offset / PAGE_BYTES as u64) as u32).or_insert_with(|| Box::new([0; PAGE_BYTES]));
                page[at..at + now.len()].copy_from_slice(now);
                offset += now.len() as u64;
                octets = later;
            }
        }
        let mut builder = Builder::new(memory_bytes);
        for (index, page) in sketch.iter().filter(|(_, page)| !is_zero(&page[..])) {
            builder.push(*index, &page[..]);
        }
        Image { pages: builder.finish() }
    }

    /// Octets of the whole memory.
    pub fn memory_bytes(&self) -> u64 {
        self.pages.memory_bytes()
    }

    /// The pages that are not all zero, in ascending order, each with its index.
    pub fn pages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.pages.iter()
    }

    /// The same by runs: the offset in memory of the first octet, and the octets of all pages of the run.
    pub fn runs(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pages.runs()
    }

    /// The page with this index; `None`: it is all zero.
    pub fn page(&self, index: u32) -> Option<&[u8]> {
        self.pages.get(index)
    }

    /// Makes `memory` equal to the image, whatever stood there. Pages that are right already are not written to.
    ///
    /// # Panics
    /// If the length of `memory` is not [`Image::memory_bytes`].
    pub fn write_to(&self, memory: &mut [u8]) {
        assert_eq!(memory.len() as u64, self.memory_bytes(), "an image fits only a memory of its own size");
        for (index, target) in (0..).zip(memory.chunks_exact_mut(PAGE_BYTES)) {
            match self.page(index) {
                Some(page) if page != target => target.copy_from_slice(page),
                None if !is_zero(target) => target.fill(0),
                _ => {}
            }
        }
    }

    /// The image as octets; see the module's description.
    pub fn encode(&self) -> Vec<u8> {
        self.pages.encode(FORMAT, &[])
    }

    /// Reads what [`Image::encode`] wrote.
    pub fn decode(octets: &[u8]) -> Result<Image, Error> {
        let ([], pages) = Pages::decode(FORMAT, octets)?;
        if pages.iter().any(|(_, page)| is_zero(page)) {
            return Err(Error::Damaged { what: FORMAT.what, reason: "a page is all zero" });
        }
        Ok(Image { pages })
    }

    /// SHA-256 of [`Image::encode`], without making a copy.
    pub fn digest(&self) -> Digest {
        let hash = Sha256::new().chain_update(self.pages.head(FORMAT, &[])).chain_update(self.pages.data());
        hash.finalize().into()
    }
}

/// Compares words, which the compiler turns into wide compares.
fn is_zero(page: &[u8]) -> bool {
    let (words, rest) = page.as_chunks::<8>();
    words.iter().fold(0, |all, word| all | u64::from_ne_bytes(*word)) == 0 && rest.iter().all(|octet| *octet == 0)
}

#[cfg(test)]
mod tests;
