//! A sorted set of pages with their contents: what images and deltas have in common.

use std::fmt;

use super::PAGE_BYTES;
use crate::Error;
use crate::abi::WASM_PAGE_BYTES;

/// Largest memory of wasm32.
const MEMORY_BYTES_MAX: u64 = 1 << 32;
/// Octets before the extra fields: magic, version, runs, memory size.
const FIXED_HEAD_BYTES: usize = 24;
/// Octets of a run in the head.
const RUN_BYTES: usize = 8;

/// How one kind of file begins.
#[derive(Clone, Copy)]
pub(super) struct Format {
    /// For messages.
    pub(super) what: &'static str,
    pub(super) magic: [u8; 8],
    pub(super) version: u32,
}

impl Format {
    fn damaged(self, reason: &'static str) -> Error {
        Error::Damaged { what: self.what, reason }
    }
}

/// Pages `first..first + pages`, whose contents are the stored pages from `stored` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u32,
    pages: u32,
    stored: u32,
}

/// Invariants: runs ascend, are not empty and do not touch; all lie in the memory; `data` is exactly their pages.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pages {
    memory_bytes: u64,
    runs: Vec<Run>,
    data: Vec<u8>,
}

impl Pages {
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    pub(super) fn page_count(&self) -> u32 {
        (self.memory_bytes / PAGE_BYTES as u64) as u32
    }

    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    pub(super) fn get(&self, index: u32) -> Option<&[u8]> {
        let after = self.runs.partition_point(|run| run.first <= index);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let within = index - run.first;
        (within < run.pages).then(|| self.stored(run.stored + within, 1))
    }

    pub(super) fn runs(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.runs.iter().map(|run| (run.first as u64 * PAGE_BYTES as u64, self.stored(run.stored, run.pages)))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.runs.iter().flat_map(|run| (0..run.pages).map(|i| (run.first + i, self.stored(run.stored + i, 1))))
    }

    fn stored(&self, first: u32, pages: u32) -> &[u8] {
        &self.data[first as usize * PAGE_BYTES..][..pages as usize * PAGE_BYTES]
    }

    pub(super) fn encode(&self, format: Format, extra: &[u8]) -> Vec<u8> {
        let mut octets = self.head(format, extra);
        octets.extend_from_slice(&self.data);
        octets
    }

    /// Everything before the pages themselves.
    pub(super) fn head(&self, format: Format, extra: &[u8]) -> Vec<u8> {
        let mut head = Vec::with_capacity(head_bytes(extra.len(), self.runs.len()));
        head.extend_from_slice(&format.magic);
        head.extend_from_slice(&format.version.to_le_bytes());
        head.extend_from_slice(&(self.runs.len() as u32).to_le_bytes());
        head.extend_from_slice(&self.memory_bytes.to_le_bytes());
        head.extend_from_slice(extra);
        for run in &self.runs {
            head.extend_from_slice(&run.first.to_le_bytes());
            head.extend_from_slice(&run.pages.to_le_bytes());
        }
        head.resize(head_bytes(extra.len(), self.runs.len()), 0);
        head
    }

    /// Reads what [`Pages::encode`] wrote with `EXTRA` octets of extra fields.
    pub(super) fn decode<const EXTRA: usize>(format: Format, octets: &[u8]) -> Result<([u8; EXTRA], Pages), Error> {
        let mut reader = Reader { format, rest: octets };
        if reader.array()? != format.magic {
            return Err(format.damaged("it does not begin as one"));
        }
        if reader.u32()? != format.version {
            return Err(format.damaged("it has another version"));
        }
        let runs = reader.u32()? as usize;
        let memory_bytes = reader.u64()?;
        if !memory_bytes.is_multiple_of(WASM_PAGE_BYTES)
            || !(WASM_PAGE_BYTES..=MEMORY_BYTES_MAX).contains(&memory_bytes)
        {
            return Err(format.damaged("no memory has this size"));
        }
        let extra = reader.array()?;
        if reader.rest.len() / RUN_BYTES < runs {
            return Err(format.damaged("it ends too early"));
        }
        let runs = read_runs(&mut reader, runs, (memory_bytes / PAGE_BYTES as u64) as u32)?;
        let padding = reader.take(head_bytes(EXTRA, runs.len()) - (octets.len() - reader.rest.len()))?;
        if padding.iter().any(|octet| *octet != 0) {
            return Err(format.damaged("its padding is not zero"));
        }
        let stored = runs.last().map_or(0, |run| run.stored as usize + run.pages as usize);
        if reader.rest.len() != stored * PAGE_BYTES {
            return Err(format.damaged("it has another length than its runs"));
        }
        Ok((extra, Pages { memory_bytes, runs, data: reader.rest.to_vec() }))
    }
}

impl fmt::Debug for Pages {
    /// Without the contents, which are megabytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("memory_bytes", &self.memory_bytes)
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

fn head_bytes(extra: usize, runs: usize) -> usize {
    (FIXED_HEAD_BYTES + extra + runs * RUN_BYTES).next_multiple_of(PAGE_BYTES)
}

fn read_runs(reader: &mut Reader<'_>, count: usize, page_count: u32) -> Result<Vec<Run>, Error> {
    let mut runs = Vec::with_capacity(count);
    // The first page that the next run may begin with, and the number of pages stored so far.
    let (mut free, mut stored) = (0, 0);
    for _ in 0..count {
        let (first, pages) = (reader.u32()?, reader.u32()?);
        let end = first.checked_add(pages).filter(|end| *end <= page_count);
        let Some(end) = end.filter(|_| pages > 0 && first >= free) else {
            return Err(reader.format.damaged("its runs are not in order"));
        };
        runs.push(Run { first, pages, stored });
        stored += pages;
        free = end + 1;
    }
    Ok(runs)
}

/// Reads from the beginning of what is left.
struct Reader<'a> {
    format: Format,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Error> {
        let (now, later) = self.rest.split_at_checked(bytes).ok_or(self.format.damaged("it ends too early"))?;
        self.rest = later;
        Ok(now)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (now, later) = self.rest.split_first_chunk().ok_or(self.format.damaged("it ends too early"))?;
        self.rest = later;
        Ok(*now)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }
}

/// Collects pages in ascending order.
pub(super) struct Builder {
    pages: Pages,
}

impl Builder {
    pub(super) fn new(memory_bytes: u64) -> Builder {
        assert!(memory_bytes.is_multiple_of(WASM_PAGE_BYTES), "a memory consists of pages of 64 KiB");
        assert!((WASM_PAGE_BYTES..=MEMORY_BYTES_MAX).contains(&memory_bytes), "a memory has 64 KiB to 4 GiB");
        Builder { pages: Pages { memory_bytes, runs: Vec::new(), data: Vec::new() } }
    }

    pub(super) fn push(&mut self, index: u32, page: &[u8]) {
        let Pages { runs, data, .. } = &mut self.pages;
        let stored = (data.len() / PAGE_BYTES) as u32;
        assert_eq!(page.len(), PAGE_BYTES);
        match runs.last_mut() {
            Some(run) if run.first + run.pages == index => run.pages += 1,
            last => {
                assert!(last.is_none_or(|run| run.first + run.pages < index), "pages come in ascending order");
                runs.push(Run { first: index, pages: 1, stored });
            }
        }
        data.extend_from_slice(page);
    }

    pub(super) fn finish(self) -> Pages {
        assert!(self.pages.runs.last().is_none_or(|run| run.first + run.pages <= self.pages.page_count()));
        self.pages
    }
}
