//! From a program to a snapshot: instrument it, compile it, let it start up once, and keep its memory.

use crate::code_cache::CodeCache;
use crate::engine::Engine;
use crate::error::{Error, Stop};
use crate::hostcalls::{Host, LogLimits, Phase, Places, TABLE_ELEMENTS_MAX};
use crate::limits::Limits;
use crate::message::LogLines;
use crate::meter::{Allowance, Halt, Lane, Meter};
use dayfly_sys::guest::Guest;
use dayfly_sys::image::SealedImage;
use dayfly_wasm::abi::{export, takes};
use dayfly_wasm::image::Image;
use dayfly_wasm::instrument::{self, instrument};
use dayfly_wasm::{Fresh, Layout, Program};
use std::sync::Arc;
use wasmtime::{
    GcHeapOutOfMemory, Instance, InstancePre, Module, Store, StoreContextMut, ThrownException, Trap, Val, WasmParams,
    WasmResults,
};

/// What start-up may log: it happens once, and its author wants to see it.
const INIT_LOG: LogLimits = LogLimits { bytes_max: 256 << 10, lines_max: 4096 };

/// A program after its start-up: everything that a release consists of but its source.
#[derive(Debug)]
pub struct Snapshot {
    /// The instrumented module.
    pub code: Vec<u8>,
    /// The memory, in the encoding of `dayfly_wasm::image`.
    pub image: Vec<u8>,
    /// Where the host finds its things in the memory.
    pub layout: Layout,
    /// Parts of a request that the program takes, a mask.
    pub takes: u32,
    /// Why a new instance may be needed for each request.
    pub fresh: Option<Fresh>,
    /// What the program logged.
    pub init_log: LogLines,
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
    let mut freezing = Freezing::start(engine, &instance, &program, limits)?;
    let takes = freezing.start_up()?;
    let (image, init_log) = freezing.end();
    Ok(Snapshot {
        code: program.code,
        image: image.encode(),
        layout: program.layout,
        takes,
        fresh: program.fresh,
        init_log,
    })
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

struct Freezing<'e> {
    engine: &'e Engine,
    guest: Guest<Host>,
    instance: Instance,
}

impl<'e> Freezing<'e> {
    /// An instance over the program's initial image.
    fn start(
        engine: &'e Engine,
        instance: &InstancePre<Host>,
        program: &Program,
        limits: &Limits,
    ) -> Result<Freezing<'e>, Error> {
        let image = SealedImage::new(program.layout.memory_bytes as usize, program.image.pages());
        let image = Arc::new(image.map_err(|error| Error::io("memory file for an image", error))?);
        let allowance = Allowance { lane: Lane::Overflow, cpu_ns_max: limits.init_cpu_ns_max, wall_deadline: None };
        let host = Host::new(Phase::Freeze, Meter::start(allowance), INIT_LOG);
        let (guest, instance, _) = new_guest(engine, instance, host, &image, program.layout.host_page_offset as usize)?;
        Ok(Freezing { engine, guest, instance })
    }

    /// Calls what the program has of start-up functions; gives the mask of what it takes.
    fn start_up(&mut self) -> Result<u32, Error> {
        self.call_if_there::<(), ()>(export::START, ())?;
        self.call_if_there::<(), ()>(export::INITIALIZE, ())?;
        self.call_if_there::<(), ()>(export::INIT, ())?;
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
        let lines = &self.guest.data().log.lines;
        Error::InitFailed(lines.iter().fold(what, |text, (_, line)| text + "\n  " + line))
    }

    fn end(mut self) -> (Image, LogLines) {
        let log = std::mem::take(&mut self.guest.data_mut().log);
        (Image::from_memory(self.guest.memory()), log)
    }
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
        return Stop::Memory;
    }
    if error.is::<ThrownException>() {
        return Stop::Trap("an exception was not caught".to_owned());
    }
    Stop::Trap(error.to_string())
}
