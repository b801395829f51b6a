//! Writes a linked program as one core module.

use std::borrow::Cow;
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, ExportKind, ExportSection,
    Function as Body, FunctionSection, GlobalSection, ImportSection, Instruction, MemorySection, Module, StartSection,
    TableSection, TypeSection,
};
use wasmparser::{FunctionBody, Operator};

use super::component::Kind;
use super::optimise::Plan;
use super::program::{Code, Program, Value};
use crate::Error;
use crate::abi::export;

/// The module; valid if the program is.
pub(super) fn emit(program: &Program<'_>, plan: &Plan) -> Result<Vec<u8>, Error> {
    Emitter::new(program, plan).module().map_err(|error| Error::Internal(error.to_string()))
}

type Result<T, E = reencode::Error> = std::result::Result<T, E>;

struct Emitter<'p, 'a> {
    program: &'p Program<'a>,
    plan: &'p Plan,
    /// Functions in the order of the module: imports first.
    order: Vec<usize>,
    /// The module's index of each of the program's functions, tables and globals that is in it.
    functions: Vec<u32>,
    tables: Vec<u32>,
    globals: Vec<u32>,
}

/// In place of the index of what is not in the module.
const ABSENT: u32 = u32::MAX;

impl<'p, 'a> Emitter<'p, 'a> {
    fn new(program: &'p Program<'a>, plan: &'p Plan) -> Emitter<'p, 'a> {
        let mut order: Vec<usize> = (0..program.functions.len()).filter(|&function| plan.functions[function]).collect();
        order.sort_by_key(|&function| !matches!(program.functions[function].code, Code::Import { .. }));
        let mut functions = vec![ABSENT; program.functions.len()];
        (0..).zip(&order).for_each(|(index, &function)| functions[function] = index);
        let kept = (0..program.globals.len()).map(|global| plan.globals[global] && !plan.is_constant(global));
        let globals = numbered(kept);
        let tables = numbered(plan.tables.iter().copied());
        Emitter { program, plan, order, functions, tables, globals }
    }

    fn function(&self, function: usize) -> u32 {
        self.functions[self.plan.real[function]]
    }

    fn module(&self) -> Result<Vec<u8>> {
        let mut module = Module::new();
        module.section(&self.types()?);
        module.section(&self.imports());
        module.section(&self.signatures());
        module.section(&self.tables()?);
        module.section(&self.memory()?);
        module.section(&self.globals()?);
        module.section(&self.exports());
        if let Some(start) = self.program.start {
            module.section(&StartSection { function_index: self.function(start) });
        }
        module.section(&self.elements());
        module.section(&self.code()?);
        module.section(&self.data());
        Ok(module.finish())
    }

    fn types(&self) -> Result<TypeSection> {
        let mut section = TypeSection::new();
        for ty in &self.program.types {
            section.ty().func_type(&RoundtripReencoder.func_type(ty.clone())?);
        }
        Ok(section)
    }

    fn imports(&self) -> ImportSection {
        let mut section = ImportSection::new();
        for &function in &self.order {
            let function = &self.program.functions[function];
            if let Code::Import { module, name } = function.code {
                section.import(module, name, EntityType::Function(function.ty));
            }
        }
        section
    }

    fn signatures(&self) -> FunctionSection {
        let mut section = FunctionSection::new();
        for &function in &self.order {
            let function = &self.program.functions[function];
            if !matches!(function.code, Code::Import { .. }) {
                section.function(function.ty);
            }
        }
        section
    }

    fn tables(&self) -> Result<TableSection> {
        let mut section = TableSection::new();
        for (table, index) in self.program.tables.iter().zip(&self.tables) {
            if *index != ABSENT {
                section.table(RoundtripReencoder.table_type(table.ty)?);
            }
        }
        Ok(section)
    }

    fn memory(&self) -> Result<MemorySection> {
        let mut section = MemorySection::new();
        if let Some(memory) = self.program.memory {
            section.memory(RoundtripReencoder.memory_type(memory)?);
        }
        Ok(section)
    }

    fn globals(&self) -> Result<GlobalSection> {
        let mut section = GlobalSection::new();
        for (global, index) in self.program.globals.iter().zip(&self.globals) {
            if *index != ABSENT {
                section.global(RoundtripReencoder.global_type(global.ty)?, &constant(global.value));
            }
        }
        Ok(section)
    }

    fn exports(&self) -> ExportSection {
        let mut section = ExportSection::new();
        section.export(export::MEMORY, ExportKind::Memory, 0);
        for (name, function) in &self.program.exports {
            section.export(name, ExportKind::Func, self.function(*function));
        }
        section
    }

    /// A segment for each run of slots in a row, and the functions that code refers to.
    fn elements(&self) -> ElementSection {
        let mut section = ElementSection::new();
        for (table, &index) in self.program.tables.iter().zip(&self.tables) {
            if index == ABSENT {
                continue;
            }
            let slots: Vec<(u32, u32)> = table.slots.iter().map(|(&slot, &held)| (slot, self.function(held))).collect();
            for run in slots.chunk_by(|left, right| left.0 + 1 == right.0) {
                let first = ConstExpr::i32_const(run[0].0.cast_signed());
                let functions: Vec<u32> = run.iter().map(|slot| slot.1).collect();
                section.active((index > 0).then_some(index), &first, Elements::Functions(Cow::Owned(functions)));
            }
        }
        if !self.plan.referenced.is_empty() {
            let referenced = self.plan.referenced.iter().map(|&function| self.functions[function]).collect();
            section.declared(Elements::Functions(Cow::Owned(referenced)));
        }
        section
    }

    fn code(&self) -> Result<CodeSection> {
        let mut section = CodeSection::new();
        for &function in &self.order {
            match &self.program.functions[function].code {
                Code::Body { node, body } => {
                    section.function(&InNode { emitter: self, node: *node }.body(body)?);
                }
                Code::World { .. } => {
                    let mut body = Body::new([]);
                    body.instructions().unreachable().end();
                    section.function(&body);
                }
                Code::Import { .. } => {}
            }
        }
        Ok(section)
    }

    fn data(&self) -> DataSection {
        let mut section = DataSection::new();
        for (address, octets) in &self.program.data {
            section.active(0, &ConstExpr::i32_const(address.cast_signed()), octets.iter().copied());
        }
        section
    }
}

fn numbered(kept: impl Iterator<Item = bool>) -> Vec<u32> {
    let mut next = 0;
    kept.map(|kept| {
        let index = if kept { next } else { ABSENT };
        next += u32::from(kept);
        index
    })
    .collect()
}

fn constant(value: Value) -> ConstExpr {
    match value {
        Value::I32(value) => ConstExpr::i32_const(value),
        Value::I64(value) => ConstExpr::i64_const(value),
        Value::F32(bits) => ConstExpr::f32_const(f32::from_bits(bits).into()),
        Value::F64(bits) => ConstExpr::f64_const(f64::from_bits(bits).into()),
    }
}

/// Writes the bodies of one node with the module's indices.
struct InNode<'e, 'p, 'a> {
    emitter: &'e Emitter<'p, 'a>,
    node: usize,
}

impl InNode<'_, '_, '_> {
    fn map(&self, kind: Kind, index: u32) -> usize {
        self.emitter.program.nodes[self.node].map(kind, index)
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> Result<Body> {
        let mut written = self.new_function_with_parsed_locals(body)?;
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let operator = operators.read()?;
            let constant = self.constant(&operator);
            written.instruction(&constant.map_or_else(|| self.instruction(operator), Ok)?);
        }
        Ok(written)
    }

    /// The value that takes the place of reading a global.
    fn constant(&self, operator: &Operator<'_>) -> Option<Instruction<'static>> {
        let Operator::GlobalGet { global_index } = operator else { return None };
        let global = self.map(Kind::Global, *global_index);
        self.emitter.plan.is_constant(global).then(|| match self.emitter.program.globals[global].value {
            Value::I32(value) => Instruction::I32Const(value),
            Value::I64(value) => Instruction::I64Const(value),
            Value::F32(bits) => Instruction::F32Const(f32::from_bits(bits).into()),
            Value::F64(bits) => Instruction::F64Const(f64::from_bits(bits).into()),
        })
    }
}

impl Reencode for InNode<'_, '_, '_> {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32> {
        Ok(self.emitter.function(self.map(Kind::Function, index)))
    }

    fn global_index(&mut self, index: u32) -> Result<u32> {
        Ok(self.emitter.globals[self.map(Kind::Global, index)])
    }

    fn table_index(&mut self, index: u32) -> Result<u32> {
        Ok(self.emitter.tables[self.map(Kind::Table, index)])
    }

    fn type_index(&mut self, index: u32) -> Result<u32> {
        Ok(self.emitter.program.nodes[self.node].types[index as usize])
    }
}
