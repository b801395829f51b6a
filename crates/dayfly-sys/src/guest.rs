//! A store, its memory and the slot over it as one value, so that borrowing keeps them apart.
//!
//! The engine takes its memory for its own; the slot maps, protects and restores the same octets. Both are sound
//! together because a [`Guest`] owns both: whoever looks at the memory borrows the guest, and restoring it or running
//! its program takes the guest exclusively.

use crate::PAGE_BYTES;
use crate::arena::{self, Arena, Wanted};
use crate::fault;
use crate::image::SealedImage;
use crate::pagemap;
use crate::protect::Protection;
use crate::slot::{QUICK_HOT_SET, Slot};
use std::io;
use std::sync::Arc;
use wasmtime::{Instance, InstancePre, Memory, Store, StoreContextMut};

/// A program's instance over an image.
///
/// Fields in this order: the slot must end before the store gives the stride back.
pub struct Guest<T: 'static> {
    slot: Slot,
    memory: Memory,
    store: Store<T>,
}

/// What a check of a guest's memory against its image found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The kernel reports a page of the slot's own that is not in the hot set.
    Untracked {
        /// The page's number.
        page: u32,
    },
    /// An octet differs from the image.
    Octet {
        /// Its offset in the memory.
        offset: usize,
    },
}

impl<T: 'static> Guest<T> {
    /// Makes an instance over `image`; its memory is exported as `memory`.
    ///
    /// # Errors
    /// The engine's, or those of the system: no mappings are left, or the protection is not to be had.
    ///
    /// # Panics
    /// If the engine does not have the arena's memory creator.
    pub fn new(
        mut store: Store<T>,
        program: &InstancePre<T>,
        memory: &str,
        image: &Arc<SealedImage>,
        protection: Protection,
    ) -> wasmtime::Result<(Guest<T>, Instance)> {
        let protection = protection.resolve()?;
        // In a child of `fork` the marks of userfaultfd are gone, and nobody would notice what a program writes.
        wasmtime::ensure!(Arena::get()?.is_of_this_process(), "a child of `fork` cannot run guests");
        fault::ensure_on_top()?;
        let wanted = Wanted { image: Arc::clone(image), protection };
        let instance = arena::with_image(wanted, || program.instantiate(&mut store))?;
        let memory = instance.get_memory(&mut store, memory);
        let memory = memory.ok_or_else(|| wasmtime::format_err!("the program exports no memory"))?;
        // SAFETY: the memory is the one that `with_image` had made: it has the image mapped and closed. It belongs to
        // `store`, which this value owns and never gives away, so nobody else refers to it. The slot is dropped before
        // the store (order of the fields), and the store's end recycles the stride.
        let slot = unsafe { Slot::new(memory.data_ptr(&store), image, protection.implementation()?)? };
        Ok((Guest { slot, memory, store }, instance))
    }

    /// The store's data.
    #[inline]
    pub fn data(&self) -> &T {
        self.store.data()
    }

    /// The store's data.
    #[inline]
    pub fn data_mut(&mut self) -> &mut T {
        self.store.data_mut()
    }

    /// The store, for everything but running the program: a write to a closed page is fatal here.
    #[inline]
    pub fn context(&mut self) -> StoreContextMut<'_, T> {
        (&mut self.store).into()
    }

    /// The whole memory.
    #[inline]
    pub fn memory(&self) -> &[u8] {
        self.memory.data(&self.store)
    }

    /// Lends the guest to the calling thread, which may run the program and write to the memory meanwhile.
    #[inline]
    pub fn lend(&mut self) -> Lent<'_, T> {
        self.slot.lend();
        Lent { guest: self }
    }

    /// Makes the memory equal to the image again. `false`: it cannot be told what was written; drop the guest.
    #[must_use]
    #[inline]
    pub fn restore(&mut self) -> bool {
        self.slot.restore()
    }

    /// Opens pages that the program is expected to write to: each saves the signal of a first write.
    ///
    /// # Errors
    /// The system refuses; drop the guest.
    pub fn expect_writes(&mut self, pages: impl Iterator<Item = u32>) -> io::Result<()> {
        let pages_max = self.slot.image().pages();
        pages.filter(|page| *page < pages_max).try_for_each(|page| self.slot.open(page..page + 1))
    }

    /// Pages restored after each request.
    #[inline]
    pub fn hot_pages(&self) -> usize {
        self.slot.hot_pages()
    }

    /// Their numbers, in no order.
    pub fn hot(&self) -> impl Iterator<Item = u32> + '_ {
        self.slot.hot()
    }

    /// The pages that differ from the image, in ascending order: of those written to, not of the whole memory.
    pub fn changed_pages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let image = self.slot.image();
        let mut written: Vec<u32> =
            if self.slot.is_tracked() { self.slot.hot().collect() } else { (0..image.pages()).collect() };
        written.sort_unstable();
        let pages = written.into_iter().map(|page| (page, &self.memory()[page as usize * PAGE_BYTES..][..PAGE_BYTES]));
        pages.filter(|(page, now)| now != image.octets(*page))
    }

    /// The image that the guest runs over.
    pub fn image(&self) -> &Arc<SealedImage> {
        self.slot.image()
    }

    /// Pages that the slot may have for itself: the hot ones, and copies of scattered pages.
    pub fn own_pages(&self) -> usize {
        self.slot.hot_pages() + self.slot.image().copied().len()
    }

    /// Whether the hot set is small enough to be restored on an I/O thread.
    #[inline]
    pub fn restores_quickly(&self) -> bool {
        self.slot.hot_pages() <= QUICK_HOT_SET
    }

    /// Size of the engine's own heap for this guest's exceptions; 0: it has thrown none.
    #[inline]
    pub fn gc_heap_bytes(&self) -> usize {
        self.store.gc_heap_capacity()
    }

    /// First writes since the last call.
    pub fn take_faults(&mut self) -> u32 {
        self.slot.take_faults()
    }

    /// Upper bound on the mappings that the slot holds.
    pub fn mappings_max(&self) -> usize {
        let isolated = match self.slot.protection().kind() {
            Protection::Userfault => self.slot.hot_pages().min(self.slot.image().pieces()),
            _ => self.slot.hot_pages(),
        };
        // The engine's heap for exceptions, once there is one, has a part that is used and one that is not.
        let heap = if self.gc_heap_bytes() > 0 { 2 } else { 0 };
        self.slot.image().mappings() + heap + 2 * isolated
    }

    /// Checks a restored memory by what the kernel knows: the slot's own pages are in the hot set or copies, and those equal
    /// the image. Every other page is the image's.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn check_own_pages(&self) -> io::Result<Option<Difference>> {
        let base = self.memory().as_ptr() as usize;
        let mut hot: Vec<u32> = self.slot.hot().chain(self.slot.image().copied().iter().copied()).collect();
        hot.sort_unstable();
        hot.dedup();
        let found = pagemap::own_pages(base, self.slot.image().pages(), |page| {
            hot.binary_search(&page).is_ok() || (self.slot.image().is_zero(page) && self.is_zero(page))
        })?;
        if let Some(page) = found {
            return Ok(Some(Difference::Untracked { page }));
        }
        Ok(self.first_difference(hot.into_iter()))
    }

    fn is_zero(&self, page: u32) -> bool {
        let start = page as usize * PAGE_BYTES;
        self.memory()[start..start + PAGE_BYTES].iter().all(|byte| *byte == 0)
    }

    /// Checks the whole memory, octet by octet.
    pub fn check_all(&self) -> Option<Difference> {
        self.first_difference(0..self.slot.image().pages())
    }

    fn first_difference(&self, mut pages: impl Iterator<Item = u32>) -> Option<Difference> {
        pages.find_map(|page| {
            let start = page as usize * PAGE_BYTES;
            let (now, then) = (&self.memory()[start..start + PAGE_BYTES], &self.slot.image().page(page).0);
            let octet = (now != then).then(|| now.iter().zip(then).position(|(now, then)| now != then))??;
            Some(Difference::Octet { offset: start + octet })
        })
    }
}

/// A guest lent to the thread that made this value: the program may run.
pub struct Lent<'g, T: 'static> {
    guest: &'g mut Guest<T>,
}

impl<T: 'static> Lent<'_, T> {
    /// The store, to run the program in.
    #[inline]
    pub fn context(&mut self) -> StoreContextMut<'_, T> {
        (&mut self.guest.store).into()
    }

    /// The store's data and the whole memory; writes are noticed like the program's own.
    #[inline]
    pub fn memory_mut(&mut self) -> (&mut [u8], &mut T) {
        self.guest.memory.data_and_store_mut(&mut self.guest.store)
    }
}

impl<T: 'static> Drop for Lent<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.guest.slot.take_back();
    }
}

/// Number of slots that can exist at a time in this process.
///
/// # Errors
/// The system refuses the address space.
pub fn slots_max() -> io::Result<usize> {
    Ok(Arena::get()?.strides())
}
