//! From a program to a snapshot: instrument it, compile it, let it start up once, and keep its memory. Or from a
//! snapshot to another one: load a bundle into an instance of it, and keep what that has changed.

use crate::code_cache::CodeCache;
use crate::engine::Engine;
use crate::error::{Error, Stop};
use crate::hostcalls::{Host, LogLimits, Phase, Places, TABLE_ELEMENTS_MAX};
use crate::limits::Limits;
use crate::message::{Answer, LogLines, Reply, Request};
use crate::meter::{Allowance, Halt, Lane, Meter};
use crate::release::Release;
use crate::reply;
use crate::residency::Lease;
use crate::sandbox::Sandbox;
use dayfly_sys::PAGE_BYTES;
use dayfly_sys::guest::Guest;
use dayfly_sys::image::SealedImage;
use dayfly_wasm::abi::{WASM_PAGE_BYTES, export, takes};
use dayfly_wasm::image::{Delta, Image};
use dayfly_wasm::instrument::{self, instrument};
use dayfly_wasm::{Fresh, Layout};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::{
    GcHeapOutOfMemory, Instance, InstancePre, Module, Store, StoreContextMut, ThrownException, Trap, Val, WasmParams,
    WasmResults,
};

/// What start-up may log: it happens once, and its author wants to see it.
const INIT_LOG: LogLimits = LogLimits { bytes_max: 256 << 10, lines_max: 4096 };
/// Octets of the facts that a base tells of what it has loaded.
const FACTS_BYTES_MAX: u64 = 1 << 20;
/// CPU and wall time of the request that shows what requests write to. It is only a hint, so a slow program goes without.
const TRIAL_CPU: Duration = Duration::from_millis(2);
const TRIAL_WALL: Duration = Duration::from_millis(20);

/// A program after its start-up: everything that a release consists of but its source.
#[derive(Debug)]
pub struct Snapshot {
    /// The instrumented module; empty with a parent.
    pub code: Vec<u8>,
    /// The memory, in the encoding of `dayfly_wasm::image`: an image, or with a parent a delta on the parent's.
    pub image: Vec<u8>,
    /// Digest of the release that it stands on.
    pub parent: Option<String>,
    /// Where the host finds its things in the memory.
    pub layout: Layout,
    /// Parts of a request that the program takes, a mask.
    pub takes: u32,
    /// Why a new instance may be needed for each request.
    pub fresh: Option<Fresh>,
    /// Pages that a request is expected to write to: a hint.
    pub writes: Vec<u32>,
    /// What the program logged.
    pub init_log: LogLines,
    /// What a base has told of the bundle that it has loaded.
    pub facts: serde_json::Map<String, serde_json::Value>,
}

/// Freezes a program under the limits of its tenant.
///
/// # Errors
/// `Refused` if the program is not one that can run here, `InitFailed` if its start-up fails or takes too long: the
/// message is for its author.
pub fn freeze(engine: &Engine, cache: &CodeCache, wasm: &[u8], limits: &Limits) -> Result<Snapshot, Error> {
    let options = instrument::Options { memory_bytes_max: limits.memory_bytes_max };
    let program = instrument(wasm, &options).map_err(|error| Error::Refused(error.to_string()))?;
    let module = cache.module(engine.wasmtime(), &program.code)?;
    require_small_tables(&module)?;
    let instance = engine.link(&module)?;
    let image = engine.residency().with_room(|| {
        let image = SealedImage::new(program.layout.memory_bytes as usize, program.image.pages());
        image.map(Arc::new).map_err(|error| Error::io("memory file for an image", error))
    })?;
    let mut freezing = Freezing::start(engine, &instance, &image, &program.layout)?;
    freezing.allow(limits);
    let takes = freezing.start_up()?;
    Ok(Snapshot {
        code: program.code,
        image: Image::from_memory(freezing.guest.memory()).encode(),
        parent: None,
        layout: program.layout,
        takes,
        fresh: program.fresh,
        writes: Vec::new(),
        init_log: freezing.take_log(),
        facts: serde_json::Map::new(),
    })
}

/// Loads a bundle into an instance of `parent`, under the limits of its tenant. The same bundle on the same parent gives
/// the same image if start-up asks for neither time nor luck.
///
/// # Errors
/// As [`freeze`], and `Refused` if the parent is no base.
pub fn freeze_on(parent: &Arc<Release>, bundle: &[u8], limits: &Limits) -> Result<Snapshot, Error> {
    let mut bench = Workbench::take(parent)?;
    let result = bench.freezing.load(parent, bundle, limits);
    let snapshot = result.map(|(delta, takes, facts)| Snapshot {
        code: Vec::new(),
        image: delta.encode(),
        parent: Some(parent.digest().to_owned()),
        layout: *parent.layout(),
        takes,
        fresh: parent.fresh(),
        writes: Vec::new(),
        init_log: bench.freezing.take_log(),
        facts,
    });
    if snapshot.is_ok() {
        bench.put_back(parent);
    }
    let mut snapshot = snapshot?;
    snapshot.writes = expected_writes(parent, &snapshot, limits).unwrap_or_default();
    Ok(snapshot)
}

/// What one request writes to, so that not even the first one has to find it out.
fn expected_writes(parent: &Arc<Release>, snapshot: &Snapshot, limits: &Limits) -> Result<Vec<u32>, Error> {
    let release = Release::on(parent, snapshot, limits)?;
    let mut sandbox = Sandbox::new(&release)?;
    let wall_deadline = Instant::now().checked_add(TRIAL_WALL);
    let cpu_ns_max = (TRIAL_CPU.as_nanos() as u64).min(limits.cpu_ns_max);
    let allowance = Allowance { lane: Lane::Overflow, cpu_ns_max, wall_deadline };
    // What it answers does not matter, and whether it does.
    let _ = sandbox.call(&Request::PLAIN, &allowance, &mut Answer::default());
    let mut pages: Vec<u32> = if sandbox.restores_quickly() { sandbox.hot().collect() } else { Vec::new() };
    pages.sort_unstable();
    Ok(pages)
}

/// Tables are made with the instance, outside the memory limit.
fn require_small_tables(module: &Module) -> Result<(), Error> {
    let required = module.resources_required();
    let elements = u64::from(required.num_tables) * required.max_initial_table_size.unwrap_or(0);
    if elements <= TABLE_ELEMENTS_MAX as u64 {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "the program's tables have {elements} elements, at most {TABLE_ELEMENTS_MAX} are allowed"
    )))
}

/// An instance of a base, kept between two freezes: pages that the first one wrote to need not be opened again.
pub(crate) struct Workbench {
    freezing: Freezing,
    /// After the instance.
    _lease: Arc<Lease>,
}

impl Workbench {
    fn take(base: &Arc<Release>) -> Result<Workbench, Error> {
        if let Some(kept) = base.workbench().take() {
            return Ok(kept);
        }
        let lease = base.lease()?;
        let freezing = Freezing::start(base.engine(), &lease.instance, &lease.image, base.layout())?;
        Ok(Workbench { freezing, _lease: lease })
    }

    fn put_back(mut self, base: &Release) {
        let changed_outside = self.freezing.flag(export::UNSAVED);
        if !changed_outside && self.freezing.guest.restore() {
            *base.workbench() = Some(self);
        }
    }
}

struct Freezing {
    engine: Engine,
    guest: Guest<Host>,
    instance: Instance,
    places: Places,
}

/// What came of loading a bundle: what has changed, the parts of a request that it takes, facts.
type Loaded = (Delta, u32, serde_json::Map<String, serde_json::Value>);

impl Freezing {
    /// An instance over an image.
    fn start(
        engine: &Engine,
        instance: &InstancePre<Host>,
        image: &Arc<SealedImage>,
        layout: &Layout,
    ) -> Result<Freezing, Error> {
        let nothing = Allowance { lane: Lane::Overflow, cpu_ns_max: 0, wall_deadline: None };
        let host = Host::new(Phase::Freeze, Meter::start(nothing), INIT_LOG);
        let (guest, instance, places) = new_guest(engine, instance, host, image, layout.host_page_offset as usize)?;
        Ok(Freezing { engine: engine.clone(), guest, instance, places })
    }

    /// From now on the program may use so much.
    fn allow(&mut self, limits: &Limits) {
        let cpu_ns_max = limits.init_cpu_ns_max;
        let host = self.guest.data_mut();
        host.meter = Meter::start(Allowance { lane: Lane::Overflow, cpu_ns_max, wall_deadline: None });
        host.log = LogLines::default();
    }

    /// Calls what the program has of start-up functions; gives the mask of what it takes.
    fn start_up(&mut self) -> Result<u32, Error> {
        self.call_if_there::<(), ()>(export::START, ())?;
        self.call_if_there::<(), ()>(export::INITIALIZE, ())?;
        self.call_if_there::<(), ()>(export::INIT, ())?;
        self.save()
    }

    /// Has the program's state in its memory, all of it; gives the mask of what it takes.
    fn save(&mut self) -> Result<u32, Error> {
        let taken = self.call_if_there::<(), u32>(export::TAKES, ())?.unwrap_or(0);
        if taken & !takes::ALL != 0 {
            return Err(Error::Refused(format!("`{}` returned {taken}, which has unknown bits", export::TAKES)));
        }
        if self.flag(export::UNSAVED) {
            let what = "start-up changed a table, a segment or a reference, which a snapshot cannot keep";
            return Err(Error::Refused(what.to_owned()));
        }
        self.call_if_there::<(), ()>(export::SAVE, ())?;
        Ok(taken)
    }

    /// Loads a bundle into the instance, which is one of `base`.
    fn load(&mut self, base: &Release, bundle: &[u8], limits: &Limits) -> Result<Loaded, Error> {
        self.allow(limits);
        self.call::<(), ()>(export::RESTORE, ())?;
        self.set_memory_limit(base.layout(), limits)?;
        let bytes = u32::try_from(bundle.len())
            .map_err(|_| Error::Refused(format!("a bundle of {} octets is too large", bundle.len())))?;
        let at = self.call::<u32, u32>(export::RESERVE, bytes)?;
        self.put(at, bundle)?;
        let record = self.call::<(u32, u32), u32>(export::LOAD, (at, bytes))?;
        let facts = self.read_facts(record)?;
        let takes = self.save()?;
        self.require_writes_within_memory()?;
        let memory_bytes = base.layout().memory_bytes;
        let delta = Delta::new(*base.image_sha256(), memory_bytes, self.guest.changed_pages());
        Ok((delta, takes, facts))
    }

    /// A store beyond the size of memory does not trap, and would be kept in every slot: up to the base's limit, whatever
    /// the tenant's is.
    fn require_writes_within_memory(&mut self) -> Result<(), Error> {
        let size = self.places.size(self.guest.context());
        let beyond = size.div_ceil(PAGE_BYTES)..self.places.host_page_offset / PAGE_BYTES;
        let found = self.guest.changed_pages().map(|(page, _)| page as usize).find(|page| beyond.contains(page));
        let Some(page) = found else { return Ok(()) };
        Err(Error::Refused(format!(
            "start-up wrote near octet {} of its memory, which has {size}: `memory.grow` comes first",
            page * PAGE_BYTES
        )))
    }

    /// The limit of the bundle's tenant, in a program that was made for at least as much.
    fn set_memory_limit(&mut self, layout: &Layout, limits: &Limits) -> Result<(), Error> {
        let (limit, most) = (limits.memory_bytes_max, layout.host_page_offset);
        let least = self.places.size(self.guest.context()) as u64;
        if !(least..=most).contains(&limit) {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            return Err(Error::Refused(format!(
                "the memory limit is {} MiB; what the program runs on takes {} MiB, and allows {}",
                mib(limit),
                mib(least),
                mib(most)
            )));
        }
        let pages = Val::I32(((limit / WASM_PAGE_BYTES) as u32).cast_signed());
        let global = self.instance.get_global(self.guest.context(), export::LIMIT);
        let set = global.ok_or_else(no_base)?.set(self.guest.context(), pages);
        set.map_err(|error| Error::Internal(format!("{error:#}")))
    }

    fn put(&mut self, at: u32, bundle: &[u8]) -> Result<(), Error> {
        let size = self.places.size(self.guest.context());
        let mut lent = self.guest.lend();
        let (memory, _) = lent.memory_mut();
        let start = at as usize;
        let place = memory[..size].get_mut(start..start.saturating_add(bundle.len()));
        let place =
            place.ok_or_else(|| Error::Refused(format!("`{}` gave a place outside memory", export::RESERVE)))?;
        place.copy_from_slice(bundle);
        Ok(())
    }

    fn read_facts(&mut self, record: u32) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
        let size = self.places.size(self.guest.context());
        let limits = Limits { response_body_bytes_max: FACTS_BYTES_MAX, ..Limits::default() };
        let mut reply = Reply::default();
        match reply::read(&self.guest.memory()[..size], record, &limits, "GET", &mut reply).map_err(Stop::from) {
            Ok(()) if reply.status == 200 => serde_json::from_slice(&reply.body)
                .map_err(|error| Error::Refused(format!("`{}` tells no facts: {error}", export::LOAD))),
            Ok(()) => Err(Error::Refused(format!("`{}` replied with status {}", export::LOAD, reply.status))),
            Err(Stop::Trap(text)) => Err(self.init_failed(&text)),
            Err(stop) => Err(Error::Refused(format!("`{}`: {stop}", export::LOAD))),
        }
    }

    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P) -> Result<R, Error> {
        self.call_if_there(name, params)?.ok_or_else(no_base)
    }

    fn call_if_there<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P) -> Result<Option<R>, Error> {
        if self.instance.get_func(self.guest.context(), name).is_none() {
            return Ok(None);
        }
        let function = self.instance.get_typed_func::<P, R>(self.guest.context(), name);
        let function = function.map_err(|error| Error::Refused(format!("export `{name}`: {error:#}")))?;
        let running = self.engine.run();
        let mut lent = self.guest.lend();
        let mut context = lent.context();
        context.set_epoch_deadline(1);
        let result = function.call(context, params);
        drop((lent, running));
        result.map(Some).map_err(|error| self.failure(name, &error))
    }

    fn flag(&mut self, name: &str) -> bool {
        flag(&self.instance, self.guest.context(), name)
    }

    fn failure(&mut self, function: &str, error: &wasmtime::Error) -> Error {
        let what = match stop_of(error) {
            Stop::Cpu => "start-up took more CPU time than the limit allows".to_owned(),
            _ if self.flag(export::REFUSED) => "start-up needs more memory than the limit allows".to_owned(),
            Stop::Trap(text) | Stop::Internal(text) => format!("start-up failed in `{function}`: {text}"),
            other => format!("start-up failed in `{function}`: {other:?}"),
        };
        self.init_failed(&what)
    }

    /// With what the program logged.
    fn init_failed(&self, what: &str) -> Error {
        let lines = &self.guest.data().log.lines;
        Error::InitFailed(lines.iter().fold(what.to_owned(), |text, (_, line)| text + "\n  " + line))
    }

    fn take_log(&mut self) -> LogLines {
        std::mem::take(&mut self.guest.data_mut().log)
    }
}

fn no_base() -> Error {
    Error::Refused("the parent is not a program that others can be loaded into".to_owned())
}

/// An instance with `image` mapped over its memory.
pub(crate) fn new_guest(
    engine: &Engine,
    program: &InstancePre<Host>,
    host: Host,
    image: &Arc<SealedImage>,
    host_page_offset: usize,
) -> Result<(Guest<Host>, Instance, Places), Error> {
    let mut store = Store::new(engine.wasmtime(), host);
    store.limiter(Host::limiter);
    store.epoch_deadline_callback(|mut context| Ok(context.data_mut().meter.check()?));
    store.set_epoch_deadline(1);
    let made = Guest::new(store, program, export::MEMORY, image, engine.protection());
    // What the program is was checked when it was instrumented, so what fails here is a lack of something.
    let lack = |error: wasmtime::Error| Error::io("no room for a sandbox", std::io::Error::other(format!("{error:#}")));
    let (mut guest, instance) = made.map_err(lack)?;
    let places = |context: &mut StoreContextMut<'_, Host>| {
        let memory = instance.get_memory(&mut *context, export::MEMORY)?;
        let size = instance.get_global(&mut *context, export::SIZE)?;
        Some(Places { memory, size, host_page_offset })
    };
    let places = places(&mut guest.context());
    let places = places.ok_or_else(|| Error::Refused("the program was not instrumented".to_owned()))?;
    guest.data_mut().set_places(places);
    Ok((guest, instance, places))
}

/// Whether an exported flag of the program is set.
pub(crate) fn flag(instance: &Instance, mut context: StoreContextMut<'_, Host>, name: &str) -> bool {
    let global = instance.get_global(&mut context, name);
    global.is_some_and(|global| matches!(global.get(&mut context), Val::I32(value) if value != 0))
}

/// What an error of the engine means.
pub(crate) fn stop_of(error: &wasmtime::Error) -> Stop {
    if let Some(Halt(stop)) = error.downcast_ref::<Halt>() {
        return stop.clone();
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return Stop::Trap(trap.to_string());
    }
    if error.is::<GcHeapOutOfMemory<()>>() {
        return Stop::Memory("no room for an exception".to_owned());
    }
    if error.is::<ThrownException>() {
        return Stop::Trap("an exception was not caught".to_owned());
    }
    Stop::Trap(error.to_string())
}
