//! What of a linked program is needed, and what is simpler than it looks.
//!
//! The component is initialised, so much of what a dynamic linker leaves variable is fixed: a mutable global that no
//! function sets is a constant, and a function that only passes its parameters on, directly or through a slot of the
//! table, is the function that it passes them to.

use std::collections::{BTreeSet, HashMap};

use wasmparser::Operator;

use super::component::Kind;
use super::program::{Code, Function, Program};
use super::{COMPONENT, unlinked};
use crate::Error;

/// Forwarders in a row that are followed. A circle of them would be an endless loop anyway.
const CHAIN_MAX: usize = 8;

/// What becomes of each item of a program.
pub(super) struct Plan {
    /// The function that each function really is.
    pub(super) real: Vec<usize>,
    pub(super) functions: Vec<bool>,
    pub(super) tables: Vec<bool>,
    /// Globals that functions use.
    pub(super) globals: Vec<bool>,
    /// Globals that some function sets.
    pub(super) set: Vec<bool>,
    /// Functions that code refers to by `ref.func`.
    pub(super) referenced: BTreeSet<usize>,
}

impl Plan {
    /// Whether a global keeps its first value.
    pub(super) fn is_constant(&self, global: usize) -> bool {
        !self.set[global]
    }
}

/// Reads all bodies.
pub(super) fn plan(program: &Program<'_>) -> Result<Plan, Error> {
    let facts: Vec<Facts> =
        program.functions.iter().map(|function| facts(program, function)).collect::<Result<_, _>>()?;
    let real = real(program, &facts);
    let mut plan = Plan {
        functions: vec![false; program.functions.len()],
        tables: vec![false; program.tables.len()],
        globals: vec![false; program.globals.len()],
        set: vec![false; program.globals.len()],
        referenced: BTreeSet::new(),
        real,
    };
    plan.reach(program, &facts);
    Ok(plan)
}

impl Plan {
    /// Marks what can be reached from the exports.
    fn reach(&mut self, program: &Program<'_>, facts: &[Facts]) {
        let mut pending: Vec<usize> = program.exports.iter().map(|export| export.1).chain(program.start).collect();
        while let Some(function) = pending.pop() {
            let function = self.real[function];
            if std::mem::replace(&mut self.functions[function], true) {
                continue;
            }
            let facts = &facts[function];
            pending.extend(facts.calls.iter().chain(&facts.references));
            self.referenced.extend(facts.references.iter().map(|&function| self.real[function]));
            for &global in facts.reads.iter().chain(&facts.writes) {
                self.globals[global] = true;
            }
            for &global in &facts.writes {
                self.set[global] = true;
            }
            for &table in &facts.tables {
                if !std::mem::replace(&mut self.tables[table], true) {
                    pending.extend(program.tables[table].slots.values());
                }
            }
        }
    }
}

/// What one function does, in the program's indices.
#[derive(Default)]
struct Facts {
    calls: Vec<usize>,
    references: Vec<usize>,
    reads: Vec<usize>,
    writes: Vec<usize>,
    tables: Vec<usize>,
    changes_table: bool,
    forwards_to: Option<usize>,
}

fn facts(program: &Program<'_>, function: &Function<'_>) -> Result<Facts, Error> {
    let Code::Body { node, body } = &function.code else { return Ok(Facts::default()) };
    let node = &program.nodes[*node];
    let mut facts = Facts::default();
    // As many instructions as a forwarder has at most: parameters, a slot, the call, the end.
    let parameters = program.types[function.ty as usize].params().len();
    let mut beginning = Vec::with_capacity(parameters + 4);
    for operator in body.get_operators_reader()? {
        let operator = operator?;
        match operator {
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                facts.calls.push(node.map(Kind::Function, function_index));
            }
            Operator::RefFunc { function_index } => facts.references.push(node.map(Kind::Function, function_index)),
            Operator::GlobalGet { global_index } => facts.reads.push(node.map(Kind::Global, global_index)),
            Operator::GlobalSet { global_index } => facts.writes.push(node.map(Kind::Global, global_index)),
            Operator::CallIndirect { table_index: table, .. }
            | Operator::ReturnCallIndirect { table_index: table, .. }
            | Operator::TableGet { table }
            | Operator::TableSize { table } => facts.tables.push(node.map(Kind::Table, table)),
            Operator::TableSet { table } | Operator::TableGrow { table } | Operator::TableFill { table } => {
                facts.tables.push(node.map(Kind::Table, table));
                facts.changes_table = true;
            }
            _ => require_supported(&operator, function)?,
        }
        if beginning.len() < beginning.capacity() {
            beginning.push(operator);
        }
    }
    let call = forwarded(&beginning, parameters);
    facts.forwards_to =
        call.and_then(|call| target(program, node, call)).filter(|&to| program.functions[to].ty == function.ty);
    Ok(facts)
}

/// Refuses what refers to segments, which are gone, and to tags.
fn require_supported(operator: &Operator<'_>, function: &Function<'_>) -> Result<(), Error> {
    let what = match operator {
        Operator::MemoryInit { .. } | Operator::DataDrop { .. } => "a passive data segment",
        Operator::TableInit { .. } | Operator::ElemDrop { .. } | Operator::TableCopy { .. } => "an element segment",
        Operator::Throw { .. } | Operator::TryTable { .. } => "exceptions",
        _ => return Ok(()),
    };
    let name = function.name.unwrap_or("without a name");
    Err(unlinked(COMPONENT, format!("function {name} uses {what}, which is not supported")))
}

/// The call of a body that passes its parameters on, in order, and does nothing else.
fn forwarded<'o, 'a>(beginning: &'o [Operator<'a>], parameters: usize) -> Option<&'o [Operator<'a>]> {
    let (gets, call) = beginning.split_at_checked(parameters)?;
    let in_order =
        (0..).zip(gets).all(|(i, get)| matches!(get, Operator::LocalGet { local_index } if *local_index == i));
    in_order.then_some(call)
}

fn target(program: &Program<'_>, node: &super::program::Node<'_>, call: &[Operator<'_>]) -> Option<usize> {
    match call {
        [Operator::Call { function_index }, Operator::End] => Some(node.map(Kind::Function, *function_index)),
        [Operator::I32Const { value }, Operator::CallIndirect { table_index, .. }, Operator::End] => {
            let table = &program.tables[node.map(Kind::Table, *table_index)];
            table.slots.get(&value.cast_unsigned()).copied()
        }
        _ => None,
    }
}

/// Follows forwarders and what the component imports.
fn real(program: &Program<'_>, facts: &[Facts]) -> Vec<usize> {
    // A table that changes could redirect a forwarder.
    let fixed = !facts.iter().any(|facts| facts.changes_table);
    // One function that traps serves all of a type.
    let mut traps = HashMap::new();
    let mut next: Vec<usize> = Vec::with_capacity(program.functions.len());
    for (function, facts) in facts.iter().enumerate() {
        let to = match &program.functions[function].code {
            Code::World { bound: Some(bound) } => Some(*bound),
            Code::World { bound: None } => Some(*traps.entry(program.functions[function].ty).or_insert(function)),
            _ => facts.forwards_to.filter(|_| fixed),
        };
        next.push(to.unwrap_or(function));
    }
    (0..next.len()).map(|function| (0..CHAIN_MAX).fold(function, |at, _| next[at])).collect()
}
