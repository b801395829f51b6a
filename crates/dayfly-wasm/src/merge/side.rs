//! The side module: where its memory and its table slots are, and what it may import.
//!
//! <https://github.com/WebAssembly/tool-conventions/blob/main/DynamicLinking.md>

use std::collections::HashMap;

use wasmparser::{Dylink0Subsection, GlobalType, KnownCustom, MemInfo, Parser, Payload, ValType};

use super::component::Kind;
use super::module::Wanted;
use super::program::{Code, Function, Global, Node, Program, Value};
use super::{SIDE, unlinked};
use crate::Error;
use crate::abi::{IMPORT_MODULE, WASM_PAGE_BYTES};

/// The export under which linkers offer the table for calls.
const TABLE: &str = "__indirect_function_table";
/// The mutable global that every module of a program shares.
const STACK_POINTER: &str = "__stack_pointer";

/// What the export begins with that takes the place of the component's function of the rest of its name.
pub(super) const INSTEAD: &str = "dayfly:instead#";
/// The module that a side module imports those functions from.
const REPLACED: &str = "dayfly:replaced";

/// The side module's place in a program whose component is linked.
pub(super) struct Side<'a> {
    memory_base: u32,
    table_base: u32,
    table: usize,
    /// What the component's modules define and export: node, kind and the program's index.
    symbols: HashMap<&'a str, Symbol>,
    /// Hostcalls, by name.
    hostcalls: HashMap<&'a str, usize>,
    /// Functions of the component whose place one of the side module takes, by name.
    replaced: HashMap<&'a str, usize>,
}

#[derive(Clone, Copy)]
struct Symbol {
    kind: Kind,
    index: usize,
    /// What the address of data is relative to.
    memory_base: Option<i32>,
}

impl<'a> Side<'a> {
    /// Takes memory behind the component's, and slots behind those of its table.
    pub(super) fn place(program: &mut Program<'a>, side: &'a [u8]) -> Result<Side<'a>, Error> {
        let needs = needs(side)?;
        let symbols = symbols(program);
        let table = symbols.get(TABLE).filter(|symbol| symbol.kind == Kind::Table);
        let table = table.ok_or_else(|| unlinked(SIDE, format!("no module of the component exports `{TABLE}`")))?.index;
        let memory_base = reserve_memory(program, &needs)?;
        let table_base = reserve_slots(program, table, needs.table_size)?;
        Ok(Side { memory_base, table_base, table, symbols, hostcalls: HashMap::new(), replaced: HashMap::new() })
    }

    /// The program's index of what the side module imports.
    pub(super) fn resolve(&mut self, program: &mut Program<'a>, wanted: &Wanted<'a>) -> Result<usize, Error> {
        let Wanted { module, name, kind, ty, mutable } = *wanted;
        match (module, name, kind) {
            ("env", "memory", Kind::Memory) => Ok(0),
            ("env", TABLE, Kind::Table) => Ok(self.table),
            ("env", "__memory_base", Kind::Global) => Ok(constant(program, self.memory_base, mutable)),
            ("env", "__table_base", Kind::Global) => Ok(constant(program, self.table_base, mutable)),
            ("env", STACK_POINTER, Kind::Global) => self.symbol(STACK_POINTER, kind).map(|symbol| symbol.index),
            ("env", _, Kind::Function) => self.symbol(name, kind).map(|symbol| symbol.index),
            ("GOT.mem", _, Kind::Global) => {
                let address = self.address(program, name)?;
                Ok(constant(program, address, mutable))
            }
            ("GOT.func", _, Kind::Global) => {
                let function = self.symbol(name, Kind::Function)?.index;
                let slot = slot(program, self.table, function)?;
                Ok(constant(program, slot, mutable))
            }
            (REPLACED, _, Kind::Function) => self.original(program, name),
            (IMPORT_MODULE, _, Kind::Function) => Ok(self.hostcall(program, name, ty)),
            _ => Err(unlinked(SIDE, format!("import `{module}` `{name}` is nothing that a side module can ask for"))),
        }
    }

    fn symbol(&self, name: &str, kind: Kind) -> Result<Symbol, Error> {
        let found = self.symbols.get(name).filter(|symbol| symbol.kind == kind).copied();
        found.ok_or_else(|| {
            unlinked(
                SIDE,
                format!("it imports `{name}`, but no module of the component exports such a {}", kind.name()),
            )
        })
    }

    fn address(&self, program: &Program<'a>, name: &str) -> Result<u32, Error> {
        let symbol = self.symbol(name, Kind::Global)?;
        match program.globals[symbol.index].value {
            Value::I32(address) => Ok(address.wrapping_add(symbol.memory_base.unwrap_or(0)).cast_unsigned()),
            _ => Err(unlinked(SIDE, format!("it imports `{name}`, which is no address"))),
        }
    }

    /// The component's function of this name, exported or not, which another one takes the place of: at its index stands
    /// what the side module exports for it, and its code is under an index of its own.
    fn original(&mut self, program: &mut Program<'a>, name: &'a str) -> Result<usize, Error> {
        let internal = || program.nodes.iter().find_map(|node| node.names.get(name).copied());
        let exported = self.symbol(name, Kind::Function).map(|symbol| symbol.index);
        let index = exported.or_else(|error| internal().ok_or(error))?;
        let function = &mut program.functions[index];
        let ty = function.ty;
        let code = std::mem::replace(&mut function.code, Code::World { bound: None });
        program.functions.push(Function { ty, name: Some(name), code });
        self.replaced.insert(name, index);
        Ok(program.functions.len() - 1)
    }

    /// The index of a function of the component that an export takes the place of.
    pub(super) fn replaced(&mut self, program: &mut Program<'a>, name: &'a str) -> Result<usize, Error> {
        if !self.replaced.contains_key(name) {
            self.original(program, name)?;
        }
        Ok(self.replaced[name])
    }

    /// A function whose original was asked for, though nothing takes its place.
    pub(super) fn not_replaced(&self, node: &Node<'a>) -> Option<&'a str> {
        let is_exported = |name: &str| node.exports.keys().any(|export| export.strip_prefix(INSTEAD) == Some(name));
        self.replaced.keys().copied().filter(|name| !is_exported(name)).min()
    }

    fn hostcall(&mut self, program: &mut Program<'a>, name: &'a str, ty: Option<u32>) -> usize {
        *self.hostcalls.entry(name).or_insert_with(|| {
            let ty = ty.expect("a function has a type");
            let code = Code::Import { module: IMPORT_MODULE, name };
            program.functions.push(Function { ty, name: Some(name), code });
            program.functions.len() - 1
        })
    }
}

fn needs(side: &[u8]) -> Result<MemInfo, Error> {
    for payload in Parser::new(0).parse_all(side) {
        let Payload::CustomSection(section) = payload? else { continue };
        let KnownCustom::Dylink0(subsections) = section.as_known() else { continue };
        for subsection in subsections {
            if let Dylink0Subsection::MemInfo(needs) = subsection? {
                return Ok(needs);
            }
        }
    }
    Err(unlinked(SIDE, "it has no section `dylink.0`: it was not linked as a shared library"))
}

/// What modules of the component define and export. Where several do, the last one counts, as for its own modules.
fn symbols<'a>(program: &Program<'a>) -> HashMap<&'a str, Symbol> {
    let mut symbols = HashMap::new();
    for node in &program.nodes {
        for (name, (kind, index)) in &node.exports {
            if *index >= node.imported[*kind as usize] {
                let index = node.maps[*kind as usize][*index];
                symbols.insert(*name, Symbol { kind: *kind, index, memory_base: node.memory_base });
            }
        }
    }
    symbols
}

/// Whole pages: the component may go on to grow its heap behind them.
fn reserve_memory(program: &mut Program<'_>, needs: &MemInfo) -> Result<u32, Error> {
    let no_memory = || unlinked(SIDE, "the component has no memory with room for it");
    let memory = program.memory.as_mut().ok_or_else(no_memory)?;
    if needs.memory_alignment > 16 {
        return Err(unlinked(SIDE, "its memory has to be aligned to more than a page"));
    }
    let base = memory.initial * WASM_PAGE_BYTES;
    memory.initial += u64::from(needs.memory_size).div_ceil(WASM_PAGE_BYTES);
    if memory.initial > memory.maximum.unwrap_or(1 << 16) {
        return Err(no_memory());
    }
    u32::try_from(base).map_err(|_| no_memory())
}

fn reserve_slots(program: &mut Program<'_>, table: usize, count: u32) -> Result<u32, Error> {
    let table = &mut program.tables[table];
    let base = u32::try_from(table.ty.initial).map_err(|_| unlinked(SIDE, "the table has no slot left"))?;
    table.ty.initial += u64::from(count);
    // A maximum was the component's alone.
    table.ty.maximum = table.ty.maximum.map(|maximum| maximum + u64::from(count));
    Ok(base)
}

/// A slot that holds a function, made if there is none.
fn slot(program: &mut Program<'_>, table: usize, function: usize) -> Result<u32, Error> {
    let held = program.tables[table].slots.iter().find(|(_, held)| **held == function);
    if let Some((slot, _)) = held {
        return Ok(*slot);
    }
    let slot = reserve_slots(program, table, 1)?;
    program.tables[table].slots.insert(slot, function);
    Ok(slot)
}

/// A global of the side module's own that holds an address. The convention has some of them mutable, though nobody sets them.
fn constant(program: &mut Program<'_>, address: u32, mutable: bool) -> usize {
    let ty = GlobalType { content_type: ValType::I32, mutable, shared: false };
    program.globals.push(Global { ty, value: Value::I32(address.cast_signed()) });
    program.globals.len() - 1
}
