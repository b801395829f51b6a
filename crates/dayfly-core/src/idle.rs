//! Threads that wait for work, and waking one of them without a lock.
//!
//! A waker on an I/O thread must never wait for a thread of low priority, so the set of waiting threads is one word:
//! taking a bit out of it decides who wakes whom, and `unpark` is one system call. The order that loses no wake-up:
//! the waker publishes the work and then looks at the word; the waiter sets its bit and then looks for work.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::thread::{self, Thread};

/// Most threads in one set: the bits of its word.
pub const THREADS_MAX: usize = 64;

/// The waiting threads of one pool.
#[derive(Debug)]
pub struct IdleThreads {
    waiting: AtomicU64,
    threads: Vec<OnceLock<Thread>>,
}

impl IdleThreads {
    /// For a pool of so many threads.
    ///
    /// # Panics
    /// If there are more than [`THREADS_MAX`].
    pub fn new(threads: usize) -> IdleThreads {
        assert!(threads <= THREADS_MAX, "one bit a thread");
        IdleThreads { waiting: AtomicU64::new(0), threads: (0..threads).map(|_| OnceLock::new()).collect() }
    }

    /// Waits as thread `me` until woken, unless `work` says that there is something to do. May also return for no
    /// reason: look for work again.
    pub fn wait(&self, me: usize, work: impl FnOnce() -> bool) {
        let bit = 1 << me;
        self.threads[me].get_or_init(thread::current);
        self.waiting.fetch_or(bit, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !work() {
            thread::park();
        }
        self.waiting.fetch_and(!bit, Ordering::SeqCst);
    }

    /// Wakes one waiting thread, the lowest, whose caches are the warmest. False if none waits: then all of them
    /// look for work before they wait again.
    pub fn wake_one(&self) -> bool {
        fence(Ordering::SeqCst);
        let mut waiting = self.waiting.load(Ordering::SeqCst);
        while waiting != 0 {
            let bit = waiting & waiting.wrapping_neg();
            match self.waiting.compare_exchange(waiting, waiting & !bit, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => {
                    self.unpark(bit.trailing_zeros() as usize);
                    return true;
                }
                Err(now) => waiting = now,
            }
        }
        false
    }

    /// Wakes all, whether they wait or are about to.
    pub fn wake_all(&self) {
        (0..self.threads.len()).for_each(|thread| self.unpark(thread));
    }

    fn unpark(&self, thread: usize) {
        if let Some(thread) = self.threads[thread].get() {
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// Every unit of work is taken though producers and consumers race and each consumer sleeps whenever it can.
    #[test]
    fn no_wake_up_is_lost() {
        const WORK: usize = 20_000;
        let (idle, made, taken) = (IdleThreads::new(3), AtomicUsize::new(0), AtomicUsize::new(0));
        let take = || made.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        thread::scope(|scope| {
            for me in 0..3 {
                let (idle, made, taken) = (&idle, &made, &taken);
                scope.spawn(move || {
                    while taken.load(Ordering::SeqCst) < WORK {
                        if take() {
                            if taken.fetch_add(1, Ordering::SeqCst) + 1 == WORK {
                                idle.wake_all();
                            }
                        } else {
                            idle.wait(me, || made.load(Ordering::SeqCst) > 0 || taken.load(Ordering::SeqCst) == WORK);
                        }
                    }
                });
            }
            for _ in 0..WORK {
                made.fetch_add(1, Ordering::SeqCst);
                idle.wake_one();
            }
        });
        assert_eq!(taken.into_inner(), WORK);
    }

    #[test]
    fn nobody_is_woken_when_nobody_waits() {
        assert!(!IdleThreads::new(4).wake_one());
    }
}
