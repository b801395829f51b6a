//! The address space of all linear memories: equal strides, each with its guard, handed out clean and recycled.
//!
//! ```text
//!  | guard | stride 0: 4 GiB memory, guard | stride 1 | ... | stride n-1 |
//! ```
//! A 32-bit index reaches at most 4 GiB beyond a stride's base, so compiled code needs no bounds checks and can never
//! touch a neighbour. There is one arena a process, and it lives as long as the process: the fault handler finds the
//! stride of an address by arithmetic, and never meets one that is being unmapped.

use crate::map::{self, Reservation};
use crate::slot::SlotState;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
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

/// What the fault handler knows about a stride. Never freed, so it may be read at any moment.
#[derive(Default)]
pub(crate) struct Stride {
    /// Thread that the stride's slot is lent to; 0: none.
    pub(crate) owner: AtomicI32,
    /// The slot's state. Valid while `owner` is not 0, seen from the owner.
    pub(crate) state: AtomicPtr<SlotState>,
}

/// All strides of the process.
pub struct Arena {
    space: Reservation,
    strides: Box<[Stride]>,
    /// Clean strides that have been used before, last in first out: their page tables are warm.
    free: Mutex<Vec<u32>>,
    /// Strides below this have been handed out before.
    fresh: AtomicU32,
    lost: AtomicU32,
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
        Arena { space, strides, free: Mutex::default(), fresh: AtomicU32::new(0), lost: AtomicU32::new(0) }
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

    fn take(&self) -> Option<u32> {
        if let Some(index) = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Some(index);
        }
        let count = self.strides.len() as u32;
        self.fresh.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| (next < count).then_some(next + 1)).ok()
    }

    fn give_back(&self, index: u32) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(index);
    }
}

struct Creator {
    arena: &'static Arena,
}

// SAFETY: memories come zero-filled, page-aligned and followed by at least `guard` inaccessible bytes behind their
// reservation (checked below against what the engine asks for); they never move, and belong to the engine until dropped.
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
                Ok(Box::new(StrideMemory::new(self.arena, minimum)?))
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
}

impl StrideMemory {
    fn new(arena: &'static Arena, bytes: usize) -> Result<StrideMemory, String> {
        let index = arena.take().ok_or_else(|| format!("all {} slots are taken", arena.strides()))?;
        let memory = StrideMemory { arena, index, bytes };
        // SAFETY: the stride was taken just now, so it is inaccessible and nobody refers to it.
        unsafe { map::protect(arena.base(index), bytes, true) }.map_err(|error| format!("memory: {error}"))?;
        Ok(memory)
    }
}

impl Drop for StrideMemory {
    fn drop(&mut self) {
        let stride = &self.arena.strides[self.index as usize];
        assert!(stride.state.load(Ordering::Relaxed).is_null(), "a slot ends before its stride");
        // SAFETY: the engine drops a memory when its store is gone, so nothing refers to it any more.
        match unsafe { map::clear(self.arena.base(self.index), self.bytes) } {
            Ok(()) => self.arena.give_back(self.index),
            // What is not known to be clean is never handed out again.
            Err(_) => drop(self.arena.lost.fetch_add(1, Ordering::Relaxed)),
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
