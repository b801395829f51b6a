//! What the kernel says about the pages of a slot: which are the slot's own, that is, neither the image's nor zero.

use crate::PAGE_BYTES;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, pread};
use rustix::ioctl;
use std::io;
use std::mem::size_of;
use std::sync::OnceLock;

const WRITTEN: u64 = 1 << 1;
const FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;
const ZERO: u64 = 1 << 5;

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Default)]
struct ScanRequest {
    bytes: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: u64,
    regions_max: u64,
    pages_max: u64,
    inverted: u64,
    all_of: u64,
    any_of: u64,
    returned: u64,
}

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

type ScanCall<'a> = ioctl::Updater<'a, { ioctl::opcode::read_write::<ScanRequest>(b'f', 16) }, ScanRequest>;

/// The first of the slot's own pages that `expected` does not know.
///
/// # Errors
/// The kernel does not tell (no `/proc`).
pub(crate) fn own_pages(base: usize, pages: u32, expected: impl Fn(u32) -> bool) -> io::Result<Option<u32>> {
    let map = pagemap()?;
    match scan(map, base, pages, &expected) {
        // `PAGEMAP_SCAN` is there since 6.7.
        Err(Errno::NOTTY | Errno::INVAL) => read(map, base, pages, &expected),
        found => found,
    }
    .map_err(io::Error::from)
}

fn pagemap() -> io::Result<&'static OwnedFd> {
    static MAP: OnceLock<Result<OwnedFd, Errno>> = OnceLock::new();
    let opened = MAP.get_or_init(|| open("/proc/self/pagemap", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()));
    opened.as_ref().map_err(|error| (*error).into())
}

/// Asks for ranges of private pages that hold something.
fn scan(map: &OwnedFd, base: usize, pages: u32, expected: &impl Fn(u32) -> bool) -> Result<Option<u32>, Errno> {
    let end = (base + pages as usize * PAGE_BYTES) as u64;
    let mut start = base as u64;
    while start < end {
        let mut regions = [Region::default(); 64];
        let mut request = ScanRequest {
            bytes: size_of::<ScanRequest>() as u64,
            start,
            end,
            regions: regions.as_mut_ptr() as u64,
            regions_max: regions.len() as u64,
            inverted: FILE | ZERO,
            all_of: FILE | ZERO,
            any_of: PRESENT | SWAPPED,
            returned: PRESENT | SWAPPED | WRITTEN,
            ..ScanRequest::default()
        };
        // SAFETY: number and structure are those of `PAGEMAP_SCAN`; `regions` is as long as it says and outlives the call.
        // The flags are empty, so nothing but the answer is written.
        unsafe { ioctl::ioctl(map, ScanCall::new(&mut request))? };
        for region in regions.iter().take_while(|region| region.end > 0).filter(|region| is_own(region.categories)) {
            let page = |address: u64| ((address - base as u64) / PAGE_BYTES as u64) as u32;
            if let Some(page) = (page(region.start)..page(region.end)).find(|page| !expected(*page)) {
                return Ok(Some(page));
            }
        }
        start = request.walk_end.max(start + PAGE_BYTES as u64);
    }
    Ok(None)
}

/// A mark of userfaultfd on a page that nobody has touched looks like a swapped page that is protected.
fn is_own(categories: u64) -> bool {
    categories & PRESENT != 0 || categories & WRITTEN != 0
}

/// The same from the page map itself, which does not tell zero pages: `expected` looks at those.
fn read(map: &OwnedFd, base: usize, pages: u32, expected: &impl Fn(u32) -> bool) -> Result<Option<u32>, Errno> {
    const FILE_OR_SHARED: u64 = 1 << 61;
    const PRESENT: u64 = 1 << 63;
    let mut entries = vec![0; pages as usize * 8];
    let offset = (base / PAGE_BYTES * 8) as u64;
    let mut filled = 0;
    while filled < entries.len() {
        match pread(map, &mut entries[filled..], offset + filled as u64)? {
            0 => return Err(Errno::IO),
            read => filled += read,
        }
    }
    let own = |entry: &[u8]| {
        let entry = u64::from_ne_bytes(entry.try_into().expect("entries have eight octets"));
        entry & PRESENT != 0 && entry & FILE_OR_SHARED == 0
    };
    let own = entries.chunks_exact(8).enumerate().filter(|(_, entry)| own(entry)).map(|(page, _)| page as u32);
    Ok(own.into_iter().find(|page| !expected(*page)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::SealedImage;
    use crate::map::{self, Reservation};

    #[test]
    fn both_ways_of_asking_find_the_page_that_is_the_slots_own() {
        const PAGES: u32 = 300;
        let space = Reservation::new(PAGES as usize * PAGE_BYTES).expect("address space");
        let content = [7; PAGE_BYTES];
        let image = SealedImage::new(space.bytes(), [(3, &content[..]), (4, &content[..])].into_iter());
        let image = image.expect("memory files work here");
        // SAFETY: the reservation is ours alone, and nothing refers to it yet.
        unsafe {
            image.map_at(space.base()).expect("it can be mapped");
            map::protect(space.base(), space.bytes(), true).expect("it can be opened");
        }
        let at = |page: usize| space.base().wrapping_add(page * PAGE_BYTES);
        // SAFETY: the pages are mapped and readable.
        let sum: u32 = (0..200).map(|page| u32::from(unsafe { at(page).read_volatile() })).sum();
        assert_eq!(sum, 14, "reading makes no page the slot's own, nor do zero pages count");
        let asked = |expected: &dyn Fn(u32) -> bool| {
            let (map, base) = (pagemap().expect("the kernel tells"), space.base() as usize);
            // The page map itself does not tell zero pages from others.
            let zero = |page: u32| page < 200 && !matches!(page, 3 | 4);
            let read = read(map, base, PAGES, &|page| expected(page) || zero(page)).expect("it can be read");
            match scan(map, base, PAGES, &expected) {
                Ok(scanned) => assert_eq!(scanned, read),
                Err(error) => assert!(matches!(error, Errno::NOTTY | Errno::INVAL), "{error}"),
            }
            read
        };
        assert_eq!(asked(&|_| false), None);
        for page in [4, 250, 299] {
            // SAFETY: the page is mapped and writable, and nobody refers to it.
            unsafe { at(page).write_volatile(1) };
            assert_eq!(asked(&|own| own != page as u32), Some(page as u32));
            assert_eq!(asked(&|own| matches!(own, 4 | 250 | 299)), None);
        }
    }
}
