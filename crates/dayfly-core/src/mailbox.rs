//! How other threads reach an I/O thread: late answers, and the word to stop.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{self, AtomicBool, AtomicU8};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dayfly_http1::Ticket;
use dayfly_sys::pile::Pile;
use rustix::event::{EventfdFlags, eventfd};

use crate::error::Error;

/// Where late answers for the connections of one I/O thread are put. Sending never blocks and takes no lock, and neither
/// does the owner wait for a sender: senders have low priority and may stand still for long.
#[derive(Debug)]
pub struct Mailbox<L> {
    shared: Arc<Shared<L>>,
}

#[derive(Debug)]
struct Shared<L> {
    letters: Pile<Letter<L>>,
    /// Letters that the owner has picked up and not looked at. Only the owner ever takes this lock.
    picked_up: Mutex<VecDeque<Letter<L>>>,
    /// The owner sleeps, or is about to: the next sender wakes it. Between sleeps, sending costs no system call.
    asleep: AtomicBool,
    wake: Wake,
}

/// One late answer on its way.
#[derive(Debug)]
pub(crate) struct Letter<L> {
    pub(crate) ticket: Ticket,
    pub(crate) late: L,
    /// Not to be delivered earlier.
    pub(crate) due: Option<Instant>,
}

impl<L> Clone for Mailbox<L> {
    fn clone(&self) -> Mailbox<L> {
        Mailbox { shared: Arc::clone(&self.shared) }
    }
}

impl<L: Send> Mailbox<L> {
    pub(crate) fn new() -> Result<Mailbox<L>, Error> {
        let shared = Shared {
            letters: Pile::default(),
            picked_up: Mutex::default(),
            asleep: AtomicBool::new(false),
            wake: Wake::new()?,
        };
        Ok(Mailbox { shared: Arc::new(shared) })
    }

    /// Sends a late answer to the request that `ticket` names.
    pub fn send(&self, ticket: Ticket, late: L) {
        self.post(Letter { ticket, late, due: None });
    }

    /// Sends a late answer that is delivered after `delay`, rounded up to milliseconds.
    pub fn send_after(&self, delay: Duration, ticket: Ticket, late: L) {
        self.post(Letter { ticket, late, due: Some(Instant::now() + delay) });
    }

    fn post(&self, letter: Letter<L>) {
        self.shared.letters.push(letter);
        // Paired with the fence in `fall_asleep`: either the owner sees the letter or this thread sees that it sleeps.
        atomic::fence(atomic::Ordering::SeqCst);
        if self.shared.asleep.load(atomic::Ordering::Relaxed)
            && self.shared.asleep.swap(false, atomic::Ordering::Relaxed)
        {
            self.shared.wake.signal();
        }
    }

    /// The owner is about to sleep. False: it must not, a letter is there.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.shared.asleep.store(true, atomic::Ordering::Relaxed);
        atomic::fence(atomic::Ordering::SeqCst);
        self.is_empty()
    }

    /// The owner is awake.
    pub(crate) fn wake_up(&self) {
        self.shared.asleep.store(false, atomic::Ordering::Relaxed);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shared.letters.is_empty() && self.picked_up().is_empty()
    }

    pub(crate) fn take(&self) -> Option<Letter<L>> {
        let mut picked_up = self.picked_up();
        if picked_up.is_empty() {
            picked_up.extend(self.shared.letters.take());
        }
        picked_up.pop_front()
    }

    fn picked_up(&self) -> MutexGuard<'_, VecDeque<Letter<L>>> {
        self.shared.picked_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wake_fd(&self) -> BorrowedFd<'_> {
        self.shared.wake.fd.as_fd()
    }
}

/// Letters that wait for their time, the next one first.
#[derive(Debug)]
pub(crate) struct Delayed<L> {
    letters: BinaryHeap<Reverse<Timed<L>>>,
    posted: u64,
}

#[derive(Debug)]
struct Timed<L> {
    /// Time, then order of posting.
    key: (Instant, u64),
    letter: Letter<L>,
}

impl<L> Delayed<L> {
    pub(crate) fn new() -> Delayed<L> {
        Delayed { letters: BinaryHeap::new(), posted: 0 }
    }

    pub(crate) fn put(&mut self, due: Instant, letter: Letter<L>) {
        self.posted += 1;
        self.letters.push(Reverse(Timed { key: (due, self.posted), letter }));
    }

    /// When the next letter is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.letters.peek().map(|Reverse(timed)| timed.key.0)
    }

    /// The next letter that is due at `now`.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Letter<L>> {
        if self.next_due()? > now {
            return None;
        }
        self.letters.pop().map(|Reverse(timed)| timed.letter)
    }
}

impl<L> PartialEq for Timed<L> {
    fn eq(&self, other: &Timed<L>) -> bool {
        self.key == other.key
    }
}

impl<L> Eq for Timed<L> {}

impl<L> PartialOrd for Timed<L> {
    fn partial_cmp(&self, other: &Timed<L>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<L> Ord for Timed<L> {
    fn cmp(&self, other: &Timed<L>) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// Ends the event loops that it was given to, from any thread.
#[derive(Clone, Debug)]
pub struct StopHandle {
    shared: Arc<StopShared>,
}

#[derive(Debug)]
struct StopShared {
    stop: AtomicU8,
    gently: AtomicBool,
    wake: Wake,
}

/// Whether an event loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It does.
    No,
    /// It finishes what is in flight and ends.
    Drain,
    /// It ends.
    Now,
}

impl StopHandle {
    /// A handle for any number of event loops.
    pub fn new() -> Result<StopHandle, Error> {
        let (stop, gently, wake) = (AtomicU8::new(0), AtomicBool::new(false), Wake::new()?);
        Ok(StopHandle { shared: Arc::new(StopShared { stop, gently, wake }) })
    }

    /// Accepting stops, requests in flight are answered, idle connections close; then the loops return. The second call
    /// makes them return at once.
    pub fn stop(&self) {
        let update = |times: u8| Some(times.saturating_add(1));
        let _ = self.shared.stop.fetch_update(atomic::Ordering::Relaxed, atomic::Ordering::Relaxed, update);
        self.shared.wake.signal();
    }

    /// As the first [`StopHandle::stop`], but connections between requests stay open for one more, whose answer says that it
    /// was the last: for a server whose successor listens already. Nothing after a stop.
    pub fn hand_over(&self) {
        self.shared.gently.store(true, atomic::Ordering::Relaxed);
        let _ = self.shared.stop.compare_exchange(0, 1, atomic::Ordering::Release, atomic::Ordering::Relaxed);
        self.shared.wake.signal();
    }

    /// Whether connections between requests stay for one more.
    pub(crate) fn is_gentle(&self) -> bool {
        self.shared.gently.load(atomic::Ordering::Relaxed)
    }

    pub(crate) fn state(&self) -> Stop {
        match self.shared.stop.load(atomic::Ordering::Acquire) {
            0 => Stop::No,
            1 => Stop::Drain,
            _ => Stop::Now,
        }
    }

    pub(crate) fn wake_fd(&self) -> BorrowedFd<'_> {
        self.shared.wake.fd.as_fd()
    }
}

/// An eventfd that is waited for edge-triggered, so that nobody needs to read it: each write is an event.
#[derive(Debug)]
struct Wake {
    fd: OwnedFd,
}

impl Wake {
    fn new() -> Result<Wake, Error> {
        let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC);
        Ok(Wake { fd: fd.map_err(|errno| Error::io("cannot make an eventfd", errno))? })
    }

    fn signal(&self) {
        // The counter is nowhere near its end (2^64 - 2), so the write cannot fail.
        let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
    }
}
