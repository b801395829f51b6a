//! Putting pages back, with the widest loads and stores of the CPU.
//!
//! A plain copy of a warm page is bound by the store port: 32 octets a cycle, 36 ns (43 ns by `memcpy`). Comparing is bound
//! by the load ports and takes as long. Copying two cells of three and comparing the third keeps both busy: 27 ns. A page
//! that is zero in the image needs no source: one cell of four is stored, three are looked at together: 16 ns. Beyond some
//! ten pages all of this waits for the second-level cache: 70 ns a page, 35 ns if it is zero in the image.

use crate::PAGE_BYTES;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A page, with the alignment that wide loads and stores rely on.
#[repr(C, align(4096))]
pub(crate) struct Page(pub(crate) [u8; PAGE_BYTES]);

/// How a page is put back. Each function leaves `page` equal to its source.
#[derive(Clone, Copy)]
pub(crate) struct Copier {
    /// Restores a page.
    pub(crate) restore: unsafe fn(page: *mut Page, source: *const Page),
    /// Restores a page that is zero in the image.
    pub(crate) clear: unsafe fn(page: *mut Page),
    /// Restores a page and tells whether it had changed. Writes only what differs.
    pub(crate) compare: unsafe fn(page: *mut Page, source: *const Page) -> bool,
}

impl Copier {
    /// The fastest copier for this CPU.
    pub(crate) fn get() -> Copier {
        static CHOICE: OnceLock<Copier> = OnceLock::new();
        *CHOICE.get_or_init(Copier::choose)
    }

    /// All copiers that this CPU can run, the plain one first.
    pub(crate) fn available() -> Vec<Copier> {
        let mut found = vec![PLAIN];
        if is_x86_feature_detected!("avx2") {
            found.push(avx2::COPIER);
        }
        if is_x86_feature_detected!("avx512f") {
            found.push(avx512::COPIER);
        }
        found
    }

    /// By trying: some CPUs store 64 octets at a time, others split them, and no flag tells which.
    fn choose() -> Copier {
        let timed = Copier::available().into_iter().map(|copier| (copier.trial(), copier));
        timed.min_by_key(|(time, _)| *time).expect("the plain copier always works").1
    }

    fn trial(&self) -> Duration {
        let source = Box::new([const { Page([1; PAGE_BYTES]) }; 2]);
        let mut pages = Box::new([const { Page([1; PAGE_BYTES]) }; 2]);
        let round = |pages: &mut [Page; 2]| {
            let start = Instant::now();
            for _ in 0..100 {
                for (page, source) in pages.iter_mut().zip(source.iter()) {
                    // SAFETY: both are whole, aligned pages, and the CPU has what this copier needs.
                    unsafe { (self.restore)(std::hint::black_box(page), source) };
                }
            }
            start.elapsed()
        };
        (0..8).map(|_| round(&mut pages)).min().expect("there are rounds")
    }
}

const PLAIN: Copier = Copier { restore: plain_restore, clear: plain_clear, compare: plain_compare };

/// # Safety
/// Both are valid pages of their own.
unsafe fn plain_restore(page: *mut Page, source: *const Page) {
    // SAFETY: the caller says so.
    unsafe { page.copy_from_nonoverlapping(source, 1) }
}

/// # Safety
/// `page` is valid.
unsafe fn plain_clear(page: *mut Page) {
    // SAFETY: the caller says so.
    unsafe { page.write_bytes(0, 1) }
}

/// # Safety
/// Both are valid pages of their own.
unsafe fn plain_compare(page: *mut Page, source: *const Page) -> bool {
    // SAFETY: the caller says so.
    unsafe {
        let changed = (*page).0 != (*source).0;
        if changed {
            plain_restore(page, source);
        }
        changed
    }
}

/// The same three functions for one width. A cell is 64 octets, a cache line.
macro_rules! wide {
    ($module:ident, $feature:literal, $cell:ty, $load:item, $store:item, $differs:item, $either:item, $zero:item) => {
        mod $module {
            use super::{Copier, PAGE_BYTES, Page};
            use std::arch::x86_64::*;

            pub(super) const COPIER: Copier = Copier { restore, clear, compare };
            const CELLS: usize = PAGE_BYTES / 64;

            #[inline]
            #[target_feature(enable = $feature)]
            $load
            #[inline]
            #[target_feature(enable = $feature)]
            $store
            #[inline]
            #[target_feature(enable = $feature)]
            $differs
            #[inline]
            #[target_feature(enable = $feature)]
            $either
            #[inline]
            #[target_feature(enable = $feature)]
            $zero

            /// # Safety
            /// Both are valid pages of their own.
            #[target_feature(enable = $feature)]
            unsafe fn restore(page: *mut Page, source: *const Page) {
                let (page, source) = (page.cast::<$cell>(), source.cast::<$cell>());
                // SAFETY: cells 0..CELLS lie in the pages, and pages are aligned for any cell.
                unsafe {
                    let mut cell = 0;
                    while cell + 3 <= CELLS {
                        store(page.add(cell), load(source.add(cell)));
                        store(page.add(cell + 1), load(source.add(cell + 1)));
                        let wanted = load(source.add(cell + 2));
                        if differs(wanted, load(page.add(cell + 2))) {
                            store(page.add(cell + 2), wanted);
                        }
                        cell += 3;
                    }
                    while cell < CELLS {
                        store(page.add(cell), load(source.add(cell)));
                        cell += 1;
                    }
                }
            }

            /// # Safety
            /// `page` is valid.
            #[target_feature(enable = $feature)]
            unsafe fn clear(page: *mut Page) {
                let page = page.cast::<$cell>();
                let zero = zero();
                // SAFETY: cells 0..CELLS lie in the page, and pages are aligned for any cell.
                unsafe {
                    let mut cell = 0;
                    while cell < CELLS {
                        store(page.add(cell), zero);
                        let tested = either(load(page.add(cell + 1)), load(page.add(cell + 2)));
                        if differs(zero, either(tested, load(page.add(cell + 3)))) {
                            for changed in cell + 1..cell + 4 {
                                store(page.add(changed), zero);
                            }
                        }
                        cell += 4;
                    }
                }
            }

            /// # Safety
            /// Both are valid pages of their own.
            #[target_feature(enable = $feature)]
            unsafe fn compare(page: *mut Page, source: *const Page) -> bool {
                let (page, source) = (page.cast::<$cell>(), source.cast::<$cell>());
                let mut changed = false;
                for cell in 0..CELLS {
                    // SAFETY: the cell lies in the pages, and pages are aligned for any cell.
                    unsafe {
                        let wanted = load(source.add(cell));
                        if differs(wanted, load(page.add(cell))) {
                            store(page.add(cell), wanted);
                            changed = true;
                        }
                    }
                }
                changed
            }
        }
    };
}

wide!(
    avx2,
    "avx2",
    [__m256i; 2],
    unsafe fn load(at: *const [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: the caller passes an aligned, readable cell.
        unsafe { [_mm256_load_si256(at.cast()), _mm256_load_si256(at.cast::<__m256i>().add(1))] }
    },
    unsafe fn store(at: *mut [__m256i; 2], cell: [__m256i; 2]) {
        // SAFETY: the caller passes an aligned, writable cell.
        unsafe {
            _mm256_store_si256(at.cast(), cell[0]);
            _mm256_store_si256(at.cast::<__m256i>().add(1), cell[1]);
        }
    },
    fn differs(a: [__m256i; 2], b: [__m256i; 2]) -> bool {
        let bits = _mm256_or_si256(_mm256_xor_si256(a[0], b[0]), _mm256_xor_si256(a[1], b[1]));
        _mm256_testz_si256(bits, bits) == 0
    },
    fn either(a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])]
    },
    fn zero() -> [__m256i; 2] {
        [_mm256_setzero_si256(); 2]
    }
);

wide!(
    avx512,
    "avx512f",
    __m512i,
    unsafe fn load(at: *const __m512i) -> __m512i {
        // SAFETY: the caller passes an aligned, readable cell.
        unsafe { _mm512_load_si512(at) }
    },
    unsafe fn store(at: *mut __m512i, cell: __m512i) {
        // SAFETY: the caller passes an aligned, writable cell.
        unsafe { _mm512_store_si512(at, cell) }
    },
    fn differs(a: __m512i, b: __m512i) -> bool {
        _mm512_cmpneq_epi64_mask(a, b) != 0
    },
    fn either(a: __m512i, b: __m512i) -> __m512i {
        _mm512_or_si512(a, b)
    },
    fn zero() -> __m512i {
        _mm512_setzero_si512()
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    /// A page that differs from `source` in the octets at `changed`.
    fn changed_page(source: &Page, changed: &[usize]) -> Box<Page> {
        let mut page = Box::new(Page(source.0));
        for at in changed {
            page.0[*at] ^= 0x80;
        }
        page
    }

    #[test]
    fn every_copier_restores_every_octet() {
        let mut source = Box::new(Page([0; PAGE_BYTES]));
        for (at, byte) in source.0.iter_mut().enumerate() {
            *byte = (at * 7 + at / 256) as u8;
        }
        let zero = Box::new(Page([0; PAGE_BYTES]));
        for (number, copier) in Copier::available().into_iter().enumerate() {
            for at in 0..PAGE_BYTES {
                // SAFETY: whole, aligned pages; the CPU has what an available copier needs.
                unsafe {
                    let mut page = changed_page(&source, &[at, PAGE_BYTES - 1 - at]);
                    (copier.restore)(&raw mut *page, &raw const *source);
                    assert!(page.0 == source.0, "restore, copier {number}, octet {at}");

                    let mut page = changed_page(&zero, &[at]);
                    (copier.clear)(&raw mut *page);
                    assert!(page.0 == zero.0, "clear, copier {number}, octet {at}");

                    let mut page = changed_page(&source, &[at]);
                    assert!((copier.compare)(&raw mut *page, &raw const *source), "octet {at} changed");
                    assert!(page.0 == source.0, "compare, copier {number}, octet {at}");
                    assert!(!(copier.compare)(&raw mut *page, &raw const *source), "nothing changed since");
                }
            }
        }
    }
}
