//! Threads with one queue: who runs what next, without making an I/O thread wait.
//!
//! ```text
//!   I/O thread ──push──▶ inbox (its own, lock-free) ─┐ drained under the lock by the crew's threads only
//!   I/O thread ──push──▶ inbox ──────────────────────┴▶ fair queue ──▶ workers: low priority
//!                                                           └────────▶ rescuers: normal priority, tasks that have
//!                                                                      waited > 100 ms, within 20 % of the machine
//! ```
//! An I/O thread must never wait for a lock that a thread of low priority can hold: the holder may be off the
//! processor for as long as the I/O threads are busy. So it pushes into a queue that only it pushes into, and wakes a
//! waiting thread by one word and one system call.

use crate::budget::Budget;
use crate::engine::THREAD_STACK_BYTES;
use crate::error::Error;
use crate::fair_queue::{FairQueue, Key, Room};
use crate::idle::IdleThreads;
use crate::stats::LaneStats;
use dayfly_sys::pile::Pile;
use dayfly_sys::thread as system;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A task that has waited so long is run at normal priority: fast tenants that keep the processors busy must not
/// starve an honest slow one.
const RESCUE_AFTER: Duration = Duration::from_millis(100);
/// Share of each processor that rescued tasks may take from the I/O threads.
const RESCUE_PER_SECOND: Duration = Duration::from_millis(200);
/// What rescues may take at once: one task at the default CPU limit.
const RESCUE_BURST: Duration = Duration::from_millis(50);

/// How long stopping waits for runs: as long as one at the default CPU limit takes on a busy machine.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// Something to do for a tenant.
pub trait Task: Send + 'static {
    /// Whose it is.
    fn tenant(&self) -> Key;
    /// Since when it waits.
    fn arrived(&self) -> Instant;
    /// Nobody waits for it any more, or its time is over: it is given to a thread soon, but not counted as run.
    fn is_over(&self, now: Instant) -> bool;
    /// CPU time that its tenant has used for it elsewhere.
    fn charged_ns(&self) -> u64;
}

/// How many threads do what.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Begins the names of its threads.
    pub name: &'static str,
    /// Threads at low priority.
    pub workers: usize,
    /// Their nice value, 1 to 19.
    pub nice: i32,
    /// Most of them for one tenant.
    pub tenant_workers_max: usize,
    /// Threads at normal priority for what has waited long.
    pub rescuers: usize,
    /// Processors, of which the rescuers may use a share.
    pub processors: usize,
    /// Threads that submit without a lock, by number. Any other thread uses the number behind the last.
    pub submitters: usize,
}

/// The threads and their queue.
#[derive(Debug)]
pub struct Crew<T> {
    options: Options,
    inboxes: Vec<Pile<T>>,
    queue: Mutex<Queue<T>>,
    idle_workers: IdleThreads,
    idle_rescuers: IdleThreads,
    /// A rescuer keeps an eye on the queue: nobody needs to wake one.
    watched: AtomicBool,
    stopping: AtomicBool,
    threads: Mutex<Threads>,
    counters: Counters,
}

/// Threads that were started, and how to know that all of them have ended.
#[derive(Debug)]
struct Threads {
    handles: Vec<JoinHandle<()>>,
    /// Each thread holds a sender as long as it lives.
    alive: Option<Sender<Infallible>>,
    ended: Receiver<Infallible>,
}

#[derive(Debug)]
struct Queue<T> {
    tasks: FairQueue<T>,
    busy_workers: usize,
    rescue: Budget,
}

/// Off the request path of the I/O threads, so shared.
#[derive(Debug, Default)]
struct Counters {
    waiting: AtomicU64,
    runs: AtomicU64,
    cpu_ns: AtomicU64,
    skipped: AtomicU64,
    rescued: AtomicU64,
    longest_wait_ns: AtomicU64,
}

/// What a rescuer does next.
enum Watch<T> {
    Run(Key, T),
    Discard(Vec<T>),
    LookAt(Instant),
    Rest,
}

impl<T: Task> Crew<T> {
    /// A crew without threads yet.
    pub fn new(options: Options) -> Arc<Crew<T>> {
        let rescue_per_second = RESCUE_PER_SECOND * options.processors as u32;
        let (alive, ended) = channel();
        let rescue = Budget::new(rescue_per_second, RESCUE_BURST, Instant::now());
        Arc::new(Crew {
            options,
            inboxes: (0..=options.submitters).map(|_| Pile::default()).collect(),
            queue: Mutex::new(Queue { tasks: FairQueue::default(), busy_workers: 0, rescue }),
            idle_workers: IdleThreads::new(options.workers),
            idle_rescuers: IdleThreads::new(options.rescuers),
            watched: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            threads: Mutex::new(Threads { handles: Vec::new(), alive: Some(alive), ended }),
            counters: Counters::default(),
        })
    }

    /// Starts the threads, once. Each makes itself a function that runs a task, and must not panic.
    pub fn start<R: FnMut(T)>(
        self: &Arc<Self>,
        make_runner: impl Fn() -> R + Clone + Send + 'static,
    ) -> Result<(), Error> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = threads.alive.take();
        for me in 0..self.options.workers {
            let (crew, make_runner, alive) = (self.clone(), make_runner.clone(), alive.clone());
            threads.handles.push(spawn(&format!("{}-{me}", self.options.name), move || {
                // Refused only where a filter forbids it; then the lane competes with the I/O threads as equals.
                let _ = system::yield_to_others(crew.options.nice);
                crew.work(me, make_runner());
                drop(alive);
            })?);
        }
        for me in 0..self.options.rescuers {
            let (crew, make_runner, alive) = (self.clone(), make_runner.clone(), alive.clone());
            threads.handles.push(spawn(&format!("{}-rescue-{me}", self.options.name), move || {
                crew.watch(me, make_runner());
                drop(alive);
            })?);
        }
        Ok(())
    }

    /// Threads, rescuers included.
    pub fn threads(&self) -> usize {
        self.options.workers + self.options.rescuers
    }

    /// Adds a task; never blocks. `submitter`: the number of the calling I/O thread, or the number behind the last.
    pub fn submit(&self, submitter: usize, task: T) {
        self.counters.waiting.fetch_add(1, Ordering::Relaxed);
        self.inboxes[submitter].push(task);
        self.idle_workers.wake_one();
        // `wake_one` has a full fence between the push and this look; `rest` has one between its store and its look.
        if !self.watched.load(Ordering::Relaxed) && !self.watched.swap(true, Ordering::Relaxed) {
            self.idle_rescuers.wake_all();
        }
    }

    /// Ends the threads once the queue is empty, and waits for that. A thread in the middle of a run that takes longer
    /// ends by itself later: whoever waited for the run is gone. What is submitted from now on may never be run.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.idle_workers.wake_all();
        self.idle_rescuers.wake_all();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        drop(threads.alive.take());
        if threads.ended.recv_timeout(STOP_PATIENCE) == Err(RecvTimeoutError::Disconnected) {
            for thread in threads.handles.drain(..) {
                // A panic that got here has been printed; it ended that thread only.
                let _ = thread.join();
            }
        }
    }

    /// The crew's figures.
    pub fn stats(&self) -> LaneStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LaneStats {
            threads: self.options.workers as u64,
            waiting: get(&self.counters.waiting),
            runs: get(&self.counters.runs),
            cpu_ns: get(&self.counters.cpu_ns),
            skipped: get(&self.counters.skipped),
            rescued: get(&self.counters.rescued),
            longest_wait_ns: get(&self.counters.longest_wait_ns),
        }
    }

    // ---- workers ----

    fn work(&self, me: usize, mut run: impl FnMut(T)) {
        while let Some((tenant, task)) = self.next(me) {
            let cpu_ns = self.timed(task, &mut run);
            let mut queue = self.lock();
            queue.busy_workers -= 1;
            queue.tasks.ended(tenant, cpu_ns);
        }
    }

    /// The next task; waits for one. None: the crew stops.
    fn next(&self, me: usize) -> Option<(Key, T)> {
        loop {
            if let Some(taken) = self.take() {
                return Some(taken);
            }
            if self.stopping.load(Ordering::SeqCst) {
                return None;
            }
            self.idle_workers.wait(me, || self.has_news());
        }
    }

    fn take(&self) -> Option<(Key, T)> {
        let mut queue = self.lock();
        self.collect(&mut queue.tasks);
        let idle = self.options.workers - queue.busy_workers;
        let taken = queue.tasks.take(Room { idle, tenant_max: self.options.tenant_workers_max })?;
        queue.busy_workers += 1;
        if !queue.tasks.is_empty() {
            // One waker may have announced several tasks, or found nobody waiting.
            self.idle_workers.wake_one();
        }
        Some(taken)
    }

    fn collect(&self, tasks: &mut FairQueue<T>) {
        for inbox in &self.inboxes {
            for task in inbox.take() {
                tasks.push(task.tenant(), task.charged_ns(), task);
            }
        }
    }

    fn has_news(&self) -> bool {
        self.stopping.load(Ordering::SeqCst) || self.inboxes.iter().any(|inbox| !inbox.is_empty())
    }

    /// Runs a task and returns the CPU time it took.
    fn timed(&self, task: T, run: &mut impl FnMut(T)) -> u64 {
        let now = Instant::now();
        let waited_ns = now.saturating_duration_since(task.arrived()).as_nanos() as u64;
        self.counters.waiting.fetch_sub(1, Ordering::Relaxed);
        self.counters.longest_wait_ns.fetch_max(waited_ns, Ordering::Relaxed);
        let count = if task.is_over(now) { &self.counters.skipped } else { &self.counters.runs };
        count.fetch_add(1, Ordering::Relaxed);
        let began_ns = system::cpu_ns();
        run(task);
        let cpu_ns = system::cpu_ns() - began_ns;
        self.counters.cpu_ns.fetch_add(cpu_ns, Ordering::Relaxed);
        cpu_ns
    }

    // ---- rescuers ----

    fn watch(&self, me: usize, mut run: impl FnMut(T)) {
        while !self.stopping.load(Ordering::SeqCst) {
            match self.look(Instant::now()) {
                Watch::Run(tenant, task) => {
                    self.counters.rescued.fetch_add(1, Ordering::Relaxed);
                    let cpu_ns = self.timed(task, &mut run);
                    let mut queue = self.lock();
                    queue.rescue.spend(Duration::from_nanos(cpu_ns), Instant::now());
                    queue.tasks.ended(tenant, cpu_ns);
                }
                Watch::Discard(tasks) => {
                    for task in tasks {
                        self.timed(task, &mut run);
                    }
                }
                Watch::LookAt(then) => thread::park_timeout(then.saturating_duration_since(Instant::now())),
                Watch::Rest => self.rest(me),
            }
        }
    }

    /// Finds what is over, then what has waited too long, then when to look again.
    fn look(&self, now: Instant) -> Watch<T> {
        let mut queue = self.lock();
        self.collect(&mut queue.tasks);
        let over = queue.tasks.remove_oldest(|task| task.is_over(now));
        if !over.is_empty() {
            return Watch::Discard(over);
        }
        if queue.tasks.is_empty() {
            return Watch::Rest;
        }
        if !queue.rescue.allows(now) {
            return Watch::LookAt(now + queue.rescue.wait(now).min(RESCUE_AFTER));
        }
        match queue.tasks.take_unserved(|task| task.arrived() + RESCUE_AFTER <= now) {
            Some((tenant, task)) => Watch::Run(tenant, task),
            None => Watch::LookAt(next_look(&queue.tasks, now)),
        }
    }

    /// Waits until something is submitted. The first look then comes after as long as nothing can be rescued yet.
    fn rest(&self, me: usize) {
        self.watched.store(false, Ordering::SeqCst);
        self.idle_rescuers.wait(me, || self.has_news() || self.watched.load(Ordering::SeqCst));
        self.watched.store(true, Ordering::SeqCst);
        if !self.stopping.load(Ordering::SeqCst) {
            thread::park_timeout(RESCUE_AFTER);
        }
    }

    /// The lock of the crew's own threads. A panic under it would be a fault in the queue itself.
    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the first of the waiting tasks can be rescued. Tasks whose wall time ends earlier are found by then too.
fn next_look<T: Task>(tasks: &FairQueue<T>, now: Instant) -> Instant {
    let late = now + RESCUE_AFTER;
    tasks.unserved().map(|task| task.arrived() + RESCUE_AFTER).min().map_or(late, |then| then.min(late))
}

/// Starts a thread of this name, with a stack that guests can run on.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Error> {
    let builder = thread::Builder::new().name(name.to_owned()).stack_size(THREAD_STACK_BYTES);
    let started = builder.spawn(body);
    started.map_err(|error| Error::io(format!("cannot start thread `{name}`"), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: Options = Options {
        name: "test",
        workers: 2,
        nice: 10,
        tenant_workers_max: 2,
        rescuers: 1,
        processors: 2,
        submitters: 1,
    };

    /// Waits for a word before it ends, so that tests decide the order of things.
    struct Held {
        tenant: Key,
        arrived: Instant,
        over: bool,
        begun: Sender<Key>,
        go_on: Option<Receiver<()>>,
    }

    impl Task for Held {
        fn tenant(&self) -> Key {
            self.tenant
        }
        fn arrived(&self) -> Instant {
            self.arrived
        }
        fn is_over(&self, _: Instant) -> bool {
            self.over
        }
        fn charged_ns(&self) -> u64 {
            0
        }
    }

    fn run(task: Held) {
        let _ = task.begun.send(task.tenant);
        if let Some(go_on) = task.go_on {
            let _ = go_on.recv();
        }
    }

    struct Bench {
        crew: Arc<Crew<Held>>,
        begin: Sender<Key>,
        begun: Receiver<Key>,
    }

    impl Bench {
        fn new(options: Options) -> Bench {
            let crew = Crew::new(options);
            crew.start(|| run).expect("threads");
            let (sender, begun) = channel();
            Bench { crew, begin: sender, begun }
        }

        fn submit(&self, tenant: Key) {
            self.submit_held(tenant, None);
        }

        fn submit_held(&self, tenant: Key, go_on: Option<Receiver<()>>) {
            let arrived = Instant::now();
            self.crew.submit(0, Held { tenant, arrived, over: false, begun: self.begin.clone(), go_on });
        }

        /// Submits a task that runs until the returned sender goes.
        fn hold(&self, tenant: Key) -> Sender<()> {
            let (release, go_on) = channel();
            self.submit_held(tenant, Some(go_on));
            release
        }

        fn next(&self) -> Key {
            self.begun.recv_timeout(Duration::from_mins(1)).expect("a task begins")
        }

        fn end(self) -> LaneStats {
            self.crew.stop();
            self.crew.stats()
        }
    }

    #[test]
    fn every_task_is_run() {
        let bench = Bench::new(OPTIONS);
        (0..10_000).for_each(|n| bench.submit(n % 7));
        for _ in 0..10_000 {
            bench.next();
        }
        let stats = bench.end();
        assert_eq!((stats.runs, stats.waiting, stats.skipped), (10_000, 0, 0));
    }

    #[test]
    fn one_tenant_leaves_a_thread_for_the_others() {
        let bench = Bench::new(OPTIONS);
        let held = bench.hold(1);
        assert_eq!(bench.next(), 1);
        bench.submit(1);
        bench.submit(2);
        assert_eq!(bench.next(), 2, "the second of tenant 1 waits while its first runs");
        drop(held);
        assert_eq!(bench.next(), 1);
        bench.end();
    }

    #[test]
    fn what_waits_too_long_is_rescued() {
        let bench = Bench::new(OPTIONS);
        let held = [bench.hold(1), bench.hold(2)];
        assert_eq!([bench.next(), bench.next()].iter().sum::<Key>(), 3);
        bench.submit(3);
        assert_eq!(bench.next(), 3, "though all workers are busy");
        drop(held);
        assert_eq!(bench.end().rescued, 1);
    }

    #[test]
    fn what_is_over_is_discarded_though_all_are_busy() {
        let bench = Bench::new(OPTIONS);
        let held = [bench.hold(1), bench.hold(2)];
        assert_eq!([bench.next(), bench.next()].iter().sum::<Key>(), 3);
        let over = Held { tenant: 1, arrived: Instant::now(), over: true, begun: bench.begin.clone(), go_on: None };
        bench.crew.submit(1, over);
        assert_eq!(bench.next(), 1);
        drop(held);
        assert_eq!(bench.end().skipped, 1);
    }

    #[test]
    fn stopping_empties_the_queue_first() {
        let bench = Bench::new(Options { workers: 1, rescuers: 0, ..OPTIONS });
        let held = bench.hold(1);
        assert_eq!(bench.next(), 1);
        (2..50).for_each(|tenant| bench.submit(tenant));
        bench.crew.stopping.store(true, Ordering::SeqCst);
        drop(held);
        assert_eq!(bench.end().runs, 49);
    }

    #[test]
    fn stopping_does_not_wait_for_a_run_without_end() {
        let bench = Bench::new(OPTIONS);
        let held = bench.hold(1);
        assert_eq!(bench.next(), 1);
        bench.end();
        drop(held);
    }
}
