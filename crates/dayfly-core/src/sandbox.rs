//! One call under limits, and the way back to the snapshot.
//!
//! ```text
//!            call                      restore
//!   clean ─────────▶ used ────────────────────────▶ clean
//!                     │ trap, kill, doubt: Spent
//!                     └──────────────────────────▶ dropped, never repaired
//! ```

use crate::engine::{Counters, GC_HEAP_BYTES, STACK_BYTES_KEPT};
use crate::error::{Error, Stop};
use crate::frame;
use crate::freeze::{flag, new_guest, stop_of};
use crate::hostcalls::{Host, LogLimits, Phase, Places};
use crate::message::{Answer, Request};
use crate::meter::Meter;
pub use crate::meter::{Allowance, Lane};
use crate::release::Release;
use crate::reply::{self, Unread};
use crate::residency::Lease;
use dayfly_sys::guest::Guest;
use dayfly_sys::stack;
use dayfly_wasm::abi::{export, takes};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use wasmtime::{AsContextMut, Instance, TypedFunc};

/// A whole memory is compared at every so many checks of a slot.
const WHOLE_CHECK_EVERY: u32 = 10_000;
/// A release learns what its program writes to from one restore in this many, each a lock.
const LEARN_EVERY: u64 = 256;
/// A content buffer that grew beyond this is given back after the request.
const BODY_BYTES_KEPT: usize = 64 << 10;

/// What became of a used sandbox.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// As its snapshot again: ready for any request of its release.
    Clean,
    /// To be dropped.
    Spent,
}

/// A slot holding a release's instance, for one request at a time.
pub struct Sandbox {
    guest: Guest<Host>,
    instance: Instance,
    entry: TypedFunc<u32, u32>,
    places: Places,
    /// Ends before the release.
    _lease: Arc<Lease>,
    release: Arc<Release>,
    cpu_ns: u64,
    /// A run was stopped in the middle: what it left behind is not worth knowing.
    aborted: bool,
    /// Clean restores so far.
    runs: u64,
    runs_counted: u64,
    checks: Checks,
}

/// When restored memory is compared with the image.
struct Checks {
    /// Restores between two checks; 0: never.
    every: u32,
    until_next: u32,
    done: u32,
}

impl Sandbox {
    /// Makes a clean sandbox. Blocks if the release is not in memory.
    ///
    /// # Errors
    /// `Io` or `Refused` if there is no room for one, `Damaged` if the release cannot be loaded.
    pub fn new(release: &Arc<Release>) -> Result<Sandbox, Error> {
        Sandbox::of(release, release.lease()?)
    }

    /// Makes a clean sandbox of a release that is in memory.
    pub(crate) fn of(release: &Arc<Release>, lease: Arc<Lease>) -> Result<Sandbox, Error> {
        let engine = release.engine();
        let idle = Allowance { lane: Lane::Inline, cpu_ns_max: 0, wall_deadline: None };
        let mut host = Host::new(Phase::Request, Meter::start(idle), LogLimits::from(release.limits()));
        host.secrets = release.secrets();
        let host_page_offset = release.layout().host_page_offset as usize;
        let (mut guest, instance, places) = new_guest(engine, &lease.instance, host, &lease.image, host_page_offset)?;
        let entry = instance.get_typed_func(guest.context(), export::ENTRY);
        let entry = entry.map_err(|error| Error::Refused(format!("export `{}`: {error:#}", export::ENTRY)))?;
        let every = release.paranoid_every();
        let checks = Checks { every, until_next: every, done: 0 };
        let counters = engine.counters();
        Counters::add(&counters.slots, 1);
        Counters::add(&counters.slots_made, 1);
        let release = Arc::clone(release);
        let mut sandbox = Sandbox {
            guest,
            instance,
            entry,
            places,
            _lease: lease,
            release,
            cpu_ns: 0,
            aborted: false,
            runs: 0,
            runs_counted: 0,
            checks,
        };
        sandbox.expect_writes()?;
        Ok(sandbox)
    }

    /// Opens the pages that earlier slots of the release wrote to: without it the first request pays for each.
    fn expect_writes(&mut self) -> Result<(), Error> {
        let expected = self.release.expected_writes().lock().unwrap_or_else(PoisonError::into_inner).clone();
        let opened = self.guest.expect_writes(expected.into_iter());
        opened.map_err(|error| Error::io("memory for a sandbox", error))
    }

    /// The release that it runs.
    pub fn release(&self) -> &Arc<Release> {
        &self.release
    }

    /// Runs the program once. `answer` is emptied first; its log is filled also if the run is stopped.
    ///
    /// # Errors
    /// Why there is no reply.
    pub fn call(&mut self, request: &Request<'_>, allowance: &Allowance, answer: &mut Answer) -> Result<(), Stop> {
        answer.reply.clear();
        answer.log.clear();
        self.begin(request, allowance);
        let run = catch_unwind(AssertUnwindSafe(|| self.run(request)));
        self.end(answer);
        // Last of all, so that the outcome is made where the caller wants it.
        match run {
            Ok(Ok(address)) => {
                self.read_reply(address, request.method, answer).map_err(|stop| self.after_refused_growth(stop))
            }
            Ok(Err(stop)) => self.abort(stop),
            Err(_panic) => self.abort(Stop::Internal("a hostcall panicked".to_owned())),
        }
    }

    fn begin(&mut self, request: &Request<'_>, allowance: &Allowance) {
        let host = self.guest.data_mut();
        host.meter = Meter::start(*allowance);
        let taken = self.release.takes();
        if taken & takes::BODY != 0 && !frame::holds_body(self.release.layout(), taken, request) {
            host.body.extend_from_slice(request.body);
        }
    }

    /// Gives the address of the reply record.
    fn run(&mut self, request: &Request<'_>) -> Result<u32, Stop> {
        let release = &self.release;
        let _running = release.engine().run();
        let mut lent = self.guest.lend();
        let frame = match release.takes() {
            0 => 0,
            taken => frame::write(lent.memory_mut().0, release.layout(), taken, request)?,
        };
        let mut context = lent.context();
        context.set_epoch_deadline(1);
        self.entry.call(&mut context, frame).map_err(|error| stop_of(&error))
    }

    #[cold]
    fn abort(&mut self, stop: Stop) -> Result<(), Stop> {
        self.aborted = true;
        Err(self.after_refused_growth(stop))
    }

    /// A program that dies after a growth was refused dies of that, also if it says so itself.
    #[cold]
    fn after_refused_growth(&mut self, stop: Stop) -> Stop {
        match stop {
            Stop::Trap(text) if flag(&self.instance, self.guest.context(), export::REFUSED) => Stop::Memory(text),
            stop => stop,
        }
    }

    /// Memory only grows, so what lies inside its size at the snapshot needs no look at its size now.
    fn read_reply(&mut self, address: u32, method: &str, answer: &mut Answer) -> Result<(), Stop> {
        let limits = self.release.limits();
        let frozen = &self.guest.memory()[..self.release.size()];
        match reply::read(frozen, address, limits, method, &mut answer.reply) {
            Err(Unread::Outside(_)) => {}
            read => return Ok(read?),
        }
        answer.reply.clear();
        let size = self.places.size(self.guest.context().as_context_mut());
        Ok(reply::read(&self.guest.memory()[..size], address, limits, method, &mut answer.reply)?)
    }

    fn end(&mut self, answer: &mut Answer) {
        let host = self.guest.data_mut();
        self.cpu_ns = host.meter.used_ns();
        if self.cpu_ns > 0 {
            // Longer than a tick: it may have gone deep, and so may a thousand others, on threads that never end.
            stack::give_back(STACK_BYTES_KEPT);
        }
        if !host.log.is_empty() {
            std::mem::swap(&mut host.log, &mut answer.log);
        }
        if !host.body.is_empty() {
            host.body.clear();
            host.body.shrink_to(BODY_BYTES_KEPT);
        }
    }

    /// CPU time of the last call in nanoseconds; 0 if it ended, inline, before the first tick.
    pub fn cpu_ns(&self) -> u64 {
        self.cpu_ns
    }

    /// Whether a hostcall blocked in the last call.
    pub fn blocked(&self) -> bool {
        self.guest.data().meter.blocked
    }

    /// Makes the sandbox equal to its snapshot again, or says that it must be dropped.
    pub fn restore(&mut self) -> Restored {
        if self.aborted || self.has_state_outside_memory() || !self.guest.restore() {
            return self.discard();
        }
        self.runs += 1;
        if self.runs.is_multiple_of(LEARN_EVERY) {
            self.learn_writes();
        }
        match self.checks.due() {
            None => Restored::Clean,
            Some(whole) => self.check(whole),
        }
    }

    #[cold]
    fn discard(&mut self) -> Restored {
        Counters::add(&self.release.engine().counters().discards, 1);
        Restored::Spent
    }

    /// Whether the run left something that restoring memory does not undo.
    fn has_state_outside_memory(&mut self) -> bool {
        // A program cannot look at exceptions that nobody holds, and the engine collects them before it lets the heap
        // grow. So what a run leaves there shows only if the heap has grown.
        let heap_has_grown = self.guest.gc_heap_bytes() > GC_HEAP_BYTES;
        let is_fresh = self.release.fresh().is_some();
        heap_has_grown || (is_fresh && flag(&self.instance, self.guest.context(), export::UNSAVED))
    }

    /// Keeps the hot set for the slots to come.
    #[cold]
    fn learn_writes(&mut self) {
        if let Ok(mut expected) = self.release.expected_writes().try_lock()
            && self.guest.restores_quickly()
        {
            expected.clear();
            expected.extend(self.guest.hot());
        }
        self.count();
    }

    /// Adds to the engine's counters what has happened since the last time.
    fn count(&mut self) {
        let counters = self.release.engine().counters();
        Counters::add(&counters.restores, self.runs - self.runs_counted);
        self.runs_counted = self.runs;
        Counters::add(&counters.faults, u64::from(self.guest.take_faults()));
    }

    #[cold]
    fn check(&mut self, whole: bool) -> Restored {
        let counters = self.release.engine().counters();
        Counters::add(&counters.paranoid_checks, 1);
        let found = if whole { Ok(self.guest.check_all()) } else { self.guest.check_own_pages() };
        match found {
            Ok(None) => Restored::Clean,
            // A check that cannot be made finds nothing out; the slot goes, the release stays.
            Err(_) => Restored::Spent,
            Ok(Some(_)) => {
                Counters::add(&counters.paranoid_differences, 1);
                self.release.condemn();
                Restored::Spent
            }
        }
    }

    /// Compares the whole memory with the image.
    pub fn equals_image(&self) -> bool {
        self.guest.check_all().is_none()
    }

    /// The pages restored after each request, in no order.
    pub fn hot(&self) -> impl Iterator<Item = u32> + '_ {
        self.guest.hot()
    }

    /// Their number.
    pub fn hot_pages(&self) -> usize {
        self.guest.hot_pages()
    }

    /// Pages that it may have for itself.
    pub(crate) fn own_pages(&self) -> usize {
        self.guest.own_pages()
    }

    /// Whether restoring is cheap enough for an I/O thread.
    pub fn restores_quickly(&self) -> bool {
        self.guest.restores_quickly()
    }

    /// Upper bound on the mappings it holds.
    pub(crate) fn mappings_max(&self) -> usize {
        self.guest.mappings_max()
    }
}

impl Checks {
    /// Whether a check is due after this restore, and if it is one of the whole memory.
    fn due(&mut self) -> Option<bool> {
        if self.every == 0 {
            return None;
        }
        self.until_next -= 1;
        if self.until_next > 0 {
            return None;
        }
        self.until_next = self.every;
        self.done = self.done.wrapping_add(1);
        Some(self.done.is_multiple_of(WHOLE_CHECK_EVERY))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let counters = self.release.engine().counters();
        Counters::subtract(&counters.slots, 1);
        self.count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_cache::CodeCache;
    use crate::engine::{Engine, EngineOptions, Paranoid, Protection};
    use crate::error::Error;
    use crate::freeze::freeze;
    use crate::limits::Limits;
    use crate::pool::{Pool, PoolOptions};
    use std::fs::OpenOptions;
    use std::os::unix::fs::FileExt;

    /// Counts in memory, beyond its first page.
    const COUNTER: &str = r#"(module
        (memory (export "memory") 4)
        (data (i32.const 0) "\c8\00\00\00")
        (func (export "dayfly_handle") (param i32) (result i32)
            (i32.store (i32.const 70000) (i32.add (i32.load (i32.const 70000)) (i32.const 1)))
            (i32.const 0)))"#;

    fn release(options: &EngineOptions) -> Arc<Release> {
        let directory = std::env::temp_dir().join(format!("dayfly-sandbox-{}", std::process::id()));
        let engine = Engine::new(options).expect("an engine");
        let cache = CodeCache::open(&directory).expect("a cache");
        let wasm = wat::parse_str(COUNTER).expect("valid text");
        let snapshot = freeze(&engine, &cache, &wasm, &Limits::default()).expect("it freezes");
        let release = Release::from_snapshot(&engine, &cache, &snapshot, &Limits::default()).expect("it loads");
        std::fs::remove_dir_all(&directory).ok();
        release
    }

    fn call(sandbox: &mut Sandbox) {
        let allowance = Allowance { lane: Lane::Inline, cpu_ns_max: u64::MAX, wall_deadline: None };
        sandbox.call(&Request::PLAIN, &allowance, &mut Answer::default()).expect("an answer");
    }

    /// Writes past every protection, as a bug of ours or of the kernel would.
    fn smuggle(sandbox: &Sandbox, at: usize) {
        let memory = OpenOptions::new().write(true).open("/proc/self/mem").expect("the kernel lets us");
        memory.write_all_at(b"!", sandbox.guest.memory().as_ptr() as u64 + at as u64).expect("the page is there");
    }

    #[test]
    fn a_difference_condemns_the_release() {
        for protection in [Protection::Auto, Protection::Mprotect] {
            let release =
                release(&EngineOptions { protection, paranoid: Paranoid::Every(1), ..EngineOptions::default() });
            let engine = release.engine().clone();
            let mut pool = Pool::new(release.engine(), PoolOptions::default());
            for _ in 0..3 {
                call(&mut pool.take(&release).expect("a sandbox"));
            }
            assert!(!release.condemned());
            {
                let mut lent = pool.take(&release).expect("a sandbox");
                call(&mut lent);
                // Where userfaultfd has nothing to watch yet; it would not let this through.
                smuggle(&lent, 1000 * dayfly_sys::PAGE_BYTES);
            }
            assert!(release.condemned());
            assert_eq!((engine.counters().snapshot().paranoid_differences, pool.slots()), (1, 0));
            assert!(matches!(pool.take(&release), Err(Error::Internal(_))));
        }
    }

    #[test]
    fn the_whole_memory_is_checked_now_and_then() {
        let mut checks = Checks { every: 2, until_next: 2, done: 0 };
        let due: Vec<_> = (0..2 * WHOLE_CHECK_EVERY).filter_map(|_| checks.due()).collect();
        assert_eq!(due.len() as u32, WHOLE_CHECK_EVERY);
        assert_eq!(due.iter().position(|whole| *whole), Some(due.len() - 1));
    }
}
