//! One slot: a stride with an image over it, and the book of which pages may differ from that image.
//!
//! ```text
//!            first write: fault handler opens it
//!   cold  ────────────────────────────────────────▶  hot: restored after every request
//!    ▲                                                │
//!    └────────────────────────────────────────────────┘
//!        unchanged for long: given back and closed
//! ```
//! Invariant: a page that is not hot is closed, so the memory management unit itself keeps it equal to the image.

use crate::PAGE_BYTES;
use crate::arena::{Arena, Stride};
use crate::copy::{Copier, Page};
use crate::image::SealedImage;
use crate::map::Reservation;
use crate::protect::{Area, Protect};
use crate::thread;
use std::ffi::c_void;
use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, Ordering, compiler_fence};

/// A hot set of at most this many pages is restored blindly most of the time; a larger one is compared each time.
pub(crate) const SMALL_HOT_SET: usize = 128;
/// A hot set of at most this many pages is restored in some 40 us, so an I/O thread may do it.
pub(crate) const QUICK_HOT_SET: usize = 512;
/// While the hot set is small, one restore in this many compares each page instead of copying it.
const AUDIT_EVERY: u32 = 16;
/// A page found unchanged by more audits in a row than this leaves the hot set. A first write costs as much as some 60
/// restores of a page that has fallen out of the cache, so a page stays for 16 x 4 requests in a small set.
const CLEAN_AUDITS_MAX: u16 = 4;
/// Programs put back what they have written: a count of references that goes up and down again looks unchanged. So a page
/// that is written again sooner than it took to find it clean stays twice as long the next time, up to so many doublings.
const DOUBLINGS_MAX: u8 = 10;
/// Ranges that one audit of a small set closes one by one (each is two system calls); more wait for the next audit.
const RANGES_PER_AUDIT: usize = 16;
/// Most pages opened by one fault of a sequential writer.
const RUN_PAGES_MAX: u32 = 64;

/// `SlotState::clean` of a page that is closed. A hot page has 1 + the number of audits that found it unchanged.
const COLD: u16 = 0;
const HOT: u16 = 1;

/// What the fault handler and the slot share. Touched by one thread at a time: the one that the slot is lent to, or the
/// one that has exclusive access to the slot. Atomics, because a handler interrupts its own thread anywhere.
pub(crate) struct SlotState {
    area: Area,
    protection: &'static dyn Protect,
    /// As many as the memory has pages: the handler must not allocate.
    entries: Zeroed<Entry>,
    hot_pages: AtomicU32,
    restores: AtomicU32,
    /// Pages opened by the last fault, to double the run of a sequential writer (upwards, or downwards like a stack).
    run_start: AtomicU32,
    run_end: AtomicU32,
    faults: AtomicU32,
    /// The handler could not open a page and opened everything: nobody knows any more what has been written.
    untracked: AtomicBool,
}

/// What is known of one page, and one place in the hot set: two tables in one.
#[derive(Default)]
struct Entry {
    /// The place's page.
    hot: AtomicU32,
    /// What that looks like in the image; null: zero. An image that stands on others has to search for a page.
    source: AtomicPtr<Page>,
    /// Whether the page is hot, and how often an audit has found it unchanged.
    clean: AtomicU16,
    /// How often the audits that it takes to close the page were doubled.
    doublings: AtomicU8,
    /// Restores at the time that the page was closed; 0: never.
    closed_at: AtomicU32,
}

impl SlotState {
    /// A write to `offset` has faulted. Returns whether it may be tried again. Async-signal-safe.
    pub(crate) fn on_write(&self, offset: usize) -> bool {
        let page = (offset / PAGE_BYTES) as u32;
        if page >= self.area.image.pages() || self.page(page).clean.load(Ordering::Relaxed) != COLD {
            return false;
        }
        self.faults.store(self.faults.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.learn(page);
        let pages = self.next_run(page);
        if self.protection.open(&self.area, pages.clone()).is_err() {
            self.untracked.store(true, Ordering::Relaxed);
            return self.area.open_all().is_ok();
        }
        self.run_start.store(pages.start, Ordering::Relaxed);
        self.run_end.store(pages.end, Ordering::Relaxed);
        self.note_hot(pages);
        true
    }

    /// Whether it was right to close this page.
    fn learn(&self, page: u32) {
        let Entry { doublings, closed_at, .. } = self.page(page);
        let closed_at = closed_at.load(Ordering::Relaxed);
        if closed_at != 0 {
            let before = doublings.load(Ordering::Relaxed);
            let cold_for = self.restores.load(Ordering::Relaxed).wrapping_sub(closed_at);
            let too_soon = cold_for < (AUDIT_EVERY * u32::from(CLEAN_AUDITS_MAX)) << before;
            doublings.store(if too_soon { (before + 1).min(DOUBLINGS_MAX) } else { 0 }, Ordering::Relaxed);
        }
    }

    /// Whether audits have found a page unchanged for long enough.
    fn is_idle(&self, page: u32) -> bool {
        let Entry { clean, doublings, .. } = self.page(page);
        clean.load(Ordering::Relaxed) > CLEAN_AUDITS_MAX << doublings.load(Ordering::Relaxed)
    }

    fn next_run(&self, page: u32) -> Range<u32> {
        let (start, end) = (self.run_start.load(Ordering::Relaxed), self.run_end.load(Ordering::Relaxed));
        let doubled = ((end - start) * 2).clamp(1, RUN_PAGES_MAX);
        if page == end && start < end {
            page..(page + doubled).min(self.area.image.pages())
        } else if page + 1 == start {
            (page + 1).saturating_sub(doubled)..page + 1
        } else {
            page..page + 1
        }
    }

    fn note_hot(&self, pages: Range<u32>) {
        let mut count = self.hot_pages.load(Ordering::Relaxed);
        for page in pages {
            if self.page(page).clean.load(Ordering::Relaxed) == COLD {
                self.page(page).clean.store(HOT, Ordering::Relaxed);
                self.put_hot(count as usize, page);
                count += 1;
            }
        }
        self.hot_pages.store(count, Ordering::Relaxed);
    }

    fn put_hot(&self, place: usize, page: u32) {
        let image = &self.area.image;
        let source = if image.is_zero(page) { ptr::null() } else { ptr::from_ref(image.page(page)) };
        self.entries[place].hot.store(page, Ordering::Relaxed);
        self.entries[place].source.store(source.cast_mut(), Ordering::Relaxed);
    }

    #[inline]
    fn page(&self, page: u32) -> &Entry {
        &self.entries[page as usize]
    }

    /// The hot set.
    #[inline]
    fn hot(&self) -> impl Iterator<Item = u32> + '_ {
        self.hot_entries().iter().map(|entry| entry.hot.load(Ordering::Relaxed))
    }

    #[inline]
    fn hot_entries(&self) -> &[Entry] {
        &self.entries[..self.hot_pages.load(Ordering::Relaxed) as usize]
    }
}

/// A slot. Whoever holds it exclusively, and the store of the memory under it, may restore it.
pub(crate) struct Slot {
    stride: &'static Stride,
    state: Arc<SlotState>,
    copier: Copier,
    /// Room to sort the hot set in.
    sorted: Vec<u32>,
}

impl Slot {
    /// Makes a slot of the memory at `base`.
    ///
    /// # Safety
    /// `base` is the start of a stride's memory with `image` mapped, armed and closed, which the caller owns: nobody else
    /// refers to it, and the slot ends before the stride is recycled.
    pub(crate) unsafe fn new(
        base: *mut u8,
        image: &Arc<SealedImage>,
        protection: &'static dyn Protect,
    ) -> io::Result<Slot> {
        let (stride, offset) = Arena::get()?.stride_at(base as usize).expect("the memory lies in the arena");
        assert_eq!(offset, 0, "the memory starts a stride");
        // SAFETY: the caller owns the stride's memory, which is as long as the image.
        let area = unsafe { Area::new(base, Arc::clone(image)) };
        let entries = Zeroed::new(image.pages() as usize)?;
        let slot = Slot {
            stride,
            state: Arc::new(SlotState::closed(area, entries, protection)),
            copier: Copier::get(),
            sorted: Vec::new(),
        };
        stride.state.store(Arc::as_ptr(&slot.state).cast_mut(), Ordering::Release);
        Ok(slot)
    }

    /// From now on the fault handler opens pages that the calling thread writes to.
    #[inline]
    pub(crate) fn lend(&mut self) {
        self.stride.owner.store(thread::id(), Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    }

    /// Ends [`Slot::lend`].
    #[inline]
    pub(crate) fn take_back(&mut self) {
        compiler_fence(Ordering::SeqCst);
        self.stride.owner.store(0, Ordering::Relaxed);
    }

    /// Opens pages ahead of their first writes.
    pub(crate) fn open(&mut self, pages: Range<u32>) -> io::Result<()> {
        self.state.protection.open(&self.state.area, pages.clone())?;
        self.state.note_hot(pages);
        Ok(())
    }

    /// Makes the memory equal to the image. `false`: it cannot be told what was written, so the slot must end.
    #[must_use]
    #[inline]
    pub(crate) fn restore(&mut self) -> bool {
        if self.state.untracked.load(Ordering::Relaxed) {
            return false;
        }
        self.state.run_start.store(0, Ordering::Relaxed);
        self.state.run_end.store(0, Ordering::Relaxed);
        let restores = self.state.restores.load(Ordering::Relaxed).wrapping_add(1);
        self.state.restores.store(restores, Ordering::Relaxed);
        let small = self.hot_pages() <= SMALL_HOT_SET;
        if small && !restores.is_multiple_of(AUDIT_EVERY) {
            self.copy_back();
            return true;
        }
        self.audit(if small { RANGES_PER_AUDIT } else { usize::MAX }).is_ok()
    }

    #[inline]
    fn copy_back(&mut self) {
        let area = &self.state.area;
        for entry in self.state.hot_entries() {
            let place = area.at(entry.hot.load(Ordering::Relaxed));
            let source = entry.source.load(Ordering::Relaxed).cast_const();
            // SAFETY: hot pages lie in the area, are writable, and with `&mut self` nobody else refers to them; sources
            // are pages of the image, which the area holds; the copier was chosen for this CPU.
            unsafe {
                if source.is_null() {
                    (self.copier.clear)(place);
                } else {
                    (self.copier.restore)(place, source);
                }
            }
        }
    }

    /// Restores by comparing first, which shows the pages that nothing wrote to.
    fn audit(&mut self, ranges_max: usize) -> io::Result<()> {
        let area = &self.state.area;
        let mut cold = 0;
        for page in self.state.hot() {
            // SAFETY: as in `copy_back`.
            let changed = unsafe { (self.copier.compare)(area.at(page), area.image.page(page)) };
            let clean = &self.state.page(page).clean;
            clean.store(if changed { HOT } else { clean.load(Ordering::Relaxed).saturating_add(1) }, Ordering::Relaxed);
            cold += usize::from(!changed && self.state.is_idle(page));
        }
        if cold > 0 { self.cool(ranges_max) } else { Ok(()) }
    }

    /// Closes the pages that audits found unchanged, by ranges; all at once if there are many ranges.
    fn cool(&mut self, ranges_max: usize) -> io::Result<()> {
        let state = &self.state;
        let is_cold = |page: u32| state.is_idle(page);
        self.sorted.clear();
        self.sorted.extend(state.hot());
        self.sorted.sort_unstable();
        let ranges = |cold: bool| {
            let runs = self.sorted.chunk_by(move |a, b| a + 1 == *b && is_cold(*a) == is_cold(*b));
            runs.filter(move |run| is_cold(run[0]) == cold).map(|run| run[0]..run[run.len() - 1] + 1)
        };
        let many = ranges(true).take(ranges_max).nth(RANGES_PER_AUDIT).is_some();
        if many {
            // Dropping everything and opening the rest again: 1 ms instead of 3 for 1,000 scattered pages. This may be an
            // I/O thread, and what the image has slots copy is 256 pages at most.
            state.protection.close_all(&state.area)?;
            for pages in ranges(false) {
                state.protection.open(&state.area, pages)?;
            }
        }
        for pages in ranges(true).take(ranges_max).collect::<Vec<_>>() {
            if !many {
                state.protection.close(&state.area, pages.clone())?;
            }
            for page in pages {
                let Entry { clean, closed_at, .. } = state.page(page);
                clean.store(COLD, Ordering::Relaxed);
                // 0 stands for never.
                closed_at.store(state.restores.load(Ordering::Relaxed).max(1), Ordering::Relaxed);
            }
        }
        self.drop_cold();
        Ok(())
    }

    fn drop_cold(&mut self) {
        let state = &self.state;
        let mut count = 0;
        for page in &self.sorted {
            if state.page(*page).clean.load(Ordering::Relaxed) != COLD {
                state.put_hot(count, *page);
                count += 1;
            }
        }
        state.hot_pages.store(count as u32, Ordering::Relaxed);
    }

    /// Makes the memory equal to the image, whatever was written, and closes it.
    fn close(&mut self) -> io::Result<()> {
        let SlotState { area, protection, .. } = &*self.state;
        if area.image.copied().is_empty() {
            return Ok(protection.close_all(area)?);
        }
        // Giving everything back would take the copies along.
        if !self.is_tracked() || self.hot_pages() > SMALL_HOT_SET {
            return Err(io::Error::other("copying all anew is cheaper"));
        }
        self.sorted.clear();
        self.sorted.extend(self.state.hot());
        self.sorted.sort_unstable();
        for run in self.sorted.chunk_by(|a, b| a + 1 == *b) {
            area.reset(&(run[0]..run[run.len() - 1] + 1))?;
        }
        Ok(protection.shut(area)?)
    }

    /// Pages restored after each request.
    #[inline]
    pub(crate) fn hot_pages(&self) -> usize {
        self.state.hot_entries().len()
    }

    /// The hot set, in no order.
    pub(crate) fn hot(&self) -> impl Iterator<Item = u32> + '_ {
        self.state.hot()
    }

    /// Whether the hot set is all that may differ from the image.
    pub(crate) fn is_tracked(&self) -> bool {
        !self.state.untracked.load(Ordering::Relaxed)
    }

    /// First writes since the last call.
    pub(crate) fn take_faults(&mut self) -> u32 {
        self.state.faults.swap(0, Ordering::Relaxed)
    }

    /// The protection in use.
    pub(crate) fn protection(&self) -> &'static dyn Protect {
        self.state.protection
    }

    /// The image under the slot.
    pub(crate) fn image(&self) -> &Arc<SealedImage> {
        &self.state.area.image
    }
}

impl SlotState {
    fn closed(area: Area, entries: Zeroed<Entry>, protection: &'static dyn Protect) -> SlotState {
        SlotState {
            entries,
            area,
            protection,
            hot_pages: AtomicU32::new(0),
            restores: AtomicU32::new(0),
            run_start: AtomicU32::new(0),
            run_end: AtomicU32::new(0),
            faults: AtomicU32::new(0),
            untracked: AtomicBool::new(false),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.take_back();
        // The next slot of this image finds it mapped.
        let closed = self.close().is_ok();
        self.stride.closed.store(closed, Ordering::Relaxed);
        self.stride.state.store(std::ptr::null_mut(), Ordering::Release);
    }
}

/// Types for which all octets zero is a value.
///
/// # Safety
/// It is, the type needs no drop, and its alignment is that of a page at most.
unsafe trait Zero: Sync {}
// SAFETY: numbers and a pointer in cells.
unsafe impl Zero for Entry {}

/// Zeroed values straight from the system: a page of them is there once it is used. From the allocator they would be
/// cleared one after the other, 400 KiB for a memory of 64 MiB.
struct Zeroed<T> {
    space: Reservation,
    count: usize,
    values: std::marker::PhantomData<T>,
}

impl<T: Zero> Zeroed<T> {
    fn new(count: usize) -> io::Result<Zeroed<T>> {
        let space = Reservation::zeroed((count * size_of::<T>()).next_multiple_of(PAGE_BYTES))?;
        Ok(Zeroed { space, count, values: std::marker::PhantomData })
    }
}

impl<T: Zero> std::ops::Deref for Zeroed<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the space is readable and writable, page-aligned, long enough, and belongs to this value; it began as
        // zeros, which are values of `T`.
        unsafe { std::slice::from_raw_parts(self.space.base().cast::<c_void>().cast(), self.count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protect::Protection;
    use rustix::io as system;
    use std::sync::atomic::AtomicUsize;

    /// Counts what is closed by itself.
    struct Counting {
        inner: &'static dyn Protect,
        closed: AtomicUsize,
    }

    impl Protect for Counting {
        fn kind(&self) -> Protection {
            self.inner.kind()
        }

        fn open(&self, area: &Area, pages: Range<u32>) -> system::Result<()> {
            self.inner.open(area, pages)
        }

        fn close(&self, area: &Area, pages: Range<u32>) -> system::Result<()> {
            self.closed.fetch_add(1, Ordering::Relaxed);
            self.inner.close(area, pages)
        }

        fn shut(&self, area: &Area) -> system::Result<()> {
            self.inner.shut(area)
        }

        fn copy_anew(&self, area: &Area) -> system::Result<()> {
            self.inner.copy_anew(area)
        }
    }

    /// An image over another one, with scattered pages that slots copy.
    fn child() -> Arc<SealedImage> {
        let page = |value: u8| vec![value; PAGE_BYTES];
        let parent: Vec<_> = (0..700).map(|at| (at, page(1))).collect();
        let parent = SealedImage::new(1024 * PAGE_BYTES, parent.iter().map(|(at, page)| (*at, &page[..])));
        let over: Vec<_> = (0..100).map(|at| (at * 10, page(2))).collect();
        let over = over.iter().map(|(at, page)| (*at, &page[..]));
        Arc::new(SealedImage::over(&Arc::new(parent.expect("a file")), over).expect("a file"))
    }

    #[test]
    fn many_pages_of_a_child_are_closed_at_once() {
        for kind in [Protection::Mprotect, Protection::Userfault] {
            let Ok(inner) = kind.implementation() else { continue };
            let counting: &'static Counting = Box::leak(Box::new(Counting { inner, closed: AtomicUsize::new(0) }));
            let image = child();
            assert_eq!(image.copied().len(), 100);
            let space = Reservation::new(image.bytes()).expect("address space");
            // SAFETY: the reservation is ours alone, and nothing refers to it yet.
            let area = unsafe {
                image.map_at(space.base()).expect("it can be mapped");
                kind.arm(space.base(), space.bytes()).expect("it can be armed");
                Area::new(space.base(), image.clone())
            };
            let entries = Zeroed::new(image.pages() as usize).expect("memory");
            let state = Arc::new(SlotState::closed(area, entries, counting));
            let stride = Box::leak(Box::default());
            let mut slot = Slot { stride, state, copier: Copier::get(), sorted: Vec::new() };
            let write = |page: u32| {
                // SAFETY: the page is open, and nothing refers to it.
                unsafe { space.base().add(page as usize * PAGE_BYTES).write(9) };
            };
            for page in (0..600).step_by(2) {
                slot.open(page..page + 1).expect("it can be opened");
                write(page);
            }
            for _ in 0..8 {
                write(0);
                write(2);
                assert!(slot.restore());
            }
            let mut hot: Vec<u32> = slot.hot().collect();
            hot.sort_unstable();
            assert_eq!((hot, counting.closed.load(Ordering::Relaxed)), (vec![0, 2], 0), "{kind:?}");
            // SAFETY: all of it is mapped readable.
            let memory = unsafe { std::slice::from_raw_parts(space.base(), space.bytes()) };
            assert!((0..1024).all(|page| memory[page as usize * PAGE_BYTES..][..PAGE_BYTES] == *image.octets(page)));
            // Closed pages are opened again as ever.
            slot.open(0..600).expect("they can be opened");
            (0..600).for_each(write);
            assert!(slot.restore());
            assert!((0..1024).all(|page| memory[page as usize * PAGE_BYTES..][..PAGE_BYTES] == *image.octets(page)));
        }
    }
}
