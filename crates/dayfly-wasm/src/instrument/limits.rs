//! How much of everything a program may have. Each count is memory or time that the host pays for a tenant: most of
//! them in every slot, because the engine's instance holds them. CPython, the largest program we know, takes half of the
//! first, whose data become its image, and less than a fifth of each other one.

use crate::Error;

/// The module: twice CPython 3.14 with the sources of its standard library.
const MODULE_BYTES_MAX: u64 = 64 << 20;
/// One body. The engine compiles a function in one piece, in more than linear time: 2 MiB took 12 s and 1.8 GB. The
/// longest of the compiled tier is 18 KiB, CPython's main loop 71.
const FUNCTION_BYTES_MAX: u64 = 512 << 10;
/// Types; the engine registers each of them.
const TYPES_MAX: u64 = 10_000;
/// Imports: each hostcall a few times, as linkers of several parts do it.
const IMPORTS_MAX: u64 = 64;
/// Functions; one that can be referred to takes 32 octets of an instance.
const FUNCTIONS_MAX: u64 = 65_536;
/// Globals; each takes 16 octets of an instance.
const GLOBALS_MAX: u64 = 4096;
/// Exceptions' tags; each takes an entry in an instance.
const TAGS_MAX: u64 = 1024;
/// Exports, most of which are dropped.
const EXPORTS_MAX: u64 = 10_000;
/// Tables.
const TABLES_MAX: u64 = 16;
/// Elements of all tables of an instance, at the beginning and after growth: 800 KB that the memory limit does not see.
pub const TABLE_ELEMENTS_MAX: u64 = 100_000;
/// Elements in all segments: instantiation copies them, uninterruptible.
const SEGMENT_ELEMENTS_MAX: u64 = 100_000;
/// One passive data segment: `memory.init` copies it in one call that nothing interrupts, below a millisecond for this
/// much. Only programs with threads have reason for large ones, and those are refused.
const PASSIVE_BYTES_MAX: u64 = 1 << 20;

fn check(what: &'static str, found: u64, max: u64) -> Result<(), Error> {
    if found <= max { Ok(()) } else { Err(Error::Limit { what, found, max }) }
}

pub(super) fn module_bytes(found: usize) -> Result<(), Error> {
    check("octets of the module", found as u64, MODULE_BYTES_MAX)
}

pub(super) fn function_bytes(found: u64) -> Result<(), Error> {
    check("octets of one function", found, FUNCTION_BYTES_MAX)
}

pub(super) fn types(found: u32) -> Result<(), Error> {
    check("types", found as u64, TYPES_MAX)
}

pub(super) fn imports(found: u32) -> Result<(), Error> {
    check("imports", found as u64, IMPORTS_MAX)
}

pub(super) fn functions(found: u32) -> Result<(), Error> {
    check("functions", found as u64, FUNCTIONS_MAX)
}

pub(super) fn globals(found: u32) -> Result<(), Error> {
    check("globals", found as u64, GLOBALS_MAX)
}

pub(super) fn tags(found: u32) -> Result<(), Error> {
    check("exception tags", found as u64, TAGS_MAX)
}

pub(super) fn exports(found: u32) -> Result<(), Error> {
    check("exports", found as u64, EXPORTS_MAX)
}

pub(super) fn tables(found: u32) -> Result<(), Error> {
    check("tables", found as u64, TABLES_MAX)
}

pub(super) fn table_elements(found: u64) -> Result<(), Error> {
    check("initial table elements", found, TABLE_ELEMENTS_MAX)
}

pub(super) fn segment_elements(found: u64) -> Result<(), Error> {
    check("elements in segments", found, SEGMENT_ELEMENTS_MAX)
}

pub(super) fn passive_bytes(found: usize) -> Result<(), Error> {
    check("octets of a passive data segment", found as u64, PASSIVE_BYTES_MAX)
}

pub(super) fn initial_memory_pages(found: u64, max: u32) -> Result<(), Error> {
    check("pages of initial memory (64 KiB each)", found, max as u64)
}

/// `max`: the octets that the host page has for cells.
pub(super) fn cell_bytes(found: u64, max: u64) -> Result<(), Error> {
    check("octets of mutable globals (8 each, `v128` 16)", found, max)
}
