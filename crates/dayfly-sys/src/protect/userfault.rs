//! Write protection by userfaultfd: bits in the page tables, so that no mapping is split by an isolated write.
//!
//! Marking a page that nobody has touched costs 19 ns and a place in a page table, so an area starts as a read-only
//! mapping, and each piece of it is marked at the first write to it. The descriptor works in user mode only and answers
//! a write by SIGBUS, so an unprivileged process may have it and no thread has to wait on it.

use super::{Area, Mprotect, OnceLock, Ordering, Protect, Protection, Range, io};
use crate::PAGE_BYTES;
use rustix::fd::{AsFd, OwnedFd};
use rustix::ioctl;
use rustix::mm::{UserfaultfdFlags, userfaultfd};

/// `UFFD_USER_MODE_ONLY`: faults of the kernel itself are not handled; no privilege is needed (5.11).
const USER_MODE_ONLY: u32 = 1;
const API: u64 = 0xaa;
/// Write protection (5.7), on memory files (5.19), on pages that nobody has touched (6.4), answered by SIGBUS (4.14).
const FEATURES: u64 = PAGEFAULT_FLAG_WP | WP_HUGETLBFS_SHMEM | WP_UNPOPULATED | SIGBUS;
const PAGEFAULT_FLAG_WP: u64 = 1 << 0;
const SIGBUS: u64 = 1 << 7;
const WP_HUGETLBFS_SHMEM: u64 = 1 << 12;
const WP_UNPOPULATED: u64 = 1 << 13;
const REGISTER_MODE_WP: u64 = 1 << 1;
const WRITEPROTECT_MODE_WP: u64 = 1 << 0;

#[repr(C)]
struct ApiRequest {
    api: u64,
    features: u64,
    ioctls: u64,
}

#[repr(C)]
struct RegisterRequest {
    start: u64,
    bytes: u64,
    mode: u64,
    ioctls: u64,
}

#[repr(C)]
struct WriteProtectRequest {
    start: u64,
    bytes: u64,
    mode: u64,
}

type ApiCall<'a> = ioctl::Updater<'a, { ioctl::opcode::read_write::<ApiRequest>(0xaa, 0x3f) }, ApiRequest>;
type RegisterCall<'a> =
    ioctl::Updater<'a, { ioctl::opcode::read_write::<RegisterRequest>(0xaa, 0x00) }, RegisterRequest>;
type WriteProtectCall<'a> =
    ioctl::Updater<'a, { ioctl::opcode::read_write::<WriteProtectRequest>(0xaa, 0x06) }, WriteProtectRequest>;

/// The process's one descriptor.
pub(super) struct Userfault {
    descriptor: OwnedFd,
}

static USERFAULT: OnceLock<io::Result<Userfault>> = OnceLock::new();

/// The process's descriptor, or why there is none.
pub(super) fn get() -> io::Result<&'static Userfault> {
    USERFAULT.get_or_init(Userfault::new).as_ref().map_err(|error| *error)
}

impl Userfault {
    fn new() -> io::Result<Userfault> {
        let flags = UserfaultfdFlags::CLOEXEC | UserfaultfdFlags::from_bits_retain(USER_MODE_ONLY);
        // SAFETY: the descriptor stays in this module, which only protects pages of areas that `Slot` owns.
        let descriptor = unsafe { userfaultfd(flags)? };
        let mut request = ApiRequest { api: API, features: FEATURES, ioctls: 0 };
        // SAFETY: number and structure are those of `UFFDIO_API`, which fails if a wanted feature is missing.
        unsafe { ioctl::ioctl(&descriptor, ApiCall::new(&mut request))? };
        Ok(Userfault { descriptor })
    }

    /// Makes a stride's memory one that may be marked.
    pub(super) fn register(&self, base: *mut u8, bytes: usize) -> io::Result<()> {
        let mut request =
            RegisterRequest { start: base as u64, bytes: bytes as u64, mode: REGISTER_MODE_WP, ioctls: 0 };
        // SAFETY: number and structure are those of `UFFDIO_REGISTER`. Registering changes no byte of memory, and what
        // is registered faults only where it is marked.
        unsafe { ioctl::ioctl(self.descriptor.as_fd(), RegisterCall::new(&mut request)) }
    }

    fn mark(&self, area: &Area, pages: &Range<u32>, protected: bool) -> io::Result<()> {
        let (start, bytes) = span(area, pages);
        let mode = if protected { WRITEPROTECT_MODE_WP } else { 0 };
        loop {
            let mut request = WriteProtectRequest { start, bytes, mode };
            // SAFETY: number and structure are those of `UFFDIO_WRITEPROTECT`; the range is the area's own. Marks change
            // no byte of memory.
            match unsafe { ioctl::ioctl(self.descriptor.as_fd(), WriteProtectCall::new(&mut request)) } {
                // Mappings of the process change at this moment (`clone`, say): the kernel asks to try again.
                Err(io::Errno::AGAIN) => {}
                result => return result,
            }
        }
    }

    /// From a read-only mapping to a writable one with all pages marked.
    fn watch(&self, area: &Area, piece: usize) -> io::Result<()> {
        let pages = area.image.piece(piece);
        self.mark(area, &pages, true)?;
        area.protect(&pages, true)?;
        area.watched[piece].store(true, Ordering::Relaxed);
        Ok(())
    }
}

fn span(area: &Area, pages: &Range<u32>) -> (u64, u64) {
    (area.at(pages.start) as u64, (pages.len() * PAGE_BYTES) as u64)
}

/// Calls `each` with the parts of `pages` that lie in one piece, and the piece.
fn by_piece(
    area: &Area,
    pages: Range<u32>,
    mut each: impl FnMut(usize, Range<u32>) -> io::Result<()>,
) -> io::Result<()> {
    let mut piece = area.image.piece_of(pages.start);
    let mut start = pages.start;
    while start < pages.end {
        let end = area.image.piece(piece).end.min(pages.end);
        each(piece, start..end)?;
        (piece, start) = (piece + 1, end);
    }
    Ok(())
}

impl Protect for Userfault {
    fn kind(&self) -> Protection {
        Protection::Userfault
    }

    fn open(&self, area: &Area, pages: Range<u32>) -> io::Result<()> {
        by_piece(area, pages, |piece, pages| {
            if !area.watched[piece].load(Ordering::Relaxed) {
                self.watch(area, piece)?;
            }
            self.mark(area, &pages, false)
        })
    }

    fn close(&self, area: &Area, pages: Range<u32>) -> io::Result<()> {
        area.reset(&pages)?;
        // Giving anonymous pages back drops their marks, so they are marked again.
        by_piece(area, pages, |piece, pages| {
            if area.watched[piece].load(Ordering::Relaxed) { self.mark(area, &pages, true) } else { Ok(()) }
        })
    }

    fn copy_anew(&self, area: &Area) -> io::Result<()> {
        // Pages of files keep their marks when they are given back, and a write to a marked one is a signal.
        self.mark(area, &area.all(), false)?;
        Mprotect.copy_anew(area)
    }

    fn shut(&self, area: &Area) -> io::Result<()> {
        for watched in &area.watched {
            watched.store(false, Ordering::Relaxed);
        }
        area.protect(&area.all(), false)
    }
}
