//! A snapshot's memory image as a sealed memory file: written once, mapped by every slot, never changed again.

use crate::PAGE_BYTES;
use crate::arena::Arena;
use crate::copy::Page;
use crate::map::{self, Reservation};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, MemfdFlags, SealFlags};
use std::io;
use std::ops::Range;

/// Unwritten pages between two written ones that are still mapped with them: one mapping costs more than they do.
const GAP_PAGES: u32 = 16;
/// Runs of an image; the widest gaps stay, all others are mapped with their neighbours, and cost nothing until they are
/// read: the memory file has holes there. Mappings are the process's, 65,530 for all tenants, and a program that writes one
/// page in 18 at its start would take 460 for each slot.
const RUNS_MAX: usize = 16;
/// Protection by userfaultfd is set up piece by piece, at the first write to a piece: marking all of 16 MiB takes
/// 76 us (19 ns a page), marking 256 KiB 1.3 us.
const PIECE_PAGES: u32 = 64;

static ZERO_PAGE: Page = Page([0; PAGE_BYTES]);

/// An image in a sealed memory file, and its reference: a read-only view of the file, which has every page at its place.
#[derive(Debug)]
pub struct SealedImage {
    file: OwnedFd,
    /// Pages that slots map from the file; all others are zero.
    runs: Vec<Range<u32>>,
    /// First page of each piece: a piece lies in one mapping and in one aligned stretch of `PIECE_PAGES`.
    pieces: Vec<u32>,
    pages: u32,
    /// One bit for each page that is zero in the image.
    zero: Box<[u64]>,
    reference: Reservation,
}

impl SealedImage {
    /// An image of `bytes` bytes, zero but for the `written` pages, which come in ascending order.
    ///
    /// # Errors
    /// The system gives no memory file or no mapping.
    ///
    /// # Panics
    /// If `bytes` is not a multiple of the page size, or a page lies beyond it or out of order.
    pub fn new<'a>(bytes: usize, written: impl Iterator<Item = (u32, &'a [u8])>) -> io::Result<SealedImage> {
        let written: Vec<(u32, &[u8])> = written.collect();
        assert!(bytes > 0 && bytes.is_multiple_of(PAGE_BYTES), "an image has whole pages, not {bytes} bytes");
        let pages = u32::try_from(bytes / PAGE_BYTES).expect("a 32-bit memory has fewer than 2^32 pages");
        let runs = runs(pages, written.iter().map(|(page, _)| *page));
        let zero = zero_bits(pages, &written);
        let file = seal(bytes, &written)?;
        let reference = Reservation::new(bytes)?;
        // SAFETY: the reservation was made just now; nobody refers to it.
        unsafe { map::map_file(reference.base(), bytes, file.as_fd(), 0)? };
        Ok(SealedImage { file, pieces: pieces(pages, &runs), runs, pages, zero, reference })
    }

    /// Length of the image.
    pub fn bytes(&self) -> usize {
        self.pages as usize * PAGE_BYTES
    }

    /// Pages in all.
    pub(crate) fn pages(&self) -> u32 {
        self.pages
    }

    /// Mappings that one slot takes before anything is written.
    pub fn mappings(&self) -> usize {
        2 * self.runs.len() + 1
    }

    /// What the memory of a clean slot looks like. Reading zero pages here takes memory; [`SealedImage::page`] does not.
    pub fn reference(&self) -> &[u8] {
        // SAFETY: the reservation is mapped readable in its whole length (`new`), by a private view of a file as long,
        // whose seals forbid every change, and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.reference.base(), self.bytes()) }
    }

    /// The same, page by page.
    pub(crate) fn reference_pages(&self) -> *const Page {
        self.reference.base().cast_const().cast()
    }

    /// What a page looks like. Zero pages are one and the same.
    pub(crate) fn page(&self, page: u32) -> &Page {
        assert!(page < self.pages, "page {page} lies beyond the image's {}", self.pages);
        if self.is_zero(page) {
            return &ZERO_PAGE;
        }
        // SAFETY: the page lies in the reference, which is mapped and never changes (`reference`); mappings are aligned.
        unsafe { &*self.reference_pages().add(page as usize) }
    }

    /// Whether a page holds nothing but zeros.
    pub(crate) fn is_zero(&self, page: u32) -> bool {
        self.zero[page as usize / 64] >> (page % 64) & 1 == 1
    }

    /// Maps the image over `[at, at + bytes)`: readable, not writable.
    ///
    /// # Safety
    /// The range lies in a reservation of the caller and no reference into it exists.
    pub(crate) unsafe fn map_at(&self, at: *mut u8) -> io::Result<()> {
        // SAFETY: the caller owns the range; runs lie inside it.
        unsafe {
            map::map_zero(at, self.bytes())?;
            for run in &self.runs {
                let start = run.start as usize * PAGE_BYTES;
                map::map_file(at.add(start), run.len() * PAGE_BYTES, self.file.as_fd(), start as u64)?;
            }
        }
        Ok(())
    }

    /// Number of pieces.
    pub(crate) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// The pages of a piece.
    pub(crate) fn piece(&self, index: usize) -> Range<u32> {
        self.pieces[index]..self.pieces.get(index + 1).copied().unwrap_or(self.pages)
    }

    /// The piece that holds `page`. Async-signal-safe.
    pub(crate) fn piece_of(&self, page: u32) -> usize {
        self.pieces.partition_point(|start| *start <= page) - 1
    }
}

impl Drop for SealedImage {
    fn drop(&mut self) {
        if let Some(arena) = Arena::existing() {
            arena.forget_dead_images();
        }
    }
}

fn zero_bits(pages: u32, written: &[(u32, &[u8])]) -> Box<[u64]> {
    let mut bits = vec![u64::MAX; (pages as usize).div_ceil(64)].into_boxed_slice();
    for (page, content) in written {
        if content.iter().any(|byte| *byte != 0) {
            bits[*page as usize / 64] &= !(1 << (page % 64));
        }
    }
    bits
}

fn runs(pages: u32, written: impl Iterator<Item = u32>) -> Vec<Range<u32>> {
    let written: Vec<u32> = written.collect();
    assert!(written.is_sorted_by(|a, b| a < b), "pages come in ascending order");
    assert!(written.last().is_none_or(|page| *page < pages), "a page lies beyond the image's {pages}");
    let gap = gap_max(&written);
    let runs = written.chunk_by(|a, b| b - a - 1 <= gap);
    runs.map(|run| run[0]..run[run.len() - 1] + 1).collect()
}

/// The widest gap to bridge, so that few enough runs are left.
fn gap_max(written: &[u32]) -> u32 {
    let mut gaps: Vec<u32> = written.windows(2).map(|pair| pair[1] - pair[0] - 1).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    gaps.get(RUNS_MAX - 1).map_or(GAP_PAGES, |gap| (*gap).max(GAP_PAGES))
}

fn pieces(pages: u32, runs: &[Range<u32>]) -> Vec<u32> {
    let mut starts: Vec<u32> = (0..pages).step_by(PIECE_PAGES as usize).collect();
    starts.extend(runs.iter().flat_map(|run| [run.start, run.end]).filter(|start| *start < pages));
    starts.sort_unstable();
    starts.dedup();
    starts
}

fn seal(bytes: usize, written: &[(u32, &[u8])]) -> io::Result<OwnedFd> {
    let file = fs::memfd_create(c"dayfly-image", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    fs::ftruncate(&file, bytes as u64)?;
    for (page, content) in written {
        assert_eq!(content.len(), PAGE_BYTES, "a page is whole");
        write_all(&file, content, u64::from(*page) * PAGE_BYTES as u64)?;
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

fn write_all(file: &OwnedFd, mut content: &[u8], mut offset: u64) -> io::Result<()> {
    while !content.is_empty() {
        let written = rustix::io::pwrite(file, content, offset)?;
        content = &content[written..];
        offset += written as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_bridge_small_gaps_and_pieces_never_cross_a_run() {
        let found = runs(200, [0, 1, 10, 100, 199].into_iter());
        assert_eq!(found, [0..11, 100..101, 199..200]);
        assert_eq!(pieces(200, &found), [0, 11, 64, 100, 101, 128, 192, 199]);
    }

    #[test]
    fn the_reference_shows_each_page_at_its_place_and_the_file_is_sealed() {
        let page = |value: u8| vec![value; PAGE_BYTES];
        let content = [(3, page(1)), (4, page(2)), (60, page(3))];
        let image = SealedImage::new(64 * PAGE_BYTES, content.iter().map(|(at, page)| (*at, &page[..])));
        let image = image.expect("memory files work here");
        for at in 0..64 {
            let expected = match at {
                3 => 1,
                4 => 2,
                60 => 3,
                _ => 0,
            };
            assert!(image.reference()[at * PAGE_BYTES..(at + 1) * PAGE_BYTES].iter().all(|byte| *byte == expected));
        }
        assert_eq!(rustix::io::pwrite(&image.file, b"x", 0), Err(rustix::io::Errno::PERM));
    }

    #[test]
    fn no_program_makes_many_runs() {
        for step in 1..100 {
            let written: Vec<u32> = (0..4096).step_by(step).collect();
            let found = runs(4096, written.iter().copied());
            assert!(found.len() <= RUNS_MAX, "one page in {step}: {} runs", found.len());
            assert!(written.iter().all(|page| found.iter().any(|run| run.contains(page))), "one page in {step}");
        }
        let widest: Vec<u32> = (0..40).map(|page| page * 20 + page / 8 * 100).collect();
        assert_eq!(runs(4096, widest.into_iter()).len(), 5, "the widest gaps stay");
    }

    #[test]
    fn zero_pages_take_no_memory_until_they_are_read() {
        let page = vec![1; PAGE_BYTES];
        let written = (0..4096).step_by(18).map(|at| (at, &page[..]));
        let image = SealedImage::new(4096 * PAGE_BYTES, written).expect("memory files work here");
        assert!((0..4096).all(|at| image.page(at).0[0] == u8::from(at % 18 == 0)));
        let blocks = fs::fstat(&image.file).expect("it is open").st_blocks;
        assert_eq!(blocks.cast_unsigned() as usize * 512, 228 * PAGE_BYTES);
    }

    #[test]
    fn an_image_without_pages_is_zero() {
        let image = SealedImage::new(16 * PAGE_BYTES, std::iter::empty()).expect("memory files work here");
        assert!(image.reference().iter().all(|byte| *byte == 0));
    }
}
