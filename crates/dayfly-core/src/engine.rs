//! The engine as this server sets it up, and what all sandboxes of a process share.

use crate::error::Error;
use crate::hostcalls::{self, Host};
use crate::release::Parents;
use crate::residency::{Residency, ResidencyStats};
use crate::ticker::{Running, Ticker};
use dayfly_sys::arena::{Arena, GC_HEAP_BYTES_MAX, GC_HEAP_GUARD_BYTES, GUARD_BYTES, MEMORY_RESERVATION_BYTES};
use dayfly_sys::fault;
pub use dayfly_sys::protect::Protection;
use dayfly_sys::stack;
use rustix::process::{Resource, getrlimit};
use serde::Serialize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use wasmtime::{Config, InstancePre, Linker, Module};

/// Native stack that a guest may use. `CPython` looks at its own stack only, of 1 MiB; where that grows most slowly, in
/// `json.loads` of brackets within brackets, 31 octets here go with one there.
const STACK_BYTES_MAX: usize = 32 << 20;
/// What hostcalls and the engine need of it besides.
const STACK_MARGIN_BYTES: usize = 1 << 20;
/// The stack of threads that run guests. It is address space until it is used.
pub(crate) const THREAD_STACK_BYTES: usize = STACK_BYTES_MAX + 2 * STACK_MARGIN_BYTES;
/// What a thread keeps of its stack when a guest has used more.
pub(crate) const STACK_BYTES_KEPT: usize = 1 << 20;
/// Size of the engine's heap for exceptions when it is first needed.
pub(crate) const GC_HEAP_BYTES: usize = 64 << 10;

/// How often a restored slot is compared with its image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paranoid {
    /// Never.
    #[default]
    Off,
    /// After one restore in so many of a slot; 1: after each, 0: never.
    Every(u32),
}

/// How to set the engine up.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// How first writes are noticed. Default: the best that the kernel allows.
    pub protection: Protection,
    /// How often restored memory is checked. Default: never.
    pub paranoid: Paranoid,
    /// Memory that releases may take; beyond it idle ones leave, and slots are given up. Default: 2 GiB.
    pub resident_bytes_max: u64,
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions { protection: Protection::Auto, paranoid: Paranoid::Off, resident_bytes_max: 2 << 30 }
    }
}

/// The engine. Cloning is cheap and gives the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    /// Before the engine: the ticker holds only a weak reference, and ends first.
    ticker: Ticker,
    engine: wasmtime::Engine,
    linker: Linker<Host>,
    protection: Protection,
    paranoid: Paranoid,
    counters: Counters,
    residency: Residency,
    parents: Parents,
}

impl Engine {
    /// Sets up an engine; the first one of a process also reserves address space and installs the fault handler.
    ///
    /// # Errors
    /// `Io` if the system refuses address space, signals, threads or the protection asked for.
    pub fn new(options: &EngineOptions) -> Result<Engine, Error> {
        fault::install().map_err(|error| Error::io("fault handler", error))?;
        let arena = Arena::get().map_err(|error| Error::io("address space for sandboxes", error))?;
        let protection = options.protection.resolve().map_err(|error| Error::io("userfaultfd", error))?;
        let engine = wasmtime::Engine::new(&config(arena)).map_err(|error| Error::Internal(format!("{error:#}")))?;
        let linker = hostcalls::linker(&engine).map_err(|error| Error::Internal(format!("{error:#}")))?;
        let ticker = Ticker::start(engine.weak()).map_err(|error| Error::io("ticker thread", error))?;
        let (paranoid, counters) = (options.paranoid, Counters::default());
        let descriptors = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        let residency = Residency::new(options.resident_bytes_max, descriptors);
        let parents = Parents::default();
        let shared = Shared { ticker, engine, linker, protection, paranoid, counters, residency, parents };
        Ok(Engine { shared: Arc::new(shared) })
    }

    /// The protection in use; never `Auto`.
    pub fn protection(&self) -> Protection {
        self.shared.protection
    }

    /// How often restored memory is checked.
    pub fn paranoid(&self) -> Paranoid {
        self.shared.paranoid
    }

    /// What the sandboxes of this engine have done.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Which releases are in memory, as figures.
    pub fn residency_stats(&self) -> ResidencyStats {
        self.shared.residency.stats()
    }

    pub(crate) fn residency(&self) -> &Residency {
        &self.shared.residency
    }

    /// Releases that others stand on.
    pub(crate) fn parents(&self) -> &Parents {
        &self.shared.parents
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.shared.engine
    }

    pub(crate) fn link(&self, module: &Module) -> Result<InstancePre<Host>, Error> {
        self.shared.linker.instantiate_pre(module).map_err(|error| Error::Refused(format!("{error:#}")))
    }

    /// To be held while a guest runs on the calling thread.
    ///
    /// # Panics
    /// If the thread's stack is not made for guests: [`with_stack`] and `crew::spawn` make such.
    pub(crate) fn run(&self) -> Running {
        assert!(has_stack(), "a guest would run on a stack that it can overflow");
        self.shared.ticker.run()
    }

    pub(crate) fn ticker(&self) -> &Ticker {
        &self.shared.ticker
    }
}

fn has_stack() -> bool {
    stack::left() >= STACK_BYTES_MAX + STACK_MARGIN_BYTES
}

/// Does work that runs guests: on the calling thread, or if its stack is too small on one of its own meanwhile.
///
/// # Errors
/// `Io` if there can be no such thread.
pub(crate) fn with_stack<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    if has_stack() {
        return work();
    }
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("dayfly-guest".to_owned()).stack_size(THREAD_STACK_BYTES);
        let started = builder.spawn_scoped(scope, work).map_err(|error| Error::io("cannot start a thread", error))?;
        started.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn config(arena: &'static Arena) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        // No guest has a stack of its own; the engine only wants it to be as large.
        .async_stack_size(STACK_BYTES_MAX)
        .with_host_memory(arena.creator())
        // A client never sees a backtrace, and a trap must be cheap: tenants can cause as many as they like.
        .wasm_backtrace_max_frames(None)
        // Compiled code relies on these; the arena checks them again.
        .memory_reservation(MEMORY_RESERVATION_BYTES as u64)
        .memory_guard_size(GUARD_BYTES as u64)
        .memory_reservation_for_growth(0)
        .memory_may_move(false)
        // Images are mapped by the slots, never by the engine.
        .memory_init_cow(false)
        // Exceptions live in a garbage-collected heap. Every option: the defaults are those of linear memories.
        .wasm_exceptions(true)
        // What no instrumented program has is no engine that a release could reach.
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_extended_const(false)
        .gc_heap_initial_size(GC_HEAP_BYTES as u64)
        .gc_heap_reservation(GC_HEAP_BYTES_MAX as u64)
        .gc_heap_guard_size(GC_HEAP_GUARD_BYTES as u64)
        .gc_heap_reservation_for_growth(0)
        .gc_heap_may_move(false);
    config
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What the sandboxes of an engine have done. Counted by all threads; reading is not one moment's picture.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* pub $name: AtomicU64,)* }

        /// The values of [`Counters`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct CountersSnapshot { $($(#[$doc])* pub $name: u64,)* }

        impl Counters {
            /// Reads all counters.
            pub fn snapshot(&self) -> CountersSnapshot {
                CountersSnapshot { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Slots that exist now.
    slots,
    /// Slots made since the start.
    slots_made,
    /// Runs after which a slot was made equal to its image again; counted in lots.
    restores,
    /// Slots ended because a run was stopped in the middle, or their state is in doubt.
    discards,
    /// Slots ended because the budget of slots or mappings was used up.
    evictions,
    /// First writes to pages: each costs some microseconds.
    faults,
    /// Checks of restored memory against its image.
    paranoid_checks,
    /// Checks that found a difference: each is an incident.
    paranoid_differences,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn subtract(counter: &AtomicU64, count: u64) {
        counter.fetch_sub(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposals_that_no_program_may_use_are_off() {
        let engine = Engine::new(&EngineOptions::default()).expect("an engine");
        let compiles = |text: &str| Module::new(engine.wasmtime(), wat::parse_str(text).expect("valid text")).is_ok();
        assert!(compiles("(module (tag $t) (func (block $h (try_table (catch $t $h) (throw $t)))))"));
        for text in [
            "(module (type (struct (field i32))))",
            "(module (type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0))))",
            "(module (memory i64 1))",
            "(module (memory 1) (memory 1))",
            "(module (func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))",
            "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
        ] {
            assert!(!compiles(text), "{text}");
        }
    }
}
