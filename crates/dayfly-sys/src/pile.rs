//! Things that any thread puts down and one picks up, all at once, without a lock.
//!
//! The usual lock-free queues make their reader wait where a writer has taken a place and was interrupted before it filled
//! it. Here writers are threads of low priority and the reader is an I/O thread: it must wait for none of them. So a
//! writer makes its node first and then puts it on top by one exchange; before that exchange the reader sees nothing of it.
//!
//! The argument for its safety: a node is reachable from `top` from the exchange that publishes it until the exchange with
//! null that takes it, and then from one [`Taken`] only. Writers never look into a node but their own, so that a node may be
//! freed and its address used again between a writer's load and its exchange: what it wrote as `below` is the top in any case.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The pile.
#[derive(Debug)]
pub struct Pile<T> {
    top: AtomicPtr<Node<T>>,
}

#[derive(Debug)]
struct Node<T> {
    item: T,
    /// Null for the lowest.
    below: *mut Node<T>,
}

/// `AtomicPtr` may be sent and shared whatever it points to; a pile can only be made for things that may be sent.
impl<T: Send> Default for Pile<T> {
    fn default() -> Pile<T> {
        Pile { top: AtomicPtr::new(ptr::null_mut()) }
    }
}

impl<T> Pile<T> {
    /// Puts an item down. Tries again where another thread did so at the same moment; waits for nobody.
    pub fn push(&self, item: T) {
        let mut top = self.top.load(Ordering::Relaxed);
        let node = Box::into_raw(Box::new(Node { item, below: top }));
        // Release: whoever takes the node sees what is in it, and in those below, as each exchange continues the last.
        while let Err(now) = self.top.compare_exchange_weak(top, node, Ordering::Release, Ordering::Relaxed) {
            top = now;
            // SAFETY: the node was made above and is not published yet, so this thread alone has it.
            unsafe { (*node).below = top };
        }
    }

    /// Takes everything, in the order in which it was put down.
    pub fn take(&self) -> Taken<T> {
        let mut top = self.top.swap(ptr::null_mut(), Ordering::Acquire);
        let mut taken = Taken { next: ptr::null_mut() };
        while !top.is_null() {
            // SAFETY: the exchange made all these nodes this thread's own, and each was made by `Box::into_raw`.
            let below = unsafe { ptr::replace(&raw mut (*top).below, taken.next) };
            taken.next = top;
            top = below;
        }
        taken
    }

    /// Is there nothing to take?
    pub fn is_empty(&self) -> bool {
        self.top.load(Ordering::Acquire).is_null()
    }
}

impl<T> Drop for Pile<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// What was taken from a pile.
#[derive(Debug)]
pub struct Taken<T> {
    /// The first of a list that nobody else has.
    next: *mut Node<T>,
}

impl<T> Iterator for Taken<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.next.is_null() {
            return None;
        }
        // SAFETY: the list is this value's own, and each of its nodes was made by `Box::into_raw`.
        let node = unsafe { Box::from_raw(self.next) };
        self.next = node.below;
        Some(node.item)
    }
}

impl<T> Drop for Taken<T> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn everything_arrives_once_and_in_each_writers_order() {
        const WRITERS: usize = 4;
        const ITEMS: usize = 50_000;
        let pile = Pile::default();
        let mut next = [0; WRITERS];
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let pile = &pile;
                scope.spawn(move || (0..ITEMS).for_each(|item| pile.push(Box::new((writer, item)))));
            }
            while next != [ITEMS; WRITERS] {
                for item in pile.take() {
                    let (writer, number) = *item;
                    assert_eq!(number, next[writer]);
                    next[writer] += 1;
                }
                thread::yield_now();
            }
        });
        assert!(pile.is_empty());
    }

    #[test]
    fn what_is_left_is_dropped() {
        let item = Arc::new(());
        let pile = Pile::default();
        (0..5).for_each(|_| pile.push(item.clone()));
        let mut taken = pile.take();
        assert!(taken.next().is_some() && pile.is_empty());
        pile.push(item.clone());
        drop((taken, pile));
        assert_eq!(Arc::strong_count(&item), 1);
    }

    #[test]
    fn a_pile_may_be_shared_if_its_items_may_be_sent() {
        fn shared<T: Send + Sync>(_: &T) {}
        shared(&Pile::<std::cell::Cell<u8>>::default());
    }
}
