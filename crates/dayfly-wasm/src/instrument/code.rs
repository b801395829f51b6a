//! Rewrites function bodies. Most instructions are copied as they are; those that touch the memory's size, run
//! uninterruptibly, or change state outside memory are replaced or marked.

use std::collections::BTreeSet;

use wasm_encoder::{CodeSection, InstructionSink};
use wasmparser::{FuncValidator, FunctionBody, Operator, ValidatorResources};

use super::straight::Straight;
use super::survey::Survey;
use crate::{Error, Fresh};

/// Indices of what is added behind the program's own functions and globals.
#[derive(Clone, Copy)]
pub(super) struct Added {
    pub(super) grow: u32,
    pub(super) fill: u32,
    pub(super) copy: u32,
    pub(super) save: u32,
    pub(super) entry: u32,
    /// Only in a base.
    pub(super) restore: u32,
    /// Virtual size in pages.
    pub(super) size: u32,
    /// 1 once a growth was refused.
    pub(super) refused: u32,
    /// Most pages; only in a base.
    pub(super) limit: Option<u32>,
    /// 1 once state outside memory was changed; exists only if something can do so.
    pub(super) unsaved: u32,
}

/// The code section as far as it has been rewritten, and what the bodies do.
pub(super) struct CodeRewriter {
    pub(super) added: Added,
    pub(super) section: CodeSection,
    /// Globals that some function sets.
    pub(super) set: BTreeSet<u32>,
    /// Whether data segments are referred to by index, so that their numbers must stay.
    pub(super) uses_data: bool,
    /// Functions that `ref.func` names: some section beside the code must name them, too.
    pub(super) referenced: BTreeSet<u32>,
    /// Globals that hold references.
    reference_globals: BTreeSet<u32>,
    fresh: Option<Fresh>,
    /// Functions that are the host's.
    imported: u32,
}

/// What becomes of one instruction.
enum Change {
    /// Stays; its effect lies outside memory and is noted at run time.
    Mark(Fresh),
    /// Replaced by a call of an added function.
    Call(u32),
    /// Replaced by a read of the virtual size.
    Size,
}

impl CodeRewriter {
    /// For the module whose sections before the code were surveyed.
    pub(super) fn new(survey: &Survey<'_>) -> CodeRewriter {
        let functions = survey.functions.len() as u32;
        let globals = survey.globals.len() as u32;
        let references = (0..).zip(&survey.globals).filter(|(_, ty)| ty.content_type.is_reference_type());
        CodeRewriter {
            added: Added {
                grow: functions,
                fill: functions + 1,
                copy: functions + 2,
                save: functions + 3,
                entry: functions + 4,
                restore: functions + 5,
                size: globals,
                refused: globals + 1,
                limit: survey.is_base().then_some(globals + 2),
                unsaved: globals + 2 + u32::from(survey.is_base()),
            },
            section: CodeSection::new(),
            set: BTreeSet::new(),
            uses_data: false,
            referenced: BTreeSet::new(),
            reference_globals: references.map(|(index, _)| index).collect(),
            fresh: None,
            imported: functions - survey.function_section.as_ref().map_or(0, wasmparser::SectionLimited::count),
        }
    }

    /// Why a new instance is needed for each request: the first reason found.
    pub(super) fn fresh(&self) -> Option<Fresh> {
        self.fresh
    }

    /// Validates one body, notes what it does, and adds it to the section.
    pub(super) fn body(
        &mut self,
        mut validator: FuncValidator<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<(), Error> {
        let mut locals = body.get_binary_reader();
        validator.read_locals(&mut locals)?;
        let mut reader = body.get_operators_reader()?;
        let octets = body.as_bytes();
        let start = body.range().start;
        let (mut rewritten, mut copied) = (Vec::with_capacity(octets.len()), 0);
        let mut straight = Straight::new(self.imported);
        while !reader.eof() {
            let (operator, at) = reader.read_with_offset()?;
            validator.op(at, &operator)?;
            let (from, to) = ((at - start) as usize, (reader.original_position() - start) as usize);
            if straight.is_check_due() {
                rewritten.extend_from_slice(&octets[copied..from]);
                copied = from;
                straight.check(&mut rewritten);
            }
            straight.pass(&operator, to - from);
            let Some(change) = self.change(&operator) else { continue };
            rewritten.extend_from_slice(&octets[copied..from]);
            copied = if self.apply(&change, &mut rewritten) { to } else { from };
        }
        reader.finish()?;
        rewritten.extend_from_slice(&octets[copied..]);
        self.section.raw(&rewritten);
        Ok(())
    }

    fn change(&mut self, operator: &Operator<'_>) -> Option<Change> {
        match operator {
            Operator::GlobalSet { global_index } => {
                self.set.insert(*global_index);
                let marked = self.reference_globals.contains(global_index);
                marked.then_some(Change::Mark(Fresh::ReferenceGlobal))
            }
            Operator::MemorySize { .. } => Some(Change::Size),
            Operator::MemoryGrow { .. } => Some(Change::Call(self.added.grow)),
            Operator::MemoryFill { .. } => Some(Change::Call(self.added.fill)),
            Operator::MemoryCopy { .. } => Some(Change::Call(self.added.copy)),
            Operator::MemoryInit { .. } => {
                self.uses_data = true;
                None
            }
            Operator::DataDrop { .. } => {
                self.uses_data = true;
                Some(Change::Mark(Fresh::Segment))
            }
            Operator::RefFunc { function_index } => {
                self.referenced.insert(*function_index);
                None
            }
            Operator::ElemDrop { .. } => Some(Change::Mark(Fresh::Segment)),
            Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. } => Some(Change::Mark(Fresh::Table)),
            _ => None,
        }
    }

    /// Writes what a change adds; true if that replaces the instruction itself.
    fn apply(&mut self, change: &Change, into: &mut Vec<u8>) -> bool {
        let mut sink = InstructionSink::new(into);
        match change {
            Change::Mark(reason) => {
                self.fresh.get_or_insert(*reason);
                sink.i32_const(1).global_set(self.added.unsaved);
                return false;
            }
            Change::Call(function) => sink.call(*function),
            Change::Size => sink.global_get(self.added.size),
        };
        true
    }

    /// Adds a function of our own.
    pub(super) fn add(&mut self, function: &wasm_encoder::Function) {
        self.section.function(function);
    }
}
