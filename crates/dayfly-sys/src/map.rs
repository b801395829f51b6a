//! Address space: the four calls that everything else here is made of.

use rustix::fd::BorrowedFd;
use rustix::io;
use rustix::mm::{self, MapFlags, MprotectFlags, ProtFlags};
use std::ffi::c_void;

/// A range of address space that belongs to whoever holds the value: nothing else maps, unmaps or protects it.
#[derive(Debug)]
pub(crate) struct Reservation {
    base: *mut u8,
    bytes: usize,
}

// SAFETY: the value is an address and a length; the memory behind it is reached only through unsafe functions.
unsafe impl Send for Reservation {}
// SAFETY: as above; a shared reference gives the address only.
unsafe impl Sync for Reservation {}

impl Reservation {
    /// Reserves inaccessible address space that counts neither as memory nor as a commitment.
    pub(crate) fn new(bytes: usize) -> io::Result<Reservation> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: the kernel chooses the place, so nothing that exists is replaced.
        let base = unsafe { mm::mmap_anonymous(std::ptr::null_mut(), bytes, ProtFlags::empty(), flags)? };
        Ok(Reservation { base: base.cast(), bytes })
    }

    /// Zeroed memory, readable and writable, that is there only as far as it is used.
    pub(crate) fn zeroed(bytes: usize) -> io::Result<Reservation> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: the kernel chooses the place, so nothing that exists is replaced.
        let base =
            unsafe { mm::mmap_anonymous(std::ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags)? };
        Ok(Reservation { base: base.cast(), bytes })
    }

    /// First byte.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    /// Length.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the range is ours alone, and whoever drops it has no pointer into it any more.
        let unmapped = unsafe { mm::munmap(self.base.cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "a reservation can be unmapped");
    }
}

/// Replaces `[at, at + bytes)` by inaccessible, empty address space.
///
/// # Safety
/// The range lies in a reservation of the caller and no reference into it exists.
pub(crate) unsafe fn clear(at: *mut u8, bytes: usize) -> io::Result<()> {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
    // SAFETY: the caller owns the range; see above.
    unsafe { mm::mmap_anonymous(at.cast(), bytes, ProtFlags::empty(), flags).map(drop) }
}

/// Replaces `[at, at + bytes)` by zero pages that can be read, and written if `writable` or after [`protect`]. Small pages:
/// where the system gives huge ones unasked, each page that is written would take 2 MiB.
///
/// # Safety
/// As for [`clear`].
pub(crate) unsafe fn map_zero(at: *mut u8, bytes: usize, writable: bool) -> io::Result<()> {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
    // SAFETY: the caller owns the range; see above.
    unsafe { mm::mmap_anonymous(at.cast(), bytes, access(writable), flags)? };
    #[cfg(test)]
    emulation::huge_pages(at, bytes);
    // SAFETY: the range was mapped just now; advice changes none of its octets.
    match unsafe { mm::madvise(at.cast(), bytes, mm::Advice::LinuxNoHugepage) } {
        // A kernel that has no huge pages knows no such advice.
        Err(io::Errno::INVAL) => Ok(()),
        result => result,
    }
}

/// Replaces `[at, at + bytes)` by a private view of `file`.
///
/// # Safety
/// As for [`clear`].
pub(crate) unsafe fn map_file(
    at: *mut u8,
    bytes: usize,
    file: BorrowedFd<'_>,
    offset: u64,
    writable: bool,
) -> io::Result<()> {
    // SAFETY: the caller owns the range; a private view cannot change the file.
    unsafe {
        mm::mmap(
            at.cast(),
            bytes,
            access(writable),
            MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED,
            file,
            offset,
        )
        .map(drop)
    }
}

fn access(writable: bool) -> ProtFlags {
    if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ }
}

/// Sets the access rights of `[at, at + bytes)`. Async-signal-safe.
///
/// # Safety
/// The range lies in a reservation of the caller; no reference needs rights that are taken away.
pub(crate) unsafe fn protect(at: *mut u8, bytes: usize, writable: bool) -> io::Result<()> {
    let access = if writable { MprotectFlags::READ | MprotectFlags::WRITE } else { MprotectFlags::READ };
    // SAFETY: the caller owns the range; see above.
    unsafe { mm::mprotect(at.cast::<c_void>(), bytes, access) }
}

/// Gives private pages of `[at, at + bytes)` back: what is read next comes from the file again, or is zero.
///
/// # Safety
/// The range lies in a reservation of the caller and no reference into it exists.
pub(crate) unsafe fn discard(at: *mut u8, bytes: usize) -> io::Result<()> {
    // SAFETY: the caller owns the range; see above.
    unsafe { mm::madvise(at.cast(), bytes, mm::Advice::LinuxDontNeed) }
}

/// A system whose transparent huge pages are `always`, for the calling thread.
#[cfg(test)]
pub(crate) mod emulation {
    use rustix::mm;
    use std::cell::Cell;

    thread_local! {
        static ALWAYS: Cell<bool> = const { Cell::new(false) };
    }

    pub(crate) fn with_huge_pages<R>(work: impl FnOnce() -> R) -> R {
        ALWAYS.set(true);
        let result = work();
        ALWAYS.set(false);
        result
    }

    pub(super) fn huge_pages(at: *mut u8, bytes: usize) {
        if ALWAYS.get() {
            // SAFETY: the caller has mapped the range just now; advice changes none of its octets.
            unsafe { mm::madvise(at.cast(), bytes, mm::Advice::LinuxHugepage).ok() };
        }
    }
}
