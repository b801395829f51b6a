//! Puts the rewritten module together, section by section, in the order that the specification demands.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    ConstExpr, DataCountSection, DataSection, ExportKind, ExportSection, FunctionSection, GlobalSection, GlobalType,
    MemorySection, MemoryType, Module, RawSection, SectionId, TypeSection, ValType,
};
use wasmparser::{DataKind, ExternalKind, SectionLimited};

use super::cells::Cells;
use super::code::CodeRewriter;
use super::survey::Survey;
use super::{added, bulk};
use crate::Error;
use crate::abi::{WASM_PAGE_BYTES, export};

/// The rewritten module. `wasm` is the one that was surveyed.
pub(super) fn assemble(
    wasm: &[u8],
    survey: &Survey<'_>,
    mut code: CodeRewriter,
    cells: &Cells,
) -> Result<Vec<u8>, Error> {
    let mut module = Module::new();
    module.section(&types(survey)?);
    keep(&mut module, wasm, SectionId::Import, survey.import_section.as_ref());
    module.section(&functions(survey)?);
    keep(&mut module, wasm, SectionId::Table, survey.table_section.as_ref());
    module.section(&memory(cells));
    keep(&mut module, wasm, SectionId::Tag, survey.tag_section.as_ref());
    module.section(&globals(survey, &code)?);
    module.section(&exports(survey, &code));
    keep(&mut module, wasm, SectionId::Element, survey.element_section.as_ref());
    if code.uses_data {
        module.section(&DataCountSection { count: survey.data().len() as u32 });
    }
    add_functions(survey, &mut code, cells);
    module.section(&code.section);
    if code.uses_data {
        module.section(&data(survey));
    }
    Ok(module.finish())
}

/// Copies a section as it is.
fn keep<T>(module: &mut Module, wasm: &[u8], id: SectionId, section: Option<&SectionLimited<'_, T>>) {
    if let Some(section) = section {
        let range = section.range();
        module.section(&RawSection { id: id.into(), data: &wasm[range.start as usize..range.end as usize] });
    }
}

/// The types of the added functions, behind the program's own: `()`, `(i32) -> i32`, `(i32, i32, i32)`.
fn types(survey: &Survey<'_>) -> Result<TypeSection, Error> {
    let mut section = TypeSection::new();
    if let Some(own) = &survey.type_section {
        RoundtripReencoder.parse_type_section(&mut section, own.clone()).map_err(internal)?;
    }
    section.ty().function([], []);
    section.ty().function([ValType::I32], [ValType::I32]);
    section.ty().function([ValType::I32; 3], []);
    Ok(section)
}

/// In the order of [`super::code::Added`].
fn functions(survey: &Survey<'_>) -> Result<FunctionSection, Error> {
    let mut section = FunctionSection::new();
    if let Some(own) = &survey.function_section {
        RoundtripReencoder.parse_function_section(&mut section, own.clone()).map_err(internal)?;
    }
    let nothing = survey.types.len() as u32;
    let (one_to_one, three) = (nothing + 1, nothing + 2);
    for ty in [one_to_one, three, three, nothing, one_to_one] {
        section.function(ty);
    }
    if survey.is_base() {
        section.function(nothing);
    }
    Ok(section)
}

/// In the order of [`super::code::Added`].
fn add_functions(survey: &Survey<'_>, code: &mut CodeRewriter, cells: &Cells) {
    let indices = code.added;
    code.add(&added::grow(indices, survey.memory_pages_max));
    code.add(&bulk::fill(indices));
    code.add(&bulk::copy(indices, cells.host_page_offset()));
    code.add(&added::save(cells));
    code.add(&added::entry(indices, cells, survey.handle()));
    if survey.is_base() {
        code.add(&added::restore(indices, cells));
    }
}

/// Minimum = maximum: the engine never grows it and elides what checks it can.
fn memory(cells: &Cells) -> MemorySection {
    let pages = cells.memory_bytes() / WASM_PAGE_BYTES;
    let mut section = MemorySection::new();
    section.memory(MemoryType {
        minimum: pages,
        maximum: Some(pages),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    section
}

/// In the order of [`super::code::Added`].
fn globals(survey: &Survey<'_>, code: &CodeRewriter) -> Result<GlobalSection, Error> {
    let mut section = GlobalSection::new();
    if let Some(own) = &survey.global_section {
        RoundtripReencoder.parse_global_section(&mut section, own.clone()).map_err(internal)?;
    }
    let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
    section.global(ty, &ConstExpr::i32_const(survey.memory_pages.cast_signed()));
    section.global(ty, &ConstExpr::i32_const(0));
    if survey.is_base() {
        section.global(ty, &ConstExpr::i32_const(survey.memory_pages_max.cast_signed()));
    }
    if code.fresh().is_some() {
        section.global(ty, &ConstExpr::i32_const(0));
    }
    Ok(section)
}

fn exports(survey: &Survey<'_>, code: &CodeRewriter) -> ExportSection {
    let mut section = ExportSection::new();
    for kept in survey.kept_exports(&code.referenced) {
        let kind = match kept.kind {
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Global => ExportKind::Global,
            _ => ExportKind::Func,
        };
        section.export(kept.name, kind, kept.index);
    }
    section.export(export::ENTRY, ExportKind::Func, code.added.entry);
    section.export(export::SAVE, ExportKind::Func, code.added.save);
    if let Some(start) = survey.start {
        section.export(export::START, ExportKind::Func, start);
    }
    section.export(export::SIZE, ExportKind::Global, code.added.size);
    section.export(export::REFUSED, ExportKind::Global, code.added.refused);
    if let Some(limit) = code.added.limit {
        section.export(export::RESTORE, ExportKind::Func, code.added.restore);
        section.export(export::LIMIT, ExportKind::Global, limit);
    }
    if code.fresh().is_some() {
        section.export(export::UNSAVED, ExportKind::Global, code.added.unsaved);
    }
    section
}

/// Passive segments stay. An active one keeps its number and becomes empty: that is what instantiation leaves of it.
fn data(survey: &Survey<'_>) -> DataSection {
    let mut section = DataSection::new();
    for segment in survey.data() {
        let octets = match segment.kind {
            DataKind::Passive => segment.data,
            DataKind::Active { .. } => &[],
        };
        section.passive(octets.iter().copied());
    }
    section
}

/// The input was validated, so that encoding it again cannot fail.
#[allow(clippy::needless_pass_by_value, reason = "the shape of `map_err`")]
fn internal(error: wasm_encoder::reencode::Error) -> Error {
    Error::Internal(error.to_string())
}
