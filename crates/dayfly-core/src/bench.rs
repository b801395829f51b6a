//! What a request costs in process: the call, the restore, and what they are measured against.

use crate::code_cache::CodeCache;
use crate::engine::{Engine, EngineOptions, Protection, with_stack};
use crate::error::Error;
use crate::freeze::freeze;
use crate::limits::Limits;
use crate::message::{Answer, Request};
use crate::release::Release;
use crate::sandbox::{Allowance, Lane, Restored, Sandbox};
use dayfly_sys::PAGE_BYTES;
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Requests before anything is measured: the hot set settles (it is audited every 16 restores).
const WARM_UP: u32 = 2_000;
/// Rounds of each figure; the least of them counts, because a neighbour can only add.
const ROUNDS_MIN: u32 = 9;
/// Calls timed together: reading the clock costs as much as a restore.
const BATCH: u32 = 1_000;

/// What to measure with.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreBenchOptions {
    /// Rounds of each figure; fewer than 9 are raised to 9.
    pub rounds: u32,
    /// Length of the whole measurement.
    pub seconds: f64,
    /// How first writes are noticed.
    #[serde(deserialize_with = "crate::core::protection")]
    pub protection: Protection,
}

/// One guest's figures, all in nanoseconds but for the last two.
#[derive(Clone, Debug, Serialize)]
pub struct RestoreRow {
    /// Name given by the caller.
    pub guest: String,
    /// How first writes were noticed.
    pub protection: &'static str,
    /// The engine calling a function that returns its parameter.
    pub empty_call_ns: f64,
    /// A request without its restore: frame, call, reply checked and copied. A program cannot be called twice without a
    /// restore, so this is the difference of the next two.
    pub call_ns: f64,
    /// Restoring: half of what a request gets slower by when it is restored twice more.
    pub restore_ns: f64,
    /// A request and its restore.
    pub total_ns: f64,
    /// Copying as many pages as are hot.
    pub copy_ns: f64,
    /// Pages restored after each request.
    pub pages: usize,
    /// Whether the whole memory was equal to the image at the end.
    pub paranoid_equal: bool,
}

/// Measures one guest.
///
/// # Errors
/// The program cannot be frozen or run here, or does not answer.
pub fn restore_bench(
    guest: &str,
    wasm: &[u8],
    cache_directory: &Path,
    options: &RestoreBenchOptions,
) -> Result<RestoreRow, Error> {
    let engine = Engine::new(&EngineOptions { protection: options.protection, ..EngineOptions::default() })?;
    let cache = CodeCache::open(cache_directory)?;
    let limits = Limits::default();
    with_stack(|| {
        let snapshot = freeze(&engine, &cache, wasm, &limits)?;
        measure(guest, &Release::from_snapshot(&engine, &cache, &snapshot, &limits)?, options)
    })
}

/// Measures a recorded release, and what the first request of it on a thread takes.
///
/// # Errors
/// The release cannot be loaded or run here, or does not answer.
pub fn release_bench(
    guest: &str,
    directory: &Path,
    cache_directory: &Path,
    options: &RestoreBenchOptions,
) -> Result<ReleaseRow, Error> {
    let engine = Engine::new(&EngineOptions { protection: options.protection, ..EngineOptions::default() })?;
    let cache = CodeCache::open(cache_directory)?;
    with_stack(|| measure_release(guest, directory, &engine, &cache, options))
}

fn measure_release(
    guest: &str,
    directory: &Path,
    engine: &Engine,
    cache: &CodeCache,
    options: &RestoreBenchOptions,
) -> Result<ReleaseRow, Error> {
    let release = Release::load(directory, engine, cache)?;
    let rounds = options.rounds.max(ROUNDS_MIN);
    let mut first = [f64::INFINITY; 3];
    for _ in 0..rounds {
        // Loaded anew, so that no stride is found that still has its image.
        let round = first_request(&Release::load(directory, engine, cache)?)?;
        first = std::array::from_fn(|figure| first[figure].min(round[figure]));
    }
    let [slot_us, first_us, again_us] = first.map(|ns| ns / 1e3);
    let faults = engine.counters().snapshot().faults as f64 / f64::from(rounds);
    Ok(ReleaseRow { slot_us, first_us, again_us, faults, row: measure(guest, &release, options)? })
}

/// A recorded release's figures.
#[derive(Clone, Debug, Serialize)]
pub struct ReleaseRow {
    /// Making a slot where none of the release was before, microseconds.
    pub slot_us: f64,
    /// The first request in it, restore included, microseconds.
    pub first_us: f64,
    /// The second one, microseconds.
    pub again_us: f64,
    /// Pages that the two found closed.
    pub faults: f64,
    /// Requests from then on.
    #[serde(flatten)]
    pub row: RestoreRow,
}

/// Nanoseconds for a new slot and its first two requests.
fn first_request(release: &Arc<Release>) -> Result<[f64; 3], Error> {
    let mut began = Instant::now();
    let mut lap = || {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut began, now)).as_nanos() as f64
    };
    let mut measured = Measured::new(release)?;
    let slot_ns = lap();
    measured.request()?;
    let first_ns = lap();
    measured.request()?;
    Ok([slot_ns, first_ns, lap()])
}

fn measure(guest: &str, release: &Arc<Release>, options: &RestoreBenchOptions) -> Result<RestoreRow, Error> {
    let engine = release.engine();
    let mut measured = Measured::new(release)?;
    for _ in 0..WARM_UP {
        measured.request()?;
    }
    let rounds = options.rounds.max(ROUNDS_MIN);
    let time = Duration::from_secs_f64(options.seconds / f64::from(rounds) / 4.0);
    let pages = measured.sandbox.hot_pages();
    let empty = EmptyCall::new(engine)?;
    let (mut source, mut target) = (vec![1; (pages + 1) * PAGE_BYTES], vec![0; (pages + 1) * PAGE_BYTES]);
    let (source, target) = (whole_pages(&mut source), whole_pages(&mut target));
    let mut least = [f64::INFINITY; 4];
    // All four in each round, so that a neighbour's phases fall on all of them.
    for _ in 0..rounds {
        let round = [
            timed(time, || empty.call())?,
            timed(time, || measured.request())?,
            timed(time, || measured.request_restored_thrice())?,
            timed(time, || {
                copy_pages(black_box(target), black_box(source));
                Ok(())
            })?,
        ];
        least = std::array::from_fn(|figure| least[figure].min(round[figure]));
    }
    let [empty_call_ns, total_ns, thrice_ns, copy_ns] = least;
    let restore_ns = ((thrice_ns - total_ns) / 2.0).max(0.0);
    Ok(RestoreRow {
        guest: guest.to_owned(),
        protection: engine.protection().name(),
        empty_call_ns,
        call_ns: (total_ns - restore_ns).max(0.0),
        restore_ns,
        total_ns,
        copy_ns,
        pages,
        paranoid_equal: measured.sandbox.equals_image(),
    })
}

/// The part of a buffer that begins at a page's border, all but one page of it.
fn whole_pages(buffer: &mut [u8]) -> &mut [u8] {
    let (start, length) = (buffer.as_ptr().align_offset(PAGE_BYTES), buffer.len() - PAGE_BYTES);
    &mut buffer[start..start + length]
}

fn copy_pages(target: &mut [u8], source: &mut [u8]) {
    for (target, source) in target.chunks_exact_mut(PAGE_BYTES).zip(source.chunks_exact(PAGE_BYTES)) {
        black_box(&mut *target).copy_from_slice(source);
    }
}

/// Nanoseconds that `work` takes, over about `time`.
fn timed(time: Duration, mut work: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    let (start, mut calls) = (Instant::now(), 0_u64);
    loop {
        for _ in 0..BATCH {
            work()?;
        }
        calls += u64::from(BATCH);
        let elapsed = start.elapsed();
        if elapsed >= time {
            return Ok(elapsed.as_nanos() as f64 / calls as f64);
        }
    }
}

struct Measured {
    release: Arc<Release>,
    sandbox: Sandbox,
    allowance: Allowance,
    answer: Answer,
}

impl Measured {
    fn new(release: &Arc<Release>) -> Result<Measured, Error> {
        let cpu_ns_max = release.limits().cpu_ns_max;
        let allowance = Allowance { lane: Lane::Inline, cpu_ns_max, wall_deadline: None };
        let (release, sandbox) = (release.clone(), Sandbox::new(release)?);
        Ok(Measured { release, sandbox, allowance, answer: Answer::default() })
    }

    fn call(&mut self) -> Result<(), Error> {
        let called = self.sandbox.call(&Request::PLAIN, &self.allowance, &mut self.answer);
        called.map_err(|stop| Error::Refused(format!("the guest does not answer: {stop:?}")))
    }

    fn request(&mut self) -> Result<(), Error> {
        self.call()?;
        self.restore()
    }

    /// Three and not two: every 16th restore is an audit, which must find the pages written to now and then.
    fn request_restored_thrice(&mut self) -> Result<(), Error> {
        self.request()?;
        self.restore()?;
        self.restore()
    }

    fn restore(&mut self) -> Result<(), Error> {
        if self.sandbox.restore() == Restored::Spent {
            self.sandbox = Sandbox::new(&self.release)?;
        }
        Ok(())
    }
}

/// The least that the engine does for a call.
struct EmptyCall {
    store: std::cell::RefCell<wasmtime::Store<()>>,
    function: wasmtime::TypedFunc<u32, u32>,
}

impl EmptyCall {
    /// `(module (func (export "f") (param i32) (result i32) local.get 0))`
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\x01\x06\x01\x60\x01\x7f\x01\x7f\x03\x02\x01\0\x07\x05\x01\x01f\0\0\x0a\x06\x01\x04\0\x20\0\x0b";

    fn new(engine: &Engine) -> Result<EmptyCall, Error> {
        let internal = |error: wasmtime::Error| Error::Internal(format!("{error:#}"));
        let module = wasmtime::Module::new(engine.wasmtime(), Self::MODULE).map_err(internal)?;
        let mut store = wasmtime::Store::new(engine.wasmtime(), ());
        store.set_epoch_deadline(u64::MAX >> 1);
        let instance = wasmtime::Instance::new(&mut store, &module, &[]).map_err(internal)?;
        let function = instance.get_typed_func(&mut store, "f").map_err(internal)?;
        Ok(EmptyCall { store: store.into(), function })
    }

    fn call(&self) -> Result<(), Error> {
        let result = self.function.call(&mut *self.store.borrow_mut(), black_box(1));
        result.map(|_| ()).map_err(|error| Error::Internal(format!("{error:#}")))
    }
}
