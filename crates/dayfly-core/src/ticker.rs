//! The engine's clock: one tick a millisecond while some guest is found running, one in one and a half while guests come
//! and go between two looks, nothing at all while none comes.
//!
//! A tick is what lets a running guest be looked at. Each thread that runs guests has a [`Pulse`], which it beats before
//! and after a run without any fence. The ticker looks at the pulses; when none has moved for a while it goes to sleep,
//! and the next beat wakes it. The two cannot miss each other: the ticker says that it sleeps, then makes every thread
//! of the process pass a fence (`membarrier`), and then looks once more.

use dayfly_sys::fault;
use dayfly_sys::thread::fence_all_threads;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use wasmtime::EngineWeak;

/// Time between ticks. 250 us gained nothing measurable.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Until the next look if no guest was running at the last one. A run that nobody has met yet is thus stopped after 2.5 ms
/// at most. On a machine of one processor each look costs some 10 us (two task switches and the timer), and that of a
/// virtual one more: looking every millisecond took 2 to 3 % of it.
pub(crate) const CALM_TICK: Duration = Duration::from_micros(1_500);
/// Ticks made up for at once when the ticker comes late; what is older is forgotten.
const LATE_TICKS_MAX: u32 = 16;
/// Ticks without any run before the ticker sleeps: waking it costs more than ticking on for a moment.
const IDLE_TICKS_MAX: u32 = 50;
/// How often it looks where the kernel has no fence for it to sleep by.
const UNFENCED_IDLE: Duration = Duration::from_millis(10);
/// The I/O threads must not wait for the ticker's time slice to end, and it is due every millisecond.
const SLICE_NS: u64 = 100_000;

/// One thread's runs, counted twice each: odd while a guest runs.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Pulse {
    beats: AtomicU64,
}

impl Pulse {
    fn beat(&self) {
        // Only its own thread writes, so this need not be one operation.
        self.beats.store(self.beats.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

/// All pulses ever needed at a time. They are reused, never freed: there are as many as threads that run guests.
static PULSES: Mutex<Vec<&'static Pulse>> = Mutex::new(Vec::new());
static SPARE: Mutex<Vec<&'static Pulse>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands the thread's pulse back when the thread ends.
struct Held(&'static Pulse);

impl Drop for Held {
    fn drop(&mut self) {
        lock(&SPARE).push(self.0);
    }
}

/// The calling thread's pulse.
#[inline]
fn pulse() -> &'static Pulse {
    PULSE.get().unwrap_or_else(new_pulse)
}

thread_local! {
    static PULSE: Cell<Option<&'static Pulse>> = const { Cell::new(None) };
    static HELD: Cell<Option<Held>> = const { Cell::new(None) };
}

#[cold]
fn new_pulse() -> &'static Pulse {
    let spare = lock(&SPARE).pop();
    let pulse = spare.unwrap_or_else(|| {
        let pulse: &'static Pulse = Box::leak(Box::default());
        lock(&PULSES).push(pulse);
        pulse
    });
    HELD.set(Some(Held(pulse)));
    PULSE.set(Some(pulse));
    pulse
}

/// A guest runs on this thread as long as the value lives.
pub(crate) struct Running(&'static Pulse);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.beat();
    }
}

/// The time that its ticks stand for. A look costs a nanosecond: a clock for those who need no more than milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticks(Arc<AtomicU64>);

impl Ticks {
    /// So far. It goes on at ticks only, by the time since the one before, and stands while no guest runs.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// A tick after so long a pause. What it came late is the machine's, and no guest's.
    pub(crate) fn add(&self, pause: Duration) {
        self.0.fetch_add(pause.as_nanos() as u64, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Shared {
    ticks: Ticks,
    asleep: AtomicBool,
    ended: AtomicBool,
}

/// The thread that ticks for one engine. It ends with the value.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(engine: EngineWeak) -> std::io::Result<Ticker> {
        let shared = Arc::<Shared>::default();
        let ticking = Arc::clone(&shared);
        let thread = thread::Builder::new().name("dayfly-tick".to_owned()).stack_size(64 << 10).spawn(move || {
            // Without it ticks come a little later, that is all.
            dayfly_sys::thread::slice_ns(SLICE_NS).ok();
            ticking.tick_while_needed(&engine);
        })?;
        Ok(Ticker { shared, thread: thread.thread().clone() })
    }

    /// To be called on the thread that runs a guest, before it runs.
    #[inline]
    pub(crate) fn run(&self) -> Running {
        let pulse = pulse();
        pulse.beat();
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::Relaxed) {
            self.wake();
        }
        Running(pulse)
    }

    /// Its count, to look at from any thread.
    pub(crate) fn ticks(&self) -> Ticks {
        self.shared.ticks.clone()
    }

    #[cold]
    fn wake(&self) {
        // Nobody has looked while it slept, and the guest that is about to run may write at once.
        fault::ensure_on_top().ok();
        self.shared.asleep.store(false, Ordering::SeqCst);
        self.thread.unpark();
    }

    /// Whether it ticks no more until the next run.
    #[cfg(test)]
    pub(crate) fn is_asleep(&self) -> bool {
        self.shared.asleep.load(Ordering::SeqCst)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.wake();
    }
}

impl Shared {
    fn tick_while_needed(&self, engine: &EngineWeak) {
        let (mut last, mut idle, mut ticked) = (beats(), 0, Instant::now());
        while !self.ended.load(Ordering::SeqCst) {
            let pause = if last.1 { TICK } else { CALM_TICK };
            thread::sleep(pause);
            let Some(engine) = engine.upgrade() else { return };
            // Deadlines are counted in ticks: those that a busy machine kept it from would be given to the guests.
            for _ in 0..due(&mut ticked, Instant::now()) {
                engine.increment_epoch();
            }
            self.ticks.add(pause);
            drop(engine);
            // Somebody's crash reporter (Python's, say) may have come: slots that exist need the handler, too. 0.5 us.
            fault::ensure_on_top().ok();
            let now = beats();
            idle = if now == last && !now.1 { idle + 1 } else { 0 };
            if idle > IDLE_TICKS_MAX {
                self.sleep(now.0);
                (idle, ticked) = (0, Instant::now());
            }
            last = now;
        }
    }

    fn sleep(&self, seen: u64) {
        self.asleep.store(true, Ordering::SeqCst);
        let fenced = fence_all_threads().is_ok();
        while self.asleep.load(Ordering::SeqCst) {
            let (beats, running) = beats();
            if beats != seen || running {
                self.asleep.store(false, Ordering::SeqCst);
            } else if fenced {
                thread::park();
            } else {
                thread::park_timeout(UNFENCED_IDLE);
            }
        }
    }
}

/// Ticks due at `now`, at least one; `ticked` becomes the time of the last of them.
fn due(ticked: &mut Instant, now: Instant) -> u32 {
    let late = now.saturating_duration_since(*ticked);
    let due = (late.as_nanos() / TICK.as_nanos()).clamp(1, LATE_TICKS_MAX.into()) as u32;
    *ticked = if due == LATE_TICKS_MAX { now } else { *ticked + TICK * due };
    due
}

/// The sum of all pulses, and whether some guest runs now.
fn beats() -> (u64, bool) {
    lock(&PULSES)
        .iter()
        .map(|pulse| pulse.beats.load(Ordering::Relaxed))
        .fold((0, false), |(sum, running), beats| (sum.wrapping_add(beats), running || !beats.is_multiple_of(2)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, EngineOptions};

    #[track_caller]
    fn wait_until(what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !condition() {
            assert!(Instant::now() < deadline, "{what}");
            thread::yield_now();
        }
    }

    #[test]
    fn an_idle_engine_stops_ticking_and_a_run_wakes_it() {
        let engine = Engine::new(&EngineOptions::default()).expect("an engine");
        let code = wat::parse_str("(module (func (export \"spin\") (loop (br 0))))").expect("valid text");
        let module = wasmtime::Module::new(engine.wasmtime(), code).expect("it compiles");
        for _ in 0..3 {
            // Other tests of this process may run guests meanwhile, and each of their beats wakes it.
            wait_until("the ticker sleeps", || engine.ticker().is_asleep());
            let mut store = wasmtime::Store::new(engine.wasmtime(), ());
            store.set_epoch_deadline(2);
            let instance = wasmtime::Instance::new(&mut store, &module, &[]).expect("an instance");
            let spin = instance.get_typed_func::<(), ()>(&mut store, "spin").expect("it is there");
            let running = engine.run();
            let error = spin.call(&mut store, ()).expect_err("the ticks stop it");
            drop(running);
            assert_eq!(error.downcast_ref::<wasmtime::Trap>(), Some(&wasmtime::Trap::Interrupt));
        }
    }

    #[test]
    fn ticks_that_came_late_are_made_up_for() {
        let start = Instant::now();
        let (mut ticked, at) = (start, |ms: f64| start + Duration::from_secs_f64(ms / 1000.0));
        let found = [1.1, 2.3, 7.9, 8.1, 9.2, 3_600_000.0, 3_600_001.1].map(|ms| due(&mut ticked, at(ms)));
        assert_eq!(found, [1, 1, 5, 1, 1, LATE_TICKS_MAX, 1]);
    }

    #[test]
    fn the_ticker_ends_with_its_engine() {
        let engine = Engine::new(&EngineOptions::default()).expect("an engine");
        let weak = engine.wasmtime().weak();
        drop(engine);
        wait_until("nobody holds the engine", || weak.upgrade().is_none());
    }

    #[test]
    fn a_thread_that_ends_leaves_its_pulse_to_the_next() {
        let pulse_of_a_thread = || {
            let address = thread::spawn(|| std::ptr::from_ref(pulse()) as usize);
            address.join().expect("the thread ends well")
        };
        let first = pulse_of_a_thread();
        assert!((0..100).any(|_| pulse_of_a_thread() == first), "pulses are reused");
    }
}
