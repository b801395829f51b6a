//! The native stack of the calling thread: how much is left of it, and its memory given back.

use crate::{PAGE_BYTES, map, thread};
use std::cell::Cell;
use std::mem::MaybeUninit;

thread_local! {
    /// The lowest address of this thread's stack; 0: not asked yet.
    static LOWEST: Cell<usize> = const { Cell::new(0) };
}

/// Octets of the calling thread's stack that are certain to be there below the caller. None of a process's first thread:
/// its stack grows as long as nothing is in its way.
#[inline]
pub fn left() -> usize {
    let here = 0_u8;
    let here = (&raw const here).addr();
    let lowest = match LOWEST.get() {
        0 => find_lowest(),
        lowest => lowest,
    };
    here.saturating_sub(lowest)
}

/// Gives the memory of the calling thread's stack back to the kernel, but for what is in use and `kept` octets below it.
pub fn give_back(kept: usize) {
    let free = left().saturating_sub(kept);
    let lowest = LOWEST.get().next_multiple_of(PAGE_BYTES);
    let length = free.saturating_sub(PAGE_BYTES) / PAGE_BYTES * PAGE_BYTES;
    if length > 0 && kept >= PAGE_BYTES {
        // SAFETY: `left` has found that these pages are this thread's stack, a page and more below everything that is in
        // use; signals are handled on a stack of their own. What is written there later begins anew.
        // A kernel that refuses leaves the memory where it is.
        let _ = unsafe { map::discard(std::ptr::with_exposed_provenance_mut(lowest), length) };
    }
}

#[cold]
fn find_lowest() -> usize {
    let lowest = if thread::id() == std::process::id().cast_signed() { usize::MAX } else { lowest_of_thread() };
    LOWEST.set(lowest);
    lowest
}

/// `usize::MAX` if the system does not say.
fn lowest_of_thread() -> usize {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut lowest, mut bytes) = (std::ptr::null_mut(), 0);
    // SAFETY: the calling thread is alive; the attributes are filled before they are read, and destroyed once.
    let failed = unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return usize::MAX;
        }
        let failed = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut bytes);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        failed
    };
    if failed == 0 { lowest.addr() } else { usize::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    const STACK_BYTES: usize = 8 << 20;

    /// Uses this much stack.
    #[inline(never)]
    fn dive(bytes: usize) -> u8 {
        let room = black_box([1_u8; 16 << 10]);
        if bytes <= room.len() { room[0] } else { dive(bytes - room.len()).wrapping_add(room[bytes % room.len()]) }
    }

    fn resident_bytes() -> usize {
        let status = std::fs::read_to_string("/proc/self/statm").expect("the kernel tells");
        status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * PAGE_BYTES
    }

    fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).expect("a thread");
        thread.join().expect("it ends well")
    }

    #[test]
    fn a_thread_has_what_it_was_made_with() {
        let left = on_a_thread(left);
        assert!((STACK_BYTES - (256 << 10)..=STACK_BYTES).contains(&left), "{left}");
    }

    #[test]
    fn memory_of_a_deep_call_is_given_back() {
        let (before, deep, after) = on_a_thread(|| {
            let before = resident_bytes();
            black_box(dive(STACK_BYTES - (1 << 20)));
            let deep = resident_bytes();
            give_back(256 << 10);
            black_box(dive(1 << 20));
            (before, deep, resident_bytes())
        });
        // Other tests run beside this one.
        assert!(deep > before + (5 << 20) && after + (4 << 20) < deep, "{before} {deep} {after}");
    }
}
