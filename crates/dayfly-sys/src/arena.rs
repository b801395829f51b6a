//! The address space of all linear memories: equal strides, each with its guard, handed out clean and recycled.
//!
//! ```text
//!  | guard | stride 0: 4 GiB memory, guard | stride 1 | ... | stride n-1 |
//! ```
//! A 32-bit index reaches at most 4 GiB beyond a stride's base, so compiled code needs no bounds checks and can never
//! touch a neighbour. There is one arena a process, and it lives as long as the process: the fault handler finds the
//! stride of an address by arithmetic, and never meets one that is being unmapped.

use crate::image::SealedImage;
use crate::map::{self, Reservation};
use crate::protect::Protection;
use crate::slot::SlotState;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// Address space that a 32-bit index can reach.
pub const MEMORY_RESERVATION_BYTES: usize = 4 << 30;
/// Inaccessible bytes behind it: a load's constant offset below this needs no check of its own.
pub const GUARD_BYTES: usize = 32 << 20;
/// Reservation of an engine's garbage-collected heap (exceptions live there), which is also its limit.
pub const GC_HEAP_BYTES_MAX: usize = 1 << 20;
/// Inaccessible bytes behind a garbage-collected heap.
pub const GC_HEAP_GUARD_BYTES: usize = 64 << 10;

const STRIDE_BYTES: usize = MEMORY_RESERVATION_BYTES + GUARD_BYTES;
/// Strides to start with; halved while the system refuses (an address space limit, for instance).
const STRIDES: usize = 4096;
/// Fewer than this are not worth starting with.
const STRIDES_MIN: usize = 16;
/// Strides kept with their image mapped: a release whose slot has ended (a trap, say) soon needs another one, and mapping
/// costs as much as all the rest of making it.
const PARKED_MAX: usize = 32;

/// What the fault handler knows about a stride. Never freed, so it may be read at any moment.
#[derive(Default)]
pub(crate) struct Stride {
    /// Thread that the stride's slot is lent to; 0: none.
    pub(crate) owner: AtomicI32,
    /// The slot's state. Valid while `owner` is not 0, seen from the owner.
    pub(crate) state: AtomicPtr<SlotState>,
    /// The slot that has ended left the memory closed and equal to its image.
    pub(crate) closed: AtomicBool,
}

/// What an instance about to be made will run over.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) image: Arc<SealedImage>,
    pub(crate) protection: Protection,
}

thread_local! {
    static WANTED: RefCell<Option<Wanted>> = const { RefCell::new(None) };
}

/// Runs `instantiate`; the linear memory made meanwhile on this thread has `wanted.image` mapped, readable only.
pub(crate) fn with_image<R>(wanted: Wanted, instantiate: impl FnOnce() -> R) -> R {
    WANTED.set(Some(wanted));
    let result = instantiate();
    WANTED.set(None);
    result
}

/// A stride without a slot, with an image mapped and closed.
struct Parked {
    index: u32,
    image: Weak<SealedImage>,
    protection: Protection,
}

/// All strides of the process.
pub struct Arena {
    space: Reservation,
    strides: Box<[Stride]>,
    /// Clean strides that have been used before, last in first out: their page tables are warm.
    free: Mutex<Vec<u32>>,
    /// Strides that still have an image, the oldest first.
    parked: Mutex<Vec<Parked>>,
    /// Strides below this have been handed out before.
    fresh: AtomicU32,
    lost: AtomicU32,
    /// The process that reserved it.
    process: u32,
}

static ARENA: OnceLock<Result<Arena, rustix::io::Errno>> = OnceLock::new();

impl Arena {
    /// The process's arena, reserved at the first call.
    ///
    /// # Errors
    /// The system refuses even a small reservation (an address space limit).
    pub fn get() -> std::io::Result<&'static Arena> {
        ARENA.get_or_init(Arena::reserve).as_ref().map_err(|error| (*error).into())
    }

    /// The arena if there is one already. Async-signal-safe.
    pub(crate) fn existing() -> Option<&'static Arena> {
        ARENA.get().and_then(|arena| arena.as_ref().ok())
    }

    fn reserve() -> Result<Arena, rustix::io::Errno> {
        let mut count = STRIDES;
        loop {
            match Reservation::new(GUARD_BYTES + count * STRIDE_BYTES) {
                Ok(space) => return Ok(Arena::over(space, count)),
                Err(error) if count <= STRIDES_MIN => return Err(error),
                Err(_) => count /= 2,
            }
        }
    }

    fn over(space: Reservation, count: usize) -> Arena {
        let strides = std::iter::repeat_with(Stride::default).take(count).collect();
        let (free, parked) = (Mutex::default(), Mutex::default());
        Arena {
            space,
            strides,
            free,
            parked,
            fresh: AtomicU32::new(0),
            lost: AtomicU32::new(0),
            process: std::process::id(),
        }
    }

    /// Whether this process made the arena, and not one that it was forked from.
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    /// Number of strides: the most slots a process can have at a time.
    pub fn strides(&self) -> usize {
        self.strides.len()
    }

    /// Strides that could not be cleaned and are never used again. Not 0: the system is out of memory or mappings.
    pub fn strides_lost(&self) -> u32 {
        self.lost.load(Ordering::Relaxed)
    }

    /// The engine's way to memory: linear memories from the arena, garbage-collected heaps beside it.
    pub fn creator(&'static self) -> Arc<dyn MemoryCreator> {
        Arc::new(Creator { arena: self })
    }

    /// The stride that `address` lies in. Async-signal-safe.
    pub(crate) fn stride_at(&self, address: usize) -> Option<(&Stride, usize)> {
        let offset = address.checked_sub(self.space.base() as usize + GUARD_BYTES)?;
        Some((self.strides.get(offset / STRIDE_BYTES)?, offset % STRIDE_BYTES))
    }

    fn base(&self, index: u32) -> *mut u8 {
        let offset = GUARD_BYTES + index as usize * STRIDE_BYTES;
        assert!(offset < self.space.bytes(), "stride {index} lies in the arena");
        self.space.base().wrapping_add(offset)
    }

    /// A stride with nothing in it.
    fn take_empty(&self) -> Option<u32> {
        if let Some(index) = lock(&self.free).pop() {
            return Some(index);
        }
        let count = self.strides.len() as u32;
        let next = |next| (next < count).then_some(next + 1);
        let fresh = self.fresh.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok();
        fresh.or_else(|| {
            let mut parked = lock(&self.parked);
            let oldest = (!parked.is_empty()).then(|| parked.remove(0));
            drop(parked);
            self.empty(oldest?.index);
            lock(&self.free).pop()
        })
    }

    /// A stride that still has what is wanted.
    fn take_parked(&self, wanted: &Wanted) -> Option<u32> {
        let mut parked = lock(&self.parked);
        let fits = |parked: &Parked| {
            parked.protection == wanted.protection && parked.image.as_ptr() == Arc::as_ptr(&wanted.image)
        };
        let position = parked.iter().rposition(fits)?;
        Some(parked.remove(position).index)
    }

    fn park(&self, stride: Parked) {
        let mut parked = lock(&self.parked);
        parked.push(stride);
        let oldest = (parked.len() > PARKED_MAX).then(|| parked.remove(0));
        drop(parked);
        if let Some(oldest) = oldest {
            self.empty(oldest.index);
        }
    }

    /// Takes parked strides off images that are gone: their pages are only free when nothing maps them.
    pub(crate) fn forget_dead_images(&self) {
        let mut parked = lock(&self.parked);
        let dead: Vec<Parked> = parked.extract_if(.., |parked| parked.image.strong_count() == 0).collect();
        drop(parked);
        for stride in dead {
            self.empty(stride.index);
        }
    }

    /// Unmaps all that a stride of nobody holds, and gives it back.
    fn empty(&self, index: u32) {
        // SAFETY: the stride was taken out of every list and has no memory of the engine's, so nothing refers to it.
        match unsafe { map::clear(self.base(index), MEMORY_RESERVATION_BYTES) } {
            Ok(()) => lock(&self.free).push(index),
            // What is not known to be clean is never handed out again.
            Err(_) => drop(self.lost.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Creator {
    arena: &'static Arena,
}

// SAFETY: memories are page-aligned and followed by at least `guard` inaccessible bytes behind their reservation (checked
// below against what the engine asks for); they never move, and belong to the engine until dropped. A linear memory is
// not zero but holds the image that `Guest` asked for, and cannot be written until `Guest` has made a slot of it; the
// engine does neither notice nor mind, because programs have no data segments left to be copied.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _type: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        match reserved {
            Some(GC_HEAP_BYTES_MAX) if guard <= GC_HEAP_GUARD_BYTES => Ok(Box::new(GcHeap::new(minimum)?)),
            Some(MEMORY_RESERVATION_BYTES) if guard <= GUARD_BYTES && maximum == Some(minimum) => {
                let wanted = WANTED.take().ok_or("a guest has one memory, and only guests have any")?;
                Ok(Box::new(StrideMemory::new(self.arena, &wanted, minimum)?))
            }
            _ => Err(format!("no such memory: {minimum}..{maximum:?} bytes, reserved {reserved:?}, guard {guard}")),
        }
    }
}

/// A linear memory: the first bytes of a stride. Its size is fixed; growth happens inside it, by the program's own count.
struct StrideMemory {
    arena: &'static Arena,
    index: u32,
    bytes: usize,
    image: Weak<SealedImage>,
    protection: Protection,
}

impl StrideMemory {
    fn new(arena: &'static Arena, wanted: &Wanted, bytes: usize) -> Result<StrideMemory, String> {
        if wanted.image.bytes() != bytes {
            return Err(format!("the memory has {bytes} bytes, its image {}", wanted.image.bytes()));
        }
        let (image, protection) = (Arc::downgrade(&wanted.image), wanted.protection);
        if let Some(index) = arena.take_parked(wanted) {
            return Ok(StrideMemory { arena, index, bytes, image, protection });
        }
        let index = arena.take_empty().ok_or_else(|| format!("all {} slots are taken", arena.strides()))?;
        let memory = StrideMemory { arena, index, bytes, image, protection };
        // SAFETY: the stride was taken just now, so nobody refers to it.
        unsafe { wanted.image.map_at(arena.base(index)) }.map_err(|error| format!("memory: {error}"))?;
        protection.arm(arena.base(index), bytes).map_err(|error| format!("memory: {error}"))?;
        Ok(memory)
    }
}

impl Drop for StrideMemory {
    fn drop(&mut self) {
        let stride = &self.arena.strides[self.index as usize];
        assert!(stride.state.load(Ordering::Relaxed).is_null(), "a slot ends before its stride");
        if stride.closed.swap(false, Ordering::Relaxed) && self.image.strong_count() > 0 {
            let (index, image, protection) = (self.index, std::mem::take(&mut self.image), self.protection);
            self.arena.park(Parked { index, image, protection });
        } else {
            self.arena.empty(self.index);
        }
    }
}

// SAFETY: the address never changes and the first `bytes` bytes are accessible as long as the value lives.
unsafe impl LinearMemory for StrideMemory {
    fn byte_size(&self) -> usize {
        self.bytes
    }

    fn byte_capacity(&self) -> usize {
        self.bytes
    }

    fn grow_to(&mut self, bytes: usize) -> wasmtime::Result<()> {
        wasmtime::bail!("a memory of {} bytes has a fixed size, {bytes} wanted", self.bytes)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.arena.base(self.index)
    }
}

/// The engine's heap for exception objects: small, bounded, of its own mapping.
struct GcHeap {
    space: Reservation,
    bytes: usize,
}

impl GcHeap {
    fn new(bytes: usize) -> Result<GcHeap, String> {
        let space = Reservation::new(GC_HEAP_BYTES_MAX + GC_HEAP_GUARD_BYTES).map_err(|error| error.to_string())?;
        let mut heap = GcHeap { space, bytes: 0 };
        heap.grow_to(bytes).map_err(|error| error.to_string())?;
        Ok(heap)
    }
}

// SAFETY: the address never changes and the first `bytes` bytes are accessible as long as the value lives.
unsafe impl LinearMemory for GcHeap {
    fn byte_size(&self) -> usize {
        self.bytes
    }

    fn byte_capacity(&self) -> usize {
        GC_HEAP_BYTES_MAX
    }

    fn grow_to(&mut self, bytes: usize) -> wasmtime::Result<()> {
        wasmtime::ensure!(bytes <= GC_HEAP_BYTES_MAX, "the exception heap is limited to {GC_HEAP_BYTES_MAX} bytes");
        if bytes > self.bytes {
            // SAFETY: the range is this heap's own; rights are only added.
            unsafe { map::protect(self.space.base(), bytes, true)? };
            self.bytes = bytes;
        }
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.space.base()
    }
}
