//! The guest's whole world: what it may ask of the host, one function each.
//!
//! Every pointer and length is a hostile guest's word and is checked against the virtual size of its memory.

use crate::error::Stop;
use crate::limits::Limits;
use crate::message::LogLines;
use crate::meter::{Halt, Lane, Meter};
use crate::secrets::Secrets;
use dayfly_wasm::abi;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wasmtime::{Caller, Engine, Global, Linker, Memory, ResourceLimiter, Result, Val};

/// Elements of all tables together, 8 octets each: they are memory that the memory limit does not see.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Random octets drawn at a time; between two chunks the run's limits are looked at.
const RANDOM_CHUNK_BYTES: usize = 4096;

/// What hostcalls may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The program is being frozen: no secret and no wait gets into a snapshot. The clock may be read, as start-up code does.
    Freeze,
    /// A request is being answered.
    Request,
}

/// The data of a store: one run's effects and what it may use.
pub(crate) struct Host {
    pub(crate) phase: Phase,
    pub(crate) meter: Meter,
    pub(crate) log: LogLines,
    pub(crate) log_limits: LogLimits,
    /// Content of the request, if the program takes it and not all of it is in the frame.
    pub(crate) body: Vec<u8>,
    /// What the tenant's program may know and no snapshot; none while freezing.
    pub(crate) secrets: Option<Arc<Secrets>>,
    places: Option<Places>,
    tables: TableLimit,
}

/// Where a guest's memory is and how much of it the guest has.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    pub(crate) memory: Memory,
    pub(crate) size: Global,
    /// The host page, which is never the guest's.
    pub(crate) host_page_offset: usize,
}

impl Places {
    /// Octets of memory that the guest has at this moment.
    pub(crate) fn size(&self, mut store: impl wasmtime::AsContextMut) -> usize {
        let pages = match self.size.get(&mut store) {
            Val::I32(pages) => pages.cast_unsigned() as usize,
            _ => 0,
        };
        (pages * abi::WASM_PAGE_BYTES as usize).min(self.host_page_offset)
    }
}

/// How much a run may log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    pub(crate) bytes_max: u32,
    pub(crate) lines_max: u32,
}

impl From<&Limits> for LogLimits {
    fn from(limits: &Limits) -> LogLimits {
        LogLimits { bytes_max: limits.log_bytes_max, lines_max: limits.log_lines_max }
    }
}

impl Host {
    pub(crate) fn new(phase: Phase, meter: Meter, log_limits: LogLimits) -> Host {
        Host {
            phase,
            meter,
            log: LogLines::default(),
            log_limits,
            body: Vec::new(),
            secrets: None,
            places: None,
            tables: TableLimit { elements: 0 },
        }
    }

    /// To be set when there is an instance.
    pub(crate) fn set_places(&mut self, places: Places) {
        self.places = Some(places);
    }

    /// What keeps tables in bounds.
    pub(crate) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.tables
    }
}

/// Memory needs no limiter: its size is fixed, and the arena bounds the engine's own heap.
struct TableLimit {
    elements: usize,
}

impl ResourceLimiter for TableLimit {
    fn memory_growing(&mut self, _current: usize, _desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let elements = self.elements.saturating_sub(current).saturating_add(desired);
        let allowed = elements <= TABLE_ELEMENTS_MAX;
        if allowed {
            self.elements = elements;
        }
        Ok(allowed)
    }
}

/// A linker that knows every hostcall.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    let module = abi::IMPORT_MODULE;
    linker.func_wrap(module, "log", log)?;
    linker.func_wrap(module, "clock", clock)?;
    linker.func_wrap(module, "random", random)?;
    linker.func_wrap(module, "body_read", body_read)?;
    linker.func_wrap(module, "sleep", sleep)?;
    linker.func_wrap(module, "secret", secret)?;
    Ok(linker)
}

/// A guest's mistake: the run ends as if it had trapped, with this text in the tenant's log.
fn mistake(text: impl Into<String>) -> wasmtime::Error {
    wasmtime::Error::new(Halt(Stop::Trap(text.into())))
}

/// `length` octets of guest memory at `at`, and the store's data beside them.
fn octets<'c>(
    caller: &'c mut Caller<'_, Host>,
    hostcall: &str,
    at: u32,
    length: u32,
) -> Result<(&'c mut [u8], &'c mut Host)> {
    let places = caller.data().places.ok_or_else(|| mistake(format!("`{hostcall}` called while instantiating")))?;
    let size = places.size(&mut *caller);
    let (at, end) = (at as usize, at as usize + length as usize);
    if end > size {
        return Err(mistake(format!("`{hostcall}` was given {length} octets at {at}, memory has {size}")));
    }
    let (memory, host) = places.memory.data_and_store_mut(caller);
    Ok((&mut memory[at..end], host))
}

/// `log(level, ptr, len)`: one line for the tenant's log.
fn log(mut caller: Caller<'_, Host>, level: u32, at: u32, length: u32) -> Result<()> {
    let (text, host) = octets(&mut caller, "log", at, length)?;
    let level = level.min(abi::level::CRITICAL) as u8;
    host.log.push(level, text, host.log_limits);
    Ok(())
}

impl LogLines {
    /// Adds a line as far as the limits allow. What is no UTF-8 is replaced.
    fn push(&mut self, level: u8, text: &[u8], limits: LogLimits) {
        let room = limits.bytes_max.saturating_sub(self.bytes) as usize;
        if self.lines.len() >= limits.lines_max as usize || (room == 0 && !text.is_empty()) {
            self.cut = self.cut.saturating_add(1);
            return;
        }
        if text.len() > room {
            self.cut = self.cut.saturating_add(1);
        }
        let kept = &text[..text.len().min(room)];
        self.bytes += kept.len() as u32;
        self.lines.push((level, String::from_utf8_lossy(kept).into_owned()));
    }
}

/// `clock(which) -> ns`, coarse: a fine clock is what measures caches and neighbours.
fn clock(_caller: Caller<'_, Host>, which: u32) -> Result<u64> {
    let nanoseconds = match which {
        abi::clock::REALTIME => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64),
        abi::clock::MONOTONIC => monotonic_ns(),
        _ => return Err(mistake(format!("`clock` knows no clock {which}"))),
    };
    Ok(nanoseconds - nanoseconds % abi::clock::RESOLUTION_NS)
}

fn monotonic_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// `random(ptr, len)`: fills memory from the system's generator.
fn random(mut caller: Caller<'_, Host>, at: u32, length: u32) -> Result<()> {
    if caller.data().phase == Phase::Freeze {
        return Err(mistake("randomness was asked for before the first request; it is never part of a snapshot"));
    }
    let (target, host) = octets(&mut caller, "random", at, length)?;
    for (index, chunk) in target.chunks_mut(RANDOM_CHUNK_BYTES).enumerate() {
        if index > 0 {
            host.meter.check()?;
        }
        // By way of our own memory: the kernel does not write to pages that the fault handler has yet to open.
        let mut drawn = [0; RANDOM_CHUNK_BYTES];
        let drawn = &mut drawn[..chunk.len()];
        draw(drawn).map_err(|error| wasmtime::Error::new(Halt(Stop::Internal(format!("random: {error}")))))?;
        chunk.copy_from_slice(drawn);
    }
    Ok(())
}

fn draw(mut target: &mut [u8]) -> rustix::io::Result<()> {
    while !target.is_empty() {
        let drawn = rustix::rand::getrandom(&mut *target, rustix::rand::GetRandomFlags::empty())?;
        target = &mut target[drawn..];
    }
    Ok(())
}

/// `body_read(offset, ptr, len) -> copied`: content of the request beyond what is in the frame.
fn body_read(mut caller: Caller<'_, Host>, offset: u32, at: u32, length: u32) -> Result<u32> {
    let (target, host) = octets(&mut caller, "body_read", at, length)?;
    let rest = host.body.get(offset as usize..).unwrap_or_default();
    let copied = rest.len().min(target.len());
    target[..copied].copy_from_slice(&rest[..copied]);
    Ok(copied as u32)
}

/// `sleep(ns)`: blocks, so it only works where blocking is allowed; elsewhere the run ends and is done again there.
fn sleep(mut caller: Caller<'_, Host>, nanoseconds: u64) -> Result<()> {
    let host = caller.data_mut();
    if host.phase == Phase::Freeze {
        return Err(mistake("`sleep` was called before the first request"));
    }
    if host.meter.allowance.lane != Lane::Blocking {
        return Err(wasmtime::Error::new(Halt(Stop::Blocks)));
    }
    host.meter.blocked = true;
    let left = host.meter.wall_left();
    let wanted = Duration::from_nanos(nanoseconds);
    std::thread::sleep(wanted.min(left));
    if wanted >= left { Err(wasmtime::Error::new(Halt(Stop::Wall))) } else { Ok(()) }
}

/// `secret(name_ptr, name_len, ptr, room) -> length`: copies as much of a secret as there is room for.
fn secret(mut caller: Caller<'_, Host>, name_at: u32, name_length: u32, at: u32, room: u32) -> Result<i32> {
    if caller.data().phase == Phase::Freeze {
        return Err(mistake("a secret was asked for before the first request; none is ever part of a snapshot"));
    }
    let (name, host) = octets(&mut caller, "secret", name_at, name_length)?;
    let secrets = host.secrets.clone();
    let Some(value) = secrets.as_ref().and_then(|secrets| secrets.get(name)) else { return Ok(-1) };
    let (target, _) = octets(&mut caller, "secret", at, room)?;
    let copied = value.len().min(target.len());
    target[..copied].copy_from_slice(&value[..copied]);
    Ok(i32::try_from(value.len()).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_cut_at_its_limits_and_says_so() {
        let mut log = LogLines::default();
        let limits = LogLimits { bytes_max: 10, lines_max: 3 };
        log.push(1, b"12345678", limits);
        log.push(2, b"90abc", limits);
        log.push(1, b"lost", limits);
        log.push(1, b"", limits);
        log.push(1, b"", limits);
        let lines: Vec<_> = log.lines.iter().map(|(level, text)| (*level, text.as_str())).collect();
        assert_eq!(lines, [(1, "12345678"), (2, "90"), (1, "")]);
        assert_eq!((log.bytes, log.cut), (10, 3));
    }

    #[test]
    fn log_text_that_is_no_utf8_is_replaced() {
        let mut log = LogLines::default();
        log.push(1, b"a\xffb", LogLimits { bytes_max: 100, lines_max: 1 });
        assert_eq!(log.lines[0].1, "a\u{fffd}b");
    }
}
