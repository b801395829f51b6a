//! How the first write to a page is noticed: two implementations of one trait, which run the same tests.
//!
//! | | a first write | mappings | where |
//! |---|---|---|---|
//! | userfaultfd | 4.6-5 us | unchanged by isolated writes | where the kernel allows it (5.19 and later) |
//! | mprotect | 7-8 us | two more for each isolated page | everywhere |

use crate::PAGE_BYTES;
use crate::copy::Page;
use crate::image::SealedImage;
use crate::map;
use rustix::io;
use std::ffi::c_void;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

mod userfault;

/// Which protection to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Userfaultfd where the kernel allows it, mprotect elsewhere.
    #[default]
    Auto,
    /// Write protection by userfaultfd.
    Userfault,
    /// Write protection by mprotect.
    Mprotect,
}

impl Protection {
    /// The fixed name, as in options and tables.
    pub fn name(self) -> &'static str {
        match self {
            Protection::Auto => "auto",
            Protection::Userfault => "userfault",
            Protection::Mprotect => "mprotect",
        }
    }

    /// What this choice means on this machine: never `Auto`.
    ///
    /// # Errors
    /// Userfaultfd was asked for and the kernel does not allow it.
    pub fn resolve(self) -> std::io::Result<Protection> {
        match (self, userfault::get()) {
            (Protection::Mprotect, _) | (Protection::Auto, Err(_)) => Ok(Protection::Mprotect),
            (Protection::Auto | Protection::Userfault, Ok(_)) => Ok(Protection::Userfault),
            (Protection::Userfault, Err(error)) => Err(error.into()),
        }
    }

    pub(crate) fn implementation(self) -> std::io::Result<&'static dyn Protect> {
        match self.resolve()? {
            Protection::Userfault => Ok(userfault::get()?),
            _ => Ok(&Mprotect),
        }
    }

    /// Prepares memory just mapped, readable and not writable.
    pub(crate) fn arm(self, base: *mut u8, bytes: usize) -> std::io::Result<()> {
        match self.resolve()? {
            Protection::Userfault => Ok(userfault::get()?.register(base, bytes)?),
            _ => Ok(()),
        }
    }
}

/// The memory of one slot: a range that the slot owns, with an image mapped over it.
pub(crate) struct Area {
    base: *mut Page,
    pub(crate) image: Arc<SealedImage>,
    /// For each piece of the image: whether userfaultfd looks after its pages (`false`: the mapping is read-only).
    watched: Box<[AtomicBool]>,
}

// SAFETY: the pointer is an address in the arena that the area's owner alone may touch. What reaches the memory behind
// it is called by `Slot`, from one thread at a time (every such method takes `&mut self`), or by the fault handler on the
// thread that the slot is lent to.
unsafe impl Send for Area {}
// SAFETY: as above; a shared reference gives the address, and bits that are atomic.
unsafe impl Sync for Area {}

impl Area {
    /// # Safety
    /// `base..base + image.bytes()` belongs to the caller as long as the value lives, and is mapped by `image.map_at`.
    pub(crate) unsafe fn new(base: *mut u8, image: Arc<SealedImage>) -> Area {
        let watched = std::iter::repeat_with(AtomicBool::default).take(image.pieces()).collect();
        let base = base.cast::<c_void>().cast::<Page>();
        assert!(base.is_aligned(), "a stride starts at a page's border");
        Area { base, image, watched }
    }

    pub(crate) fn at(&self, page: u32) -> *mut Page {
        debug_assert!(page <= self.image.pages());
        self.base.wrapping_add(page as usize)
    }

    fn all(&self) -> Range<u32> {
        0..self.image.pages()
    }

    fn protect(&self, pages: &Range<u32>, writable: bool) -> io::Result<()> {
        // SAFETY: the pages lie in the area, which its owner reaches only through `Slot`; reading stays allowed, and
        // writing is taken away only where nobody is in the middle of it (`Slot` demands exclusive access).
        unsafe { map::protect(self.at(pages.start).cast(), pages.len() * PAGE_BYTES, writable) }
    }

    fn discard(&self, pages: &Range<u32>) -> io::Result<()> {
        // SAFETY: as above; `Slot` discards pages only with exclusive access to the memory.
        unsafe { map::discard(self.at(pages.start).cast(), pages.len() * PAGE_BYTES) }
    }

    /// Gives open pages back to the image: what it has slots copy is copied again.
    pub(crate) fn reset(&self, pages: &Range<u32>) -> io::Result<()> {
        self.discard(pages)?;
        // SAFETY: as above; the pages are open, and stay so when they are discarded.
        unsafe { self.image.copy_to(self.base.cast(), pages.clone()) };
        Ok(())
    }

    /// Gives up on watching: every page may be written, and the slot is good for one run more at the most.
    /// For the fault handler when it cannot open a page (no mappings left). Async-signal-safe.
    pub(crate) fn open_all(&self) -> io::Result<()> {
        self.protect(&self.all(), true)
    }
}

/// A way to notice first writes. All pages of an area are closed at first.
pub(crate) trait Protect: Sync {
    /// Which one it is.
    fn kind(&self) -> Protection;

    /// Makes pages writable; what they hold stays. Async-signal-safe.
    fn open(&self, area: &Area, pages: Range<u32>) -> io::Result<()>;

    /// Gives open pages back to the image and closes them.
    fn close(&self, area: &Area, pages: Range<u32>) -> io::Result<()>;

    /// Closes all pages; what they hold stays.
    fn shut(&self, area: &Area) -> io::Result<()> {
        area.protect(&area.all(), false)
    }

    /// Gives all pages back to the image and closes them: cheaper than one by one.
    fn close_all(&self, area: &Area) -> io::Result<()> {
        self.shut(area)?;
        area.discard(&area.all())?;
        if area.image.copied().is_empty() { Ok(()) } else { self.copy_anew(area) }
    }

    /// Has what slots copy of the image copied to pages that are all closed and given back.
    fn copy_anew(&self, area: &Area) -> io::Result<()> {
        area.protect(&area.all(), true)?;
        // SAFETY: `Slot` closes pages only with exclusive access to the memory; all of it is writable now.
        unsafe { area.image.copy_to(area.base.cast(), area.all()) };
        area.protect(&area.all(), false)
    }
}

struct Mprotect;

impl Protect for Mprotect {
    fn kind(&self) -> Protection {
        Protection::Mprotect
    }

    fn open(&self, area: &Area, pages: Range<u32>) -> io::Result<()> {
        area.protect(&pages, true)
    }

    fn close(&self, area: &Area, pages: Range<u32>) -> io::Result<()> {
        area.reset(&pages)?;
        area.protect(&pages, false)
    }
}
