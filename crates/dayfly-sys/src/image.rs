//! A snapshot's memory image as a sealed memory file: written once, mapped by every slot, never changed again.
//!
//! An image may stand on another one, its parent: then its file has only the pages that differ, and slots map the
//! parent's file and over it this one. A python tenant costs its own megabyte beyond the base that all of them share.
//! Pages that lie scattered (a counter here, a flag there) are not mapped: each slot gets copies of them.
//!
//! ```text
//!  base     ████████░░░░████████████░░░░░░░░░░░░  its file (░: zero, in no file)
//!  layer           ▒▒▒▒▒        ▒▒                its file
//!  tenant             ▓▓▓▓▓▓▓                     its file
//!  mapped   ███████▒▒▒▓▓▓▓▓▓▓███▒▒░░░░░░░░░░░░░░
//! ```

use crate::PAGE_BYTES;
use crate::arena::Arena;
use crate::copy::Page;
use crate::map::{self, Reservation};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, MemfdFlags, SealFlags};
use std::ffi::c_void;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::Arc;

/// How an image's pages are gathered into runs, each of which slots map for itself. Mappings are the process's, 65,530
/// for all tenants, and a program that writes one page in 18 at its start would take 460 for each slot.
#[derive(Clone, Copy)]
struct Gathering {
    /// Unwritten pages between two written ones that are still mapped with them: one mapping costs more than they do.
    gap_pages: u32,
    /// Runs of an image; the widest gaps stay, all others are mapped with their neighbours.
    runs_max: usize,
}

/// Gaps are zero, and cost nothing until they are read: the memory file has holes there.
const ALONE: Gathering = Gathering { gap_pages: 16, runs_max: 16 };
/// Gaps are copies of the parent's pages, unless those are zero. Only if there are too many runs to take them as they are.
const OVER: Gathering = Gathering { gap_pages: 4, runs_max: 48 };
/// Runs as they are: short ones are copied by slots.
const SCATTERED: Gathering = Gathering { gap_pages: 0, runs_max: usize::MAX };
/// A run of an image over another one that is worth its two mappings: 3 us and more. A page that is copied costs 0.7 us.
const LONG_PAGES: usize = 8;
/// Pages that a slot copies.
const COPIED_PAGES_MAX: usize = 256;
/// Protection by userfaultfd is set up piece by piece, at the first write to a piece: marking all of 16 MiB takes
/// 76 us (19 ns a page), marking 256 KiB 1.3 us.
const PIECE_PAGES: u32 = 64;
/// Pages written to a memory file at a time.
const WRITE_PAGES_MAX: usize = 256;
/// Images that may stand on each other: a base, layers, a tenant.
const GENERATIONS_MAX: u8 = 8;

static ZERO_PAGE: Page = Page([0; PAGE_BYTES]);

/// An image in a sealed memory file.
#[derive(Debug)]
pub struct SealedImage {
    file: OwnedFd,
    parent: Option<Arc<SealedImage>>,
    /// What is in the file; of all other pages the parent knows, and without one they are zero.
    runs: Vec<Run>,
    /// What slots map, from this file and those below; all other pages are zero.
    mapped: Vec<Mapped>,
    /// Pages that slots hold copies of, over what they map; ascending.
    copied: Vec<u32>,
    /// First page of each piece: a piece lies in one mapping and in one aligned stretch of `PIECE_PAGES`.
    pieces: Vec<u32>,
    pages: u32,
    /// Mappings of a slot in which nothing was written.
    mappings: usize,
    /// Pages that the file holds.
    stored_pages: usize,
    generation: u8,
    /// One bit for each page that is zero in the image.
    zero: Box<[u64]>,
    /// The whole file, read-only.
    view: Reservation,
}

/// Pages that lie in a file one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    pages: Range<u32>,
    /// Page of the file at which they begin.
    stored: u32,
}

/// A run, or what is left of it, and how many generations below its file is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapped {
    run: Run,
    below: u8,
}

impl Run {
    fn part(&self, pages: Range<u32>) -> Run {
        Run { stored: self.stored + (pages.start - self.pages.start), pages }
    }
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
        assert!(bytes > 0 && bytes.is_multiple_of(PAGE_BYTES), "an image has whole pages, not {bytes} bytes");
        let pages = u32::try_from(bytes / PAGE_BYTES).expect("a 32-bit memory has fewer than 2^32 pages");
        let written: Vec<(u32, &[u8])> = written.collect();
        let zero = vec![u64::MAX; (pages as usize).div_ceil(64)].into_boxed_slice();
        SealedImage::make(pages, None, zero, &written)
    }

    /// The image that `parent` becomes by the `changed` pages, which come in ascending order.
    ///
    /// # Errors
    /// The system gives no memory file or no mapping, or too many images stand on each other.
    ///
    /// # Panics
    /// If a page lies beyond the parent's or out of order.
    pub fn over<'a>(
        parent: &Arc<SealedImage>,
        changed: impl Iterator<Item = (u32, &'a [u8])>,
    ) -> io::Result<SealedImage> {
        if parent.generation + 1 >= GENERATIONS_MAX {
            return Err(io::Error::other(format!("more than {GENERATIONS_MAX} images stand on each other")));
        }
        let changed: Vec<(u32, &[u8])> = changed.collect();
        SealedImage::make(parent.pages, Some(parent), parent.zero.clone(), &changed)
    }

    fn make(
        pages: u32,
        parent: Option<&Arc<SealedImage>>,
        mut zero: Box<[u64]>,
        written: &[(u32, &[u8])],
    ) -> io::Result<SealedImage> {
        let Gathered { runs, mapped, copied } = match parent {
            None => Gathered::alone(pages, written),
            Some(parent) => Gathered::over(parent, written),
        };
        note_zero(&mut zero, written);
        let content = content(&runs, written, parent.map(|parent| &**parent));
        let file_pages = runs.last().map_or(0, |run| run.stored + run.pages.len() as u32).max(1);
        let file = seal(file_pages, &content)?;
        let view = Reservation::new(file_pages as usize * PAGE_BYTES)?;
        // SAFETY: the reservation was made just now; nobody refers to it.
        unsafe { map::map_file(view.base(), view.bytes(), file.as_fd(), 0, false)? };
        Ok(SealedImage {
            file,
            generation: parent.map_or(0, |parent| parent.generation + 1),
            parent: parent.cloned(),
            pieces: pieces(pages, &mapped),
            mappings: mappings(pages, &mapped),
            stored_pages: content.len(),
            runs,
            mapped,
            copied,
            pages,
            zero,
            view,
        })
    }

    /// Length of the image.
    pub fn bytes(&self) -> usize {
        self.pages as usize * PAGE_BYTES
    }

    /// Memory that the image takes beyond its parent's.
    pub fn own_bytes(&self) -> usize {
        self.stored_pages * PAGE_BYTES
    }

    /// The image that this one stands on.
    pub fn parent(&self) -> Option<&Arc<SealedImage>> {
        self.parent.as_ref()
    }

    /// Pages in all.
    pub(crate) fn pages(&self) -> u32 {
        self.pages
    }

    /// Mappings that one slot takes before anything is written.
    pub fn mappings(&self) -> usize {
        self.mappings
    }

    /// Pages that each slot has copies of, in ascending order.
    pub(crate) fn copied(&self) -> &[u32] {
        &self.copied
    }

    /// The octets of a page.
    ///
    /// # Panics
    /// If the image has no such page.
    pub fn octets(&self, page: u32) -> &[u8; PAGE_BYTES] {
        &self.page(page).0
    }

    /// What a page looks like. Zero pages are one and the same. Async-signal-safe.
    pub(crate) fn page(&self, page: u32) -> &Page {
        assert!(page < self.pages, "page {page} lies beyond the image's {}", self.pages);
        if self.is_zero(page) {
            return &ZERO_PAGE;
        }
        let mut image = self;
        loop {
            if let Some(stored) = image.stored(page) {
                let view = image.view.base().cast_const().cast::<c_void>().cast::<Page>();
                // SAFETY: the page lies in the file, all of which is mapped readable as long as the image lives; its
                // seals forbid every change. Mappings are aligned. The image is `self` or one that `self` holds.
                return unsafe { &*view.add(stored as usize) };
            }
            image = image.parent.as_deref().expect("a page that is in no file is zero");
        }
    }

    /// Where in the file a page is.
    fn stored(&self, page: u32) -> Option<u32> {
        let after = self.runs.partition_point(|run| run.pages.start <= page);
        let run = self.runs.get(after.checked_sub(1)?)?;
        run.pages.contains(&page).then(|| run.stored + (page - run.pages.start))
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
        let writable = !self.copied.is_empty();
        // SAFETY: the caller owns the range; runs lie inside it, and inside their files.
        unsafe {
            map::map_zero(at, self.bytes(), writable)?;
            for Mapped { run, below } in &self.mapped {
                let (start, stored) = (run.pages.start as usize * PAGE_BYTES, run.stored as usize * PAGE_BYTES);
                let file = self.ancestor(*below).file.as_fd();
                map::map_file(at.add(start), run.pages.len() * PAGE_BYTES, file, stored as u64, writable)?;
            }
            if writable {
                self.copy_to(at, 0..self.pages);
                map::protect(at, self.bytes(), false)?;
            }
        }
        Ok(())
    }

    /// Puts the copies among `pages` into their places in a slot's memory at `at`.
    ///
    /// # Safety
    /// The memory there is the caller's, and the pages are writable.
    pub(crate) unsafe fn copy_to(&self, at: *mut u8, pages: Range<u32>) {
        let first = self.copied.partition_point(|page| *page < pages.start);
        for page in self.copied[first..].iter().take_while(|page| **page < pages.end) {
            // SAFETY: the page lies in the memory, which the caller owns; the source is a page of an image, elsewhere.
            unsafe {
                let place = at.add(*page as usize * PAGE_BYTES);
                place.copy_from_nonoverlapping(self.page(*page).0.as_ptr(), PAGE_BYTES);
            }
        }
    }

    fn ancestor(&self, below: u8) -> &SealedImage {
        (0..below).fold(self, |image, _| image.parent.as_deref().expect("what is mapped has a file"))
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

/// Corrects the bits of the pages that were written.
fn note_zero(bits: &mut [u64], written: &[(u32, &[u8])]) {
    for (page, content) in written {
        let (word, bit) = (&mut bits[*page as usize / 64], 1 << (page % 64));
        if content.iter().any(|byte| *byte != 0) { *word &= !bit } else { *word |= bit }
    }
}

/// What becomes of the pages that were written.
struct Gathered {
    /// What the file holds.
    runs: Vec<Run>,
    mapped: Vec<Mapped>,
    copied: Vec<u32>,
}

impl Gathered {
    fn alone(pages: u32, written: &[(u32, &[u8])]) -> Gathered {
        let runs = runs(pages, numbers(written), ALONE);
        Gathered { mapped: mapped(&[], &runs), runs, copied: Vec::new() }
    }

    fn over(parent: &SealedImage, written: &[(u32, &[u8])]) -> Gathered {
        let (long, short): (Vec<Run>, Vec<Run>) =
            runs(parent.pages, numbers(written), SCATTERED).into_iter().partition(|run| run.pages.len() >= LONG_PAGES);
        let mut copied: Vec<u32> = short.iter().flat_map(|run| run.pages.clone()).collect();
        copied.extend(not_in(&parent.copied, &long));
        copied.sort_unstable();
        copied.dedup();
        if long.len() <= OVER.runs_max && copied.len() <= COPIED_PAGES_MAX {
            let mapped = mapped(&parent.mapped, &long);
            let mut runs = [long, short].concat();
            runs.sort_unstable_by_key(|run| run.pages.start);
            return Gathered { runs, mapped, copied };
        }
        let runs = runs(parent.pages, numbers(written), OVER);
        Gathered { mapped: mapped(&parent.mapped, &runs), copied: not_in(&parent.copied, &runs).collect(), runs }
    }
}

fn numbers<'a>(written: &'a [(u32, &[u8])]) -> impl Iterator<Item = u32> + 'a {
    written.iter().map(|(page, _)| *page)
}

/// The pages that lie in none of the runs, which are in order.
fn not_in<'a>(pages: &'a [u32], runs: &'a [Run]) -> impl Iterator<Item = u32> + 'a {
    pages.iter().copied().filter(|page| {
        let after = runs.partition_point(|run| run.pages.end <= *page);
        runs.get(after).is_none_or(|run| run.pages.start > *page)
    })
}

fn runs(pages: u32, written: impl Iterator<Item = u32>, gathering: Gathering) -> Vec<Run> {
    let written: Vec<u32> = written.collect();
    assert!(written.is_sorted_by(|a, b| a < b), "pages come in ascending order");
    assert!(written.last().is_none_or(|page| *page < pages), "a page lies beyond the image's {pages}");
    let gap = gap_max(&written, gathering);
    let mut stored = 0;
    let runs = written.chunk_by(|a, b| b - a - 1 <= gap).map(|run| {
        let run = Run { pages: run[0]..run[run.len() - 1] + 1, stored };
        stored += run.pages.len() as u32;
        run
    });
    runs.collect()
}

/// The widest gap to bridge, so that few enough runs are left.
fn gap_max(written: &[u32], gathering: Gathering) -> u32 {
    let mut gaps: Vec<u32> = written.windows(2).map(|pair| pair[1] - pair[0] - 1).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    gaps.get(gathering.runs_max - 1).map_or(gathering.gap_pages, |gap| (*gap).max(gathering.gap_pages))
}

/// What the file holds, by its pages, in ascending order: what was written, and what the gaps show of the parent.
fn content<'a>(runs: &[Run], written: &[(u32, &'a [u8])], parent: Option<&'a SealedImage>) -> Vec<(u32, &'a [u8])> {
    let mut content = Vec::with_capacity(written.len());
    let mut written = written.iter().copied().peekable();
    for run in runs {
        for page in run.pages.clone() {
            let stored = run.stored + (page - run.pages.start);
            if let Some((_, octets)) = written.next_if(|(at, _)| *at == page) {
                content.push((stored, octets));
            } else if let Some(parent) = parent.filter(|parent| !parent.is_zero(page)) {
                content.push((stored, &parent.page(page).0[..]));
            }
        }
    }
    content
}

/// What slots see: the runs, and around them what the parent's slots see.
fn mapped(parents: &[Mapped], runs: &[Run]) -> Vec<Mapped> {
    let mut mapped: Vec<Mapped> = runs.iter().map(|run| Mapped { run: run.clone(), below: 0 }).collect();
    for Mapped { run, below } in parents {
        let mut start = run.pages.start;
        let after = runs.partition_point(|over| over.pages.end <= start);
        let over = runs[after..].iter().take_while(|over| over.pages.start < run.pages.end);
        let ends = over.map(|over| (over.pages.start, over.pages.end)).chain([(run.pages.end, run.pages.end)]);
        for (end, next) in ends {
            if start < end {
                mapped.push(Mapped { run: run.part(start..end), below: below + 1 });
            }
            start = next;
        }
    }
    mapped.sort_unstable_by_key(|mapped| mapped.run.pages.start);
    mapped
}

/// Each run is a mapping, and so is what lies between two runs that do not touch.
fn mappings(pages: u32, mapped: &[Mapped]) -> usize {
    let mut end = 0;
    let mut count = mapped.len();
    for Mapped { run, .. } in mapped {
        count += usize::from(end < run.pages.start);
        end = run.pages.end;
    }
    count + usize::from(end < pages)
}

fn pieces(pages: u32, mapped: &[Mapped]) -> Vec<u32> {
    let mut starts: Vec<u32> = (0..pages).step_by(PIECE_PAGES as usize).collect();
    let borders = mapped.iter().flat_map(|mapped| [mapped.run.pages.start, mapped.run.pages.end]);
    starts.extend(borders.filter(|start| *start < pages));
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// A file of `pages` pages, zero but for the `content`.
fn seal(pages: u32, content: &[(u32, &[u8])]) -> io::Result<OwnedFd> {
    let file = fs::memfd_create(c"dayfly-image", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    fs::ftruncate(&file, u64::from(pages) * PAGE_BYTES as u64)?;
    for neighbours in content.chunk_by(|a, b| a.0 + 1 == b.0) {
        for part in neighbours.chunks(WRITE_PAGES_MAX) {
            write_all(&file, part)?;
        }
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// Writes pages that follow each other.
fn write_all(file: &OwnedFd, pages: &[(u32, &[u8])]) -> io::Result<()> {
    assert!(pages.iter().all(|(_, octets)| octets.len() == PAGE_BYTES), "a page is whole");
    let mut slices: Vec<IoSlice<'_>> = pages.iter().map(|(_, octets)| IoSlice::new(octets)).collect();
    let mut slices = &mut slices[..];
    let mut offset = u64::from(pages[0].0) * PAGE_BYTES as u64;
    while !slices.is_empty() {
        let written = rustix::io::pwritev(file, slices, offset)?;
        IoSlice::advance_slices(&mut slices, written);
        offset += written as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(runs: &[Run]) -> Vec<Range<u32>> {
        runs.iter().map(|run| run.pages.clone()).collect()
    }

    fn page(value: u8) -> Vec<u8> {
        vec![value; PAGE_BYTES]
    }

    fn image(pages: usize, content: &[(u32, u8)]) -> Arc<SealedImage> {
        let content: Vec<_> = content.iter().map(|(at, value)| (*at, page(*value))).collect();
        let image = SealedImage::new(pages * PAGE_BYTES, content.iter().map(|(at, page)| (*at, &page[..])));
        Arc::new(image.expect("memory files work here"))
    }

    fn over(parent: &Arc<SealedImage>, content: &[(u32, u8)]) -> Arc<SealedImage> {
        let content: Vec<_> = content.iter().map(|(at, value)| (*at, page(*value))).collect();
        let image = SealedImage::over(parent, content.iter().map(|(at, page)| (*at, &page[..])));
        Arc::new(image.expect("memory files work here"))
    }

    /// What the image says of its pages, and what a mapping of it shows.
    fn shown(image: &SealedImage) -> Vec<u8> {
        let space = Reservation::new(image.bytes()).expect("address space");
        // SAFETY: the reservation is ours alone, and nothing refers to it yet.
        unsafe { image.map_at(space.base()).expect("it can be mapped") };
        // SAFETY: all of it is mapped readable now.
        let octets = unsafe { std::slice::from_raw_parts(space.base(), space.bytes()) };
        let pages = octets.chunks_exact(PAGE_BYTES).zip(0..);
        pages
            .map(|(mapped, page)| {
                assert!(mapped == image.octets(page), "page {page}");
                assert_eq!(image.is_zero(page), mapped.iter().all(|octet| *octet == 0), "page {page}");
                mapped[0]
            })
            .collect()
    }

    fn blocks(image: &SealedImage) -> usize {
        let blocks = fs::fstat(&image.file).expect("it is open").st_blocks;
        blocks.cast_unsigned() as usize * 512
    }

    #[test]
    fn runs_bridge_small_gaps_and_pieces_never_cross_a_run() {
        let found = runs(200, [0, 1, 10, 100, 199].into_iter(), ALONE);
        assert_eq!(ranges(&found), [0..11, 100..101, 199..200]);
        assert_eq!(found.iter().map(|run| run.stored).collect::<Vec<_>>(), [0, 11, 12]);
        let mapped = mapped(&[], &found);
        assert_eq!(pieces(200, &mapped), [0, 11, 64, 100, 101, 128, 192, 199]);
        assert_eq!(mappings(200, &mapped), 5);
    }

    #[test]
    fn each_page_is_at_its_place_and_the_file_is_sealed() {
        let image = image(64, &[(3, 1), (4, 2), (60, 3)]);
        let mut expected = vec![0; 64];
        (expected[3], expected[4], expected[60]) = (1, 2, 3);
        assert_eq!(shown(&image), expected);
        assert_eq!(rustix::io::pwrite(&image.file, b"x", 0), Err(rustix::io::Errno::PERM));
    }

    #[test]
    fn no_program_makes_many_runs() {
        for gathering in [ALONE, OVER] {
            for step in 1..100 {
                let written: Vec<u32> = (0..4096).step_by(step).collect();
                let found = runs(4096, written.iter().copied(), gathering);
                assert!(found.len() <= gathering.runs_max, "one page in {step}: {} runs", found.len());
                let is_in = |page: &u32| found.iter().any(|run| run.pages.contains(page));
                assert!(written.iter().all(is_in), "one page in {step}");
            }
        }
        let widest: Vec<u32> = (0..40).map(|page| page * 20 + page / 8 * 100).collect();
        assert_eq!(runs(4096, widest.into_iter(), ALONE).len(), 5, "the widest gaps stay");
    }

    #[test]
    fn zero_pages_take_no_memory() {
        let written: Vec<(u32, u8)> = (0..4096).step_by(18).map(|at| (at, 1)).collect();
        let image = image(4096, &written);
        assert!((0..4096).all(|at| image.page(at).0[0] == u8::from(at % 18 == 0)));
        assert_eq!(blocks(&image), 228 * PAGE_BYTES);
        assert_eq!(image.own_bytes(), 228 * PAGE_BYTES);
    }

    #[test]
    fn an_image_without_pages_is_zero() {
        assert_eq!(shown(&image(16, &[])), [0; 16]);
        let base = image(16, &[(3, 3)]);
        assert_eq!(shown(&over(&base, &[])), shown(&base));
    }

    #[test]
    fn images_stand_on_each_other_and_each_takes_its_own_pages_only() {
        let base: Vec<(u32, u8)> = (0..200).map(|at| (at, 1)).collect();
        let base = image(400, &base);
        let layer = over(&base, &[(10, 2), (11, 2), (150, 0), (199, 2), (200, 2), (300, 2)]);
        // Over the layer's pages, over zero, over the border of a run, and a gap of which the layer knows the pages.
        let tenant = over(&layer, &[(9, 3), (12, 3), (199, 0), (202, 3), (399, 3)]);
        let expected = |page: usize| match page {
            9 | 12 | 202 | 399 => 3,
            10 | 11 | 200 | 300 => 2,
            150 | 199 => 0,
            0..200 => 1,
            _ => 0,
        };
        assert!([&layer, &tenant].iter().all(|image| blocks(image) == image.own_bytes()));
        assert_eq!(layer.own_bytes(), 6 * PAGE_BYTES);
        assert_eq!(tenant.own_bytes(), 5 * PAGE_BYTES);
        assert_eq!(tenant.copied(), [9, 10, 11, 12, 150, 199, 200, 202, 300, 399]);
        assert_eq!(tenant.mappings(), base.mappings());
        assert_eq!(shown(&tenant), (0..400).map(expected).collect::<Vec<u8>>());
    }

    /// Any images over any others show what writing their pages one after the other makes.
    #[test]
    fn images_over_images_show_the_last_word_of_each_page() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = move |bound: u32| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % u64::from(bound)) as u32
        };
        for round in 0..40 {
            let pages = 1 + below(600);
            let mut expected = vec![0; pages as usize];
            let mut top: Option<Arc<SealedImage>> = None;
            for generation in 1..5 {
                let mut content = std::collections::BTreeMap::new();
                for _ in 0..below(120) {
                    let (start, length, value) =
                        (below(pages), 1 + below(6), [0, generation][below(3).min(1) as usize]);
                    content.extend((start..(start + length).min(pages)).map(|page| (page, value)));
                }
                for (page, value) in &content {
                    expected[*page as usize] = *value;
                }
                let content: Vec<_> = content.into_iter().collect();
                top = Some(top.map_or_else(|| image(pages as usize, &content), |parent| over(&parent, &content)));
                assert_eq!(shown(top.as_ref().expect("just made")), expected, "round {round}");
            }
        }
    }

    #[test]
    fn long_runs_are_mapped_and_scattered_pages_copied_unless_there_are_too_many() {
        let base = image(4000, &(0..3000).map(|at| (at, 1)).collect::<Vec<_>>());
        let few = over(&base, &(100..110).chain([200, 300]).map(|at| (at, 2)).collect::<Vec<_>>());
        assert_eq!((few.copied(), few.mappings()), (&[200, 300][..], base.mappings() + 2));
        // A long run over a copy, and a copy over a long run.
        let more = over(&few, &[105].into_iter().chain(195..205).map(|at| (at, 3)).collect::<Vec<_>>());
        assert_eq!((more.copied(), more.mappings()), (&[105, 300][..], base.mappings() + 4));
        let expected = |page: usize| match page {
            105 | 195..205 => 3,
            100..110 | 300 => 2,
            0..3000 => 1,
            _ => 0,
        };
        assert_eq!(shown(&more), (0..4000).map(expected).collect::<Vec<u8>>());
        let many = over(&more, &(0..300).map(|at| (at * 10, 4)).collect::<Vec<_>>());
        assert!(many.mappings() <= more.mappings() + 2 * OVER.runs_max, "{}", many.mappings());
        let expected = |page: usize| if page < 3000 && page.is_multiple_of(10) { 4 } else { expected(page) };
        assert_eq!(shown(&many), (0..4000).map(expected).collect::<Vec<u8>>());
    }

    /// What the kernel says of the mappings within a range.
    fn smaps(base: usize, bytes: usize, field: &str) -> Vec<String> {
        let text = std::fs::read_to_string("/proc/self/smaps").expect("the kernel tells");
        let (mut within, mut found) = (false, Vec::new());
        for line in text.lines() {
            let start = line.split_once('-').and_then(|(start, _)| usize::from_str_radix(start, 16).ok());
            within = start.map_or(within, |start| (base..base + bytes).contains(&start));
            found.extend(line.strip_prefix(field).filter(|_| within).map(|value| value.trim().to_owned()));
        }
        found
    }

    #[test]
    fn a_copied_page_takes_a_page_where_huge_ones_are_given_unasked() {
        const HUGE: usize = 512;
        let parent = image(32 * HUGE, &[(0, 1)]);
        let scattered: Vec<(u32, u8)> = (1..31).map(|at| (at * HUGE as u32, 2)).collect();
        let child = over(&parent, &scattered);
        assert_eq!(child.copied().len(), 30);
        let space = Reservation::new(child.bytes()).expect("address space");
        // SAFETY: the reservation is ours alone, and nothing refers to it yet.
        map::emulation::with_huge_pages(|| unsafe { child.map_at(space.base()).expect("it can be mapped") });
        let of = |field| smaps(space.base() as usize, space.bytes(), field);
        let sizes = of("Rss:");
        let kib = |size: &String| size.trim_end_matches(" kB").parse::<usize>().expect("a number");
        assert!(sizes.iter().map(kib).sum::<usize>() <= 40 * 4, "{sizes:?}");
        let flags = of("VmFlags:");
        assert!(!flags.iter().any(|flags| flags.split(' ').any(|flag| flag == "hg")), "{flags:?}");
    }

    #[test]
    fn so_many_images_stand_on_each_other_and_no_more() {
        let mut image = image(1, &[]);
        for _ in 1..GENERATIONS_MAX {
            image = over(&image, &[]);
        }
        assert!(SealedImage::over(&image, std::iter::empty()).is_err());
    }
}
