//! The event loop of one I/O thread: sockets on one side, the HTTP/1.1 state machine and its handler on the other.
//!
//! ```text
//!   epoll --events--> Batch: read for all --octets--> Connection --request--> Handler --answer--> Batch: send to all
//!     ^                                                                   |
//!     +------------ eventfd <-- Mailbox <-- late answers, other threads <-+
//! ```
//!
//! One thread a core, each with its own listener, table of clients, buffers and handler: nothing is shared and nothing locks
//! between two requests. A socket is registered once for its life, edge-triggered; a request costs one `recv` and one `send`.
//! All clients of a thread share its buffers; what a client keeps for itself is an unfinished request and unsent answers, so
//! an idle one costs some 230 octets.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dayfly_http1::{Clock, Connection, Context, Deadlines, Expiry, Handler, Ticket, tell};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::client::{Client, Clients, Key, Lost, Read, Signs};
use crate::error::Error;
use crate::listener::Listener;
use crate::mailbox::{Delayed, Letter, Stop};
pub use crate::mailbox::{Mailbox, StopHandle};
use crate::spin::Pauses;
pub use crate::spin::Spin;

/// Events whose data names no client: its generation's highest bit is set.
const MAILBOX: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;
const LISTENER: u64 = 1 << 63;

/// One read: a socket's receive buffer in its usual size.
const INPUT_BYTES: usize = 64 << 10;
/// The shared output buffer is given back after an answer larger than this.
const OUTPUT_BYTES_KEPT: usize = 256 << 10;
/// Events taken at once.
const EVENTS: usize = 256;
/// Clients of a batch.
const BATCH_CLIENTS: usize = 32;
/// One read of a batch; who sends more is read for on its own.
const BATCH_READ_BYTES: usize = 16 << 10;
const BATCH_INPUT_BYTES: usize = 64 << 10;
/// The output buffer of a batch's place is given back after an answer larger than this.
const BATCH_OUTPUT_BYTES_KEPT: usize = 16 << 10;
/// Connections accepted before clients get their turn.
const ACCEPTS: usize = 64;
/// Late answers delivered before clients get their turn: each may be followed by further requests of its client.
const LETTERS: usize = 64;
/// A connection that moves and holds no more than this is not shed.
const HELD_BYTES_FAIR: usize = 64 << 10;
/// Deadlines that pass before clients get their turn: each costs two system calls, and thousands may fall into one second.
const EXPIRIES: u64 = 64;
/// How long a stopping server waits for the next request of a connection that was made or used just before, to answer it
/// with the word that it was the last: to close at once would meet a request on its way. At least a second, since a deadline
/// fires up to a second early.
const FRESH_SECONDS: u32 = 2;
/// Used just before: in this second or the one before it.
const ACTIVE_SECONDS: u32 = 2;

/// How an event loop treats its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Connections of one thread at a time. A further one takes the place of one between requests; if there is none, it
    /// waits in the kernel's queue. Default 16,384.
    pub connections_max: usize,
    /// Octets that one thread holds for unfinished requests and unsent answers of all its connections. Beyond it those
    /// connections are refused or cut that hold most and have made no progress for longest, and if that gives no room,
    /// whoever holds more than 64 KiB when it next moves. Default 256 MiB.
    pub held_bytes_max: usize,
    /// What a thread does when it has nothing to do.
    pub spin: Spin,
    /// How long a stopping server lets requests in flight go on. Default 12: two more than a
    /// request may take by default.
    pub drain_seconds: u32,
    /// How long clients may take.
    pub deadlines: Deadlines,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            connections_max: 16_384,
            held_bytes_max: 256 << 20,
            spin: Spin::Auto,
            drain_seconds: 12,
            deadlines: Deadlines::default(),
        }
    }
}

/// Figures of one event loop, readable from other threads at any time.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Connections now.
    pub connections: AtomicUsize,
    /// Connections accepted since the start.
    pub accepted: AtomicU64,
    /// Deadlines that passed since the start.
    pub expired: AtomicU64,
    /// Connections refused or cut since the start because too much was held.
    pub shed: AtomicU64,
    /// How often the loop has begun to wait or to work: odd while it works. Of a loop that hangs it stays odd and the same.
    pub beats: AtomicU64,
}

impl Gauges {
    /// Only the loop itself may call this.
    fn beat(&self) {
        self.beats.store(self.beats.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

/// An event loop that is ready to run. `L` is what its handler's late answers are.
#[derive(Debug)]
pub struct EventLoop<L> {
    options: Options,
    stop: StopHandle,
    mailbox: Mailbox<L>,
    gauges: Arc<Gauges>,
}

impl<L: Send + 'static> EventLoop<L> {
    /// A loop that ends when `stop` says so.
    pub fn new(options: Options, stop: StopHandle) -> Result<EventLoop<L>, Error> {
        Ok(EventLoop { options, stop, mailbox: Mailbox::new()?, gauges: Arc::default() })
    }

    /// Where late answers for this loop are sent.
    pub fn mailbox(&self) -> Mailbox<L> {
        self.mailbox.clone()
    }

    /// The loop's figures.
    pub fn gauges(&self) -> Arc<Gauges> {
        Arc::clone(&self.gauges)
    }

    /// Serves until it is stopped; blocks the thread. Late answers that find no client any more are given to
    /// [`Handler::abandon`] before it returns.
    ///
    /// Errors: the system refuses to wait for events, which it does only at the start.
    pub fn run<H: Handler<Late = L>>(self, listeners: Vec<Listener>, handler: &mut H) -> Result<(), Error> {
        Running::new(self, listeners, handler)?.run()
    }
}

/// Lets this process have as many descriptors as it is allowed to, and returns how many that is. The usual soft limit of 1,024
/// is for programs that use `select`; a server needs one descriptor a connection.
pub fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let limit = if raised.is_ok() { limit.maximum } else { limit.current };
    limit.unwrap_or(u64::MAX)
}

/// A loop with all it works on.
struct Running<'h, H: Handler> {
    handler: &'h mut H,
    options: Options,
    stop: StopHandle,
    mailbox: Mailbox<H::Late>,
    delayed: Delayed<H::Late>,
    gauges: Arc<Gauges>,
    epoll: std::os::fd::OwnedFd,
    listeners: Vec<Listener>,
    /// The listeners rest: at the limit of connections, or out of descriptors.
    resting: bool,
    clients: Clients,
    /// What all clients hold together.
    held_bytes: usize,
    /// Behind the last place that was cleared for a newcomer: of those that fall due in the same second, one after the
    /// other.
    hand: u32,
    /// The second in which the clients were last looked through for those that hold much and do not move.
    shed_at: u32,
    /// Clients with more to do though no event will say so.
    ready: VecDeque<u32>,
    time: Time,
    /// The second at which deadlines must be looked through; never later than the first of them.
    next_check: u32,
    /// The second at which a stopping loop ends.
    drain_end: Option<u32>,
    pauses: Pauses,
    input: Box<[u8]>,
    out: Vec<u8>,
    batch: Batch,
}

impl<'h, H: Handler> Running<'h, H> {
    fn new(event_loop: EventLoop<H::Late>, listeners: Vec<Listener>, handler: &'h mut H) -> Result<Self, Error> {
        let EventLoop { options, stop, mailbox, gauges } = event_loop;
        let failed = |errno: Errno| Error::io("cannot wait for events", errno);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        let wake = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, mailbox.wake_fd(), EventData::new_u64(MAILBOX), wake).map_err(failed)?;
        epoll::add(&epoll, stop.wake_fd(), EventData::new_u64(STOP), wake).map_err(failed)?;
        let mut running = Running {
            handler,
            options,
            stop,
            mailbox,
            delayed: Delayed::new(),
            gauges,
            epoll,
            listeners,
            resting: true,
            clients: Clients::default(),
            held_bytes: 0,
            hand: 0,
            shed_at: u32::MAX,
            ready: VecDeque::new(),
            time: Time::new(),
            next_check: u32::MAX,
            drain_end: None,
            pauses: Pauses::new(options.spin),
            input: vec![0; INPUT_BYTES].into(),
            out: Vec::new(),
            batch: Batch::new(),
        };
        running.listen().map_err(failed)?;
        Ok(running)
    }

    fn run(mut self) -> Result<(), Error> {
        let mut events = Vec::with_capacity(EVENTS);
        while self.goes_on() {
            self.wait(&mut events)?;
            self.gauges.beat();
            self.time.tick();
            tell(self.handler, Handler::begin_turn);
            self.take_turns();
            for event in events.drain(..) {
                self.handle(&event);
            }
            self.answer_batch();
            self.deliver();
            if self.time.seconds() >= self.next_check {
                self.check_deadlines();
            }
            tell(self.handler, Handler::end_turn);
            self.gauges.beat();
        }
        (0..self.clients.places()).for_each(|index| self.close(index));
        self.abandon_letters();
        Ok(())
    }

    /// Follows the stop handle; false at the end.
    fn goes_on(&mut self) -> bool {
        match self.stop.state() {
            Stop::No => true,
            Stop::Now => false,
            Stop::Drain => {
                let end = self.drain_end.unwrap_or_else(|| self.begin_drain());
                self.clients.count() > 0 && self.time.seconds() < end
            }
        }
    }

    // ---- waiting ----

    /// Waits for events, letters or the next deadline; polls on for a while before it sleeps, if that pays.
    fn wait(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        if !self.ready.is_empty() {
            return self.poll(events, Some(Duration::ZERO));
        }
        let mut polled = Duration::ZERO;
        if let Some(time) = self.pauses.polling_time() {
            match self.poll_for(time, events)? {
                None => return Ok(()),
                Some(passed) => polled = passed,
            }
        }
        let began = self.pauses.learns().then(Instant::now);
        // With a letter there, sockets are looked at too: letters could come without end.
        let timeout = if self.mailbox.fall_asleep() { self.timeout() } else { Some(Duration::ZERO) };
        self.poll(events, timeout)?;
        self.mailbox.wake_up();
        if let Some(began) = began {
            self.pauses.slept(polled + began.elapsed());
        }
        Ok(())
    }

    /// Polls until there is something to do: None, or so long that the time is over or a deadline has come.
    fn poll_for(&mut self, time: Duration, events: &mut Vec<Event>) -> Result<Option<Duration>, Error> {
        self.poll(events, Some(Duration::ZERO))?;
        if !events.is_empty() || !self.mailbox.is_empty() {
            self.pauses.polled(Duration::ZERO);
            return Ok(None);
        }
        let began = Instant::now();
        let time = self.timeout().map_or(time, |timeout| timeout.min(time));
        loop {
            let passed = began.elapsed();
            if passed >= time {
                return Ok(Some(passed));
            }
            self.poll(events, Some(Duration::ZERO))?;
            if !events.is_empty() || !self.mailbox.is_empty() {
                self.pauses.polled(passed);
                return Ok(None);
            }
        }
    }

    fn poll(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> Result<(), Error> {
        let timeout =
            timeout.map(|time| Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() });
        match epoll::wait(&self.epoll, spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(Error::io("cannot wait for events", errno)),
        }
    }

    /// Until the next deadline or delayed letter; None for as long as it takes.
    fn timeout(&self) -> Option<Duration> {
        let check = (self.next_check < u32::MAX).then(|| self.time.until(self.next_check));
        let letter = self.delayed.next_due().map(|due| due.saturating_duration_since(Instant::now()));
        check.into_iter().chain(letter).min()
    }

    // ---- events ----

    fn handle(&mut self, event: &Event) {
        match event.data.u64() {
            MAILBOX | STOP => {}
            data if data & LISTENER != 0 => {
                // A newcomer may take a place.
                self.answer_batch();
                // What is left is another event.
                let _ = self.accept((data & !LISTENER) as usize);
            }
            data => self.handle_client(Key::from_u64(data), event.flags),
        }
    }

    fn handle_client(&mut self, key: Key, flags: EventFlags) {
        let Some(client) = self.clients.get(key) else { return };
        if flags.contains(EventFlags::PRI) {
            // Urgent octets have no meaning in HTTP, and reading would stop at each of them.
            return self.close(key.index);
        }
        let ended = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        client.signs.readable |= ended || flags.contains(EventFlags::IN);
        client.signs.ended |= ended;
        client.signs.writable |= flags.contains(EventFlags::OUT);
        if flags.intersects(EventFlags::HUP | EventFlags::ERR) && !client.connection.wants_input() {
            // Both sides are ended, or it was reset: nobody reads what would be answered.
            self.close(key.index);
        } else if client.signs.queued {
            // Who stands in the list has its turn from there, not one more.
        } else if client.may_read() {
            self.read_into_batch(key.index);
        } else {
            self.step(key.index, |_, _, _| true);
        }
    }

    /// Reads for a client; its octets are handled with those of the whole batch.
    fn read_into_batch(&mut self, index: u32) {
        if self.batch.is_full() {
            self.answer_batch();
        }
        let Some((_, client)) = self.clients.at(index) else { return };
        match client.read(self.batch.room()) {
            Ok(read) => self.batch.add(index, read),
            Err(Lost) => self.close(index),
        }
    }

    /// Lets the connections of the batch answer, one after the other, then sends to all. When a turn has lasted too long,
    /// what is ready is sent before anything else is begun: nobody waits for more than one long run of others.
    fn answer_batch(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        let mut unsent = 0;
        for number in 0..batch.count {
            self.answer_member(&mut batch, number);
            if number + 1 == batch.count || self.handler.turn_is_over() {
                self.complete_members(&mut batch.members[unsent..=number]);
                unsent = number + 1;
            }
        }
        batch.clear();
        self.batch = batch;
    }

    fn answer_member(&mut self, batch: &mut Batch, number: usize) {
        let (member, input) = batch.member(number);
        self.with_client(member.index, &mut member.out, |client, out, context| {
            client.take(member.read, input, out, context);
        });
    }

    /// Sends to all of them before any is looked after: that may end others, and nothing may overtake what is unsent.
    fn complete_members(&mut self, members: &mut [Member]) {
        for member in &mut *members {
            let Some((_, client)) = self.clients.at(member.index) else { continue };
            member.lost = client.complete(&mut member.out).is_err();
        }
        for member in members {
            if member.lost { self.close(member.index) } else { self.look_after(member.index) }
        }
    }

    /// A turn for each client that had more to do, as far as time allows; those that still have stand in the list again
    /// afterwards, behind those that had no turn.
    fn take_turns(&mut self) {
        for _ in 0..self.ready.len() {
            if self.handler.turn_is_over() {
                return;
            }
            let Some(index) = self.ready.pop_front() else { return };
            if let Some((_, client)) = self.clients.at(index) {
                client.signs.queued = false;
                self.step(index, |_, _, _| true);
            }
        }
    }

    /// `first`, then whatever the client can do now. It closes if `first` returns false.
    fn step(&mut self, index: u32, first: impl FnOnce(&mut Connection, &mut Vec<u8>, &mut Context<'_, H>) -> bool) {
        let (mut input, mut out) = (std::mem::take(&mut self.input), std::mem::take(&mut self.out));
        let alive = self.with_client(index, &mut out, |client, out, context| {
            first(&mut client.connection, out, context) && client.go_on(&mut input, out, context).is_ok()
        });
        out.clear();
        self.input = input;
        if out.capacity() <= OUTPUT_BYTES_KEPT {
            self.out = out;
        }
        match alive {
            Some(true) => self.look_after(index),
            Some(false) => self.close(index),
            None => {}
        }
    }

    /// A client of this place, if there is one, and what its connection needs for a step.
    fn with_client<T>(
        &mut self,
        index: u32,
        out: &mut Vec<u8>,
        step: impl FnOnce(&mut Client, &mut Vec<u8>, &mut Context<'_, H>) -> T,
    ) -> Option<T> {
        let (key, client) = self.clients.at(index)?;
        let peer = client.peer;
        let mut context = Context {
            handler: &mut *self.handler,
            peer: &peer,
            ticket: Ticket { connection: index, generation: key.generation, request: 0 },
            clock: &self.time.clock,
            deadlines: &self.options.deadlines,
            // Also before the loop follows: who asks after the stop must not take the connection for one that stays.
            draining: self.stop.state() != Stop::No,
        };
        Some(step(client, out, &mut context))
    }

    /// After a step: what the client waits for, until when, and what it holds.
    fn look_after(&mut self, index: u32) {
        let Some((_, client)) = self.clients.at(index) else { return };
        client.connection.set_deadline(&self.time.clock, &self.options.deadlines);
        let mut deadline = client.connection.deadline();
        if client.has_more() {
            if !std::mem::replace(&mut client.signs.queued, true) {
                self.ready.push_back(index);
            }
        } else if self.drain_end.is_some() && client.connection.is_idle() {
            let now = self.time.seconds();
            let last = if self.stop.is_gentle() { self.drain_end } else { None };
            let active = client.connection.is_fresh() || client.connection.still_since() + ACTIVE_SECONDS > now;
            if last.is_none() && !active {
                return self.close(index);
            }
            deadline = deadline.min(last.unwrap_or(now + FRESH_SECONDS));
        }
        let held_bytes = client.connection.held_bytes();
        self.held_bytes = self.held_bytes + held_bytes - std::mem::replace(&mut client.held_bytes, held_bytes);
        self.clients.set_deadline(index, deadline);
        self.next_check = self.next_check.min(deadline);
        if self.held_bytes > self.options.held_bytes_max {
            self.make_room();
            if self.held_bytes > self.options.held_bytes_max && held_bytes > HELD_BYTES_FAIR {
                self.shed(index);
            }
        }
    }

    /// Once a second at most: sheds those that hold most for longest without progress, until a quarter of the bound is free.
    fn make_room(&mut self) {
        let now = self.time.seconds();
        if std::mem::replace(&mut self.shed_at, now) == now {
            return;
        }
        let mut still = Vec::new();
        for index in 0..self.clients.places() {
            let Some((_, client)) = self.clients.at(index) else { continue };
            // The second that has begun says nothing yet.
            let seconds = now.saturating_sub(client.connection.still_since() + 1) as usize;
            if seconds > 0 && client.held_bytes > 0 && client.connection.awaits().is_none() {
                still.push((seconds * client.held_bytes, index));
            }
        }
        still.sort_unstable();
        while self.held_bytes > self.options.held_bytes_max / 4 * 3
            && let Some((_, index)) = still.pop()
        {
            self.shed(index);
        }
    }

    /// Refuses or cuts what a client has under way.
    fn shed(&mut self, index: u32) {
        self.gauges.shed.fetch_add(1, Ordering::Relaxed);
        self.step(index, |connection, out, context| connection.shed(out, context) == Expiry::Answered);
    }

    fn close(&mut self, index: u32) {
        let Some((key, client)) = self.clients.at(index) else { return };
        if let Some(request) = client.connection.awaits() {
            let ticket = Ticket { connection: index, generation: key.generation, request };
            tell(self.handler, |handler| handler.left(ticket));
        }
        self.held_bytes -= client.held_bytes;
        self.clients.remove(index);
        self.gauges.connections.store(self.clients.count(), Ordering::Relaxed);
        if self.resting && self.listen().is_err() {
            self.rest();
        }
    }

    // ---- accepting ----

    /// Waits for connections again.
    fn listen(&mut self) -> Result<(), Errno> {
        for (number, listener) in self.listeners.iter().enumerate() {
            let data = EventData::new_u64(LISTENER | number as u64);
            match epoll::add(&self.epoll, listener, data, listener.event_flags()) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        self.resting = false;
        Ok(())
    }

    /// Leaves new connections in the kernel's queue until a client leaves or a second has passed.
    fn rest(&mut self) {
        for listener in &self.listeners {
            let _ = epoll::delete(&self.epoll, listener);
        }
        self.resting = true;
        self.next_check = self.next_check.min(self.time.seconds() + 1);
    }

    /// Takes connections that wait; false if there are no more for now.
    fn accept(&mut self, number: usize) -> bool {
        for _ in 0..ACCEPTS {
            let full = self.clients.count() >= self.options.connections_max;
            let idle = if full { self.longest_idle() } else { None };
            if full && idle.is_none() {
                self.rest();
                return false;
            }
            let Some(listener) = self.listeners.get(number) else { return false };
            match listener.accept() {
                Ok((socket, peer)) => {
                    if let Some(index) = idle {
                        self.hand = index + 1;
                        self.close(index);
                    }
                    self.welcome(socket, peer);
                }
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    self.rest();
                    return false;
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// The connection between requests that would be closed soonest: it makes room, so that silent ones keep nobody out.
    fn longest_idle(&mut self) -> Option<u32> {
        let (hand, places) = (self.hand.min(self.clients.places()), self.clients.places());
        let mut longest = None;
        for index in (hand..places).chain(0..hand) {
            let deadline = self.clients.deadline(index);
            if longest.is_none_or(|(least, _)| deadline < least)
                && self.clients.at(index).is_some_and(|(_, client)| client.connection.is_idle())
            {
                longest = Some((deadline, index));
            }
        }
        longest.map(|(_, index)| index)
    }

    fn welcome(&mut self, socket: std::os::fd::OwnedFd, peer: dayfly_http1::Peer) {
        let data = EventData::new_u64(self.clients.next_key().to_u64());
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::PRI | EventFlags::RDHUP | EventFlags::ET;
        if epoll::add(&self.epoll, &socket, data, flags).is_err() {
            return; // out of memory or watches: the socket closes
        }
        let connection = Connection::new(&self.time.clock, &self.options.deadlines);
        self.next_check = self.next_check.min(connection.deadline());
        self.clients.insert(Client { connection, socket, peer, signs: Signs::default(), held_bytes: 0 });
        self.gauges.connections.store(self.clients.count(), Ordering::Relaxed);
        self.gauges.accepted.fetch_add(1, Ordering::Relaxed);
    }

    // ---- late answers ----

    fn deliver(&mut self) {
        for _ in 0..LETTERS {
            let Some(letter) = self.mailbox.take() else { break };
            match letter.due {
                Some(due) => self.delayed.put(due, letter),
                None => self.settle(letter),
            }
        }
        if self.delayed.next_due().is_some() {
            let now = Instant::now();
            for _ in 0..LETTERS {
                let Some(letter) = self.delayed.take(now) else { break };
                self.settle(letter);
            }
        }
    }

    fn settle(&mut self, letter: Letter<H::Late>) {
        let Letter { ticket, late, .. } = letter;
        if self.clients.get(Key { index: ticket.connection, generation: ticket.generation }).is_none() {
            return tell(self.handler, |handler| handler.abandon(late));
        }
        self.step(ticket.connection, |connection, out, context| {
            connection.settle(late, ticket, out, context);
            true
        });
    }

    fn abandon_letters(&mut self) {
        let forever = Instant::now() + Duration::from_secs(u32::MAX.into());
        while let Some(letter) = self.mailbox.take().or_else(|| self.delayed.take(forever)) {
            tell(self.handler, |handler| handler.abandon(letter.late));
        }
    }

    // ---- time ----

    /// Looks through all deadlines; also ends a rest of the listeners.
    fn check_deadlines(&mut self) {
        self.next_check = self.drain_end.unwrap_or(u32::MAX);
        if self.resting {
            let room = self.clients.count() < self.options.connections_max || self.longest_idle().is_some();
            if !room || self.listen().is_err() {
                self.rest();
            }
        }
        let mut expired = 0;
        for index in 0..self.clients.places() {
            if self.clients.deadline(index) <= self.time.seconds() {
                if expired == EXPIRIES {
                    self.next_check = self.time.seconds();
                    break;
                }
                expired += 1;
                self.step(index, |connection, out, context| connection.expire(out, context) == Expiry::Answered);
            }
            self.next_check = self.next_check.min(self.clients.deadline(index));
        }
        self.gauges.expired.fetch_add(expired, Ordering::Relaxed);
    }

    /// Stops accepting: takes what the kernel has accepted already, closes idle connections. Returns the last second.
    fn begin_drain(&mut self) -> u32 {
        for number in 0..self.listeners.len() {
            while self.accept(number) {}
        }
        self.rest();
        self.listeners.clear();
        let end = self.time.seconds().saturating_add(self.options.drain_seconds);
        self.drain_end = Some(end);
        self.next_check = self.next_check.min(end);
        for index in 0..self.clients.places() {
            // A request may have come that no event has told of yet: one look at the socket before it closes.
            if let Some((_, client)) = self.clients.at(index) {
                client.signs.readable = true;
                self.step(index, |_, _, _| true);
            }
        }
        end
    }
}

/// Clients that have sent something, and what: all are read for, then all are answered, then all are sent to. Each of the
/// three finds its code and data in the processor's caches, where in turn each would displace the others': with 64
/// connections that takes a tenth off a request and half off what its sandbox costs.
#[derive(Default)]
struct Batch {
    /// What was read, one after the other.
    input: Box<[u8]>,
    used: usize,
    /// The first `count` stand for clients; all keep their buffers.
    members: Vec<Member>,
    count: usize,
}

struct Member {
    index: u32,
    read: Read,
    /// Where its octets begin.
    start: usize,
    out: Vec<u8>,
    lost: bool,
}

impl Batch {
    fn new() -> Batch {
        Batch { input: vec![0; BATCH_INPUT_BYTES].into(), used: 0, members: Vec::new(), count: 0 }
    }

    fn is_full(&self) -> bool {
        self.count == BATCH_CLIENTS || self.used + BATCH_READ_BYTES > self.input.len()
    }

    /// Where the next client's octets go.
    fn room(&mut self) -> &mut [u8] {
        &mut self.input[self.used..][..BATCH_READ_BYTES]
    }

    fn add(&mut self, index: u32, read: Read) {
        if self.count == self.members.len() {
            self.members.push(Member { index, read, start: 0, out: Vec::new(), lost: false });
        }
        let member = &mut self.members[self.count];
        assert!(member.out.is_empty(), "a buffer holds nothing of an earlier client");
        (member.index, member.read, member.start, member.lost) = (index, read, self.used, false);
        self.count += 1;
        if let Read::Octets(bytes) = read {
            self.used += bytes;
        }
    }

    fn member(&mut self, number: usize) -> (&mut Member, &[u8]) {
        let member = &mut self.members[number];
        let input = &self.input[member.start..];
        (member, input)
    }

    /// For the next batch. A client that was closed meanwhile has left its answer: no other client may find it.
    fn clear(&mut self) {
        for member in &mut self.members[..self.count] {
            member.out.clear();
            if member.out.capacity() > BATCH_OUTPUT_BYTES_KEPT {
                member.out = Vec::new();
            }
        }
        (self.used, self.count) = (0, 0);
    }
}

/// The thread's time: monotonic seconds since its start, from the coarse clock, which costs some 5 ns to read.
struct Time {
    start_seconds: u64,
    clock: Clock,
}

impl Time {
    fn new() -> Time {
        let start_seconds = coarse(ClockId::MonotonicCoarse).as_secs();
        Time { start_seconds, clock: Clock::new(0, coarse(ClockId::RealtimeCoarse).as_secs()) }
    }

    fn seconds(&self) -> u32 {
        self.clock.seconds()
    }

    fn tick(&mut self) {
        let seconds = (coarse(ClockId::MonotonicCoarse).as_secs() - self.start_seconds) as u32;
        if seconds != self.clock.seconds() {
            self.clock.set(seconds, coarse(ClockId::RealtimeCoarse).as_secs());
        }
    }

    /// From now to the beginning of a second, by the clock that `tick` reads.
    fn until(&self, second: u32) -> Duration {
        Duration::from_secs(self.start_seconds + u64::from(second)).saturating_sub(coarse(ClockId::MonotonicCoarse))
    }
}

/// A clock's reading; none of those asked here is ever negative.
fn coarse(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned() as u32)
}
