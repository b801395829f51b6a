//! What a module has: the sections to keep, and the facts that decide whether and how it is rewritten.

use std::collections::BTreeSet;

use wasmparser::{
    CompositeInnerType, Data, DataKind, DataSectionReader, ElementItems, ElementSectionReader, Encoding, Export,
    ExportSectionReader, ExternalKind, FuncType, FunctionSectionReader, GlobalSectionReader, GlobalType, Import,
    ImportSectionReader, MemorySectionReader, Operator, Payload, TableSectionReader, TagSectionReader, TypeRef,
    TypeSectionReader, ValType,
};

use super::limits;
use crate::Error;
use crate::abi::{self, WASM_PAGE_BYTES, export};

/// Facts about one module. Filled payload by payload, in the order of the file, after each one was validated.
#[derive(Default)]
pub(super) struct Survey<'a> {
    pub(super) types: Vec<FuncType>,
    /// Type of each function, imported ones first.
    pub(super) functions: Vec<u32>,
    pub(super) globals: Vec<GlobalType>,
    pub(super) memory_pages: u32,
    /// The program's own maximum or the limit, whichever is lower.
    pub(super) memory_pages_max: u32,
    pub(super) start: Option<u32>,
    has_memory: bool,
    exports: Vec<Export<'a>>,
    data: Vec<Data<'a>>,

    pub(super) type_section: Option<TypeSectionReader<'a>>,
    pub(super) import_section: Option<ImportSectionReader<'a>>,
    pub(super) function_section: Option<FunctionSectionReader<'a>>,
    pub(super) table_section: Option<TableSectionReader<'a>>,
    pub(super) tag_section: Option<TagSectionReader<'a>>,
    pub(super) global_section: Option<GlobalSectionReader<'a>>,
    pub(super) element_section: Option<ElementSectionReader<'a>>,
}

/// Refuses what validation would refuse, too, where we know the better word for it, and what is too large to be
/// validated.
pub(super) fn refuse_early(payload: &Payload<'_>) -> Result<(), Error> {
    match payload {
        Payload::Version { encoding: Encoding::Component, .. } => Err(unsupported("the component model")),
        Payload::TypeSection(section) => limits::types(section.count()),
        Payload::ImportSection(section) => limits::imports(section.count()),
        Payload::FunctionSection(section) => limits::functions(section.count()),
        Payload::TableSection(section) => limits::tables(section.count()),
        Payload::MemorySection(section) => refuse_memories(section.clone()),
        Payload::TagSection(section) => limits::tags(section.count()),
        Payload::GlobalSection(section) => limits::globals(section.count()),
        Payload::ExportSection(section) => limits::exports(section.count()),
        Payload::CodeSectionEntry(body) => limits::function_bytes(body.range().end - body.range().start),
        _ => Ok(()),
    }
}

fn refuse_memories(section: MemorySectionReader<'_>) -> Result<(), Error> {
    if section.count() > 1 {
        return Err(unsupported("several memories"));
    }
    for memory in section {
        let memory = memory?;
        if memory.memory64 {
            return Err(unsupported("a 64-bit memory"));
        }
        if memory.shared {
            return Err(unsupported("shared memory (threads)"));
        }
        if memory.page_size_log2.is_some() {
            return Err(unsupported("a custom page size"));
        }
    }
    Ok(())
}

fn unsupported(feature: &str) -> Error {
    Error::Unsupported { feature: feature.to_owned() }
}

impl<'a> Survey<'a> {
    /// Takes in a payload that is valid; `pages_max` is the memory limit.
    pub(super) fn note(&mut self, payload: Payload<'a>, pages_max: u32) -> Result<(), Error> {
        match payload {
            Payload::TypeSection(section) => self.note_types(section),
            Payload::ImportSection(section) => self.note_imports(section),
            Payload::FunctionSection(section) => self.note_functions(section),
            Payload::TableSection(section) => self.note_tables(section),
            Payload::MemorySection(section) => self.note_memory(section, pages_max),
            Payload::GlobalSection(section) => self.note_globals(section),
            Payload::ExportSection(section) => self.note_exports(section),
            Payload::ElementSection(section) => self.note_elements(section),
            Payload::DataSection(section) => self.note_data(section),
            Payload::TagSection(section) => {
                self.tag_section = Some(section);
                Ok(())
            }
            Payload::StartSection { func, .. } => {
                self.start = Some(func);
                Ok(())
            }
            // Version, counts and frames hold no fact; custom sections are dropped.
            _ => Ok(()),
        }
    }

    fn note_types(&mut self, section: TypeSectionReader<'a>) -> Result<(), Error> {
        self.type_section = Some(section.clone());
        for group in section {
            for ty in group?.into_types() {
                let CompositeInnerType::Func(ty) = ty.composite_type.inner else {
                    return Err(unsupported("types other than functions (gc)"));
                };
                self.types.push(ty);
            }
        }
        Ok(())
    }

    fn note_imports(&mut self, section: ImportSectionReader<'a>) -> Result<(), Error> {
        self.import_section = Some(section.clone());
        for import in section.into_imports() {
            let import = import?;
            let ty = self.check_import(&import).map_err(|reason| Error::Import {
                module: import.module.to_owned(),
                name: import.name.to_owned(),
                reason,
            })?;
            self.functions.push(ty);
        }
        Ok(())
    }

    /// The type of an imported hostcall.
    fn check_import(&self, import: &Import<'_>) -> Result<u32, String> {
        let TypeRef::Func(index) = import.ty else {
            return Err(format!("a program may import functions only, this is a {}", kind(import.ty)));
        };
        let hostcall = abi::HOSTCALLS.iter().find(|known| known.name == import.name);
        let Some(hostcall) = hostcall.filter(|_| import.module == abi::IMPORT_MODULE) else {
            let names: Vec<&str> = abi::HOSTCALLS.iter().map(|known| known.name).collect();
            return Err(format!("the functions of the host are {} in `{}`", names.join(", "), abi::IMPORT_MODULE));
        };
        let wanted = (hostcall.params, hostcall.results);
        if !self.has_type(index, wanted) {
            return Err(format!("its type is not {}", describe(wanted)));
        }
        Ok(index)
    }

    fn note_functions(&mut self, section: FunctionSectionReader<'a>) -> Result<(), Error> {
        self.function_section = Some(section.clone());
        for ty in section {
            self.functions.push(ty?);
        }
        Ok(())
    }

    fn note_tables(&mut self, section: TableSectionReader<'a>) -> Result<(), Error> {
        self.table_section = Some(section.clone());
        let mut elements = 0u64;
        for table in section {
            elements = elements.saturating_add(table?.ty.initial);
        }
        limits::table_elements(elements)
    }

    fn note_memory(&mut self, section: MemorySectionReader<'a>, pages_max: u32) -> Result<(), Error> {
        for memory in section {
            let memory = memory?;
            limits::initial_memory_pages(memory.initial, pages_max)?;
            self.has_memory = true;
            self.memory_pages = memory.initial as u32;
            self.memory_pages_max = memory.maximum.map_or(pages_max, |max| max.min(pages_max as u64) as u32);
        }
        Ok(())
    }

    fn note_globals(&mut self, section: GlobalSectionReader<'a>) -> Result<(), Error> {
        self.global_section = Some(section.clone());
        for global in section {
            self.globals.push(global?.ty);
        }
        Ok(())
    }

    fn note_exports(&mut self, section: ExportSectionReader<'a>) -> Result<(), Error> {
        for entry in section {
            let entry = entry?;
            if entry.name.starts_with(export::RESERVED_PREFIX) {
                return Err(export_error(entry.name, "names with this prefix are the host's"));
            }
            self.exports.push(entry);
        }
        Ok(())
    }

    fn note_elements(&mut self, section: ElementSectionReader<'a>) -> Result<(), Error> {
        self.element_section = Some(section.clone());
        let mut elements = 0u64;
        for segment in section {
            elements += u64::from(match segment?.items {
                ElementItems::Functions(items) => items.count(),
                ElementItems::Expressions(_, items) => items.count(),
            });
        }
        limits::segment_elements(elements)
    }

    fn note_data(&mut self, section: DataSectionReader<'a>) -> Result<(), Error> {
        for segment in section {
            let segment = segment?;
            if matches!(segment.kind, DataKind::Passive) {
                limits::passive_bytes(segment.data.len())?;
            }
            self.data.push(segment);
        }
        Ok(())
    }

    /// All exports of the ABI are there, if they must be, and have their type.
    pub(super) fn check_exports(&self) -> Result<(), Error> {
        if !self.has_memory || self.find(export::MEMORY).is_none_or(|found| found.kind != ExternalKind::Memory) {
            return Err(export_error(export::MEMORY, "the program must export its memory under this name"));
        }
        if self.find(export::HANDLE).is_none() {
            return Err(export_error(export::HANDLE, "the program must export this function"));
        }
        if self.is_base() != self.find(export::RESERVE).is_some() {
            return Err(export_error(
                export::LOAD,
                &format!("it needs `{}`, and the other way round", export::RESERVE),
            ));
        }
        for (name, wanted) in ABI_FUNCTIONS {
            if let Some(found) = self.find(name) {
                self.check_function(found, wanted)?;
            }
        }
        Ok(())
    }

    fn check_function(&self, found: &Export<'_>, wanted: Signature) -> Result<(), Error> {
        let ty = (found.kind == ExternalKind::Func).then(|| self.functions[found.index as usize]);
        if ty.is_some_and(|ty| self.has_type(ty, wanted)) {
            return Ok(());
        }
        Err(export_error(found.name, &format!("it must be a function {}", describe(wanted))))
    }

    fn has_type(&self, ty: u32, (params, results): Signature) -> bool {
        let ty = &self.types[ty as usize];
        ty.params() == params && ty.results() == results
    }

    fn find(&self, name: &str) -> Option<&Export<'a>> {
        self.exports.iter().find(|found| found.name == name)
    }

    /// Index of the program's handler; only after [`Survey::check_exports`].
    pub(super) fn handle(&self) -> u32 {
        self.find(export::HANDLE).expect("exports were checked").index
    }

    /// Whether others are loaded into the program.
    pub(super) fn is_base(&self) -> bool {
        self.find(export::LOAD).is_some()
    }

    /// The exports that stay: those of the ABI but the handler, and globals that cannot change. Also functions that
    /// code refers to, because the export may be what makes the reference valid.
    pub(super) fn kept_exports(&self, referenced: &BTreeSet<u32>) -> impl Iterator<Item = &Export<'a>> {
        self.exports.iter().filter(|found| match found.kind {
            ExternalKind::Func => is_kept_function(found.name) || referenced.contains(&found.index),
            ExternalKind::Memory => found.name == export::MEMORY,
            ExternalKind::Global => !self.globals[found.index as usize].mutable,
            _ => false,
        })
    }

    /// Data segments, in the order of their indices.
    pub(super) fn data(&self) -> &[Data<'a>] {
        &self.data
    }

    /// Offset and octets of each active data segment, checked against the initial memory.
    pub(super) fn active_data(&self) -> Result<Vec<(u64, &[u8])>, Error> {
        let memory_bytes = self.memory_pages as u64 * WASM_PAGE_BYTES;
        let mut active = Vec::new();
        for segment in &self.data {
            let DataKind::Active { offset_expr, .. } = &segment.kind else { continue };
            let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else {
                return Err(unsupported("data segments whose offset is not a constant"));
            };
            let offset = value.cast_unsigned() as u64;
            if offset + segment.data.len() as u64 > memory_bytes {
                let reason = format!("a data segment ends outside the initial memory of {memory_bytes} octets");
                return Err(Error::Malformed { reason, offset: segment.range.start });
            }
            active.push((offset, segment.data));
        }
        Ok(active)
    }
}

type Signature = (&'static [ValType], &'static [ValType]);

/// Functions that the host calls, and their types.
const ABI_FUNCTIONS: [(&str, Signature); 6] = [
    (export::INITIALIZE, (&[], &[])),
    (export::INIT, (&[], &[])),
    (export::TAKES, (&[], &[ValType::I32])),
    (export::HANDLE, (&[ValType::I32], &[ValType::I32])),
    (export::RESERVE, (&[ValType::I32], &[ValType::I32])),
    (export::LOAD, (&[ValType::I32, ValType::I32], &[ValType::I32])),
];

fn is_kept_function(name: &str) -> bool {
    name != export::HANDLE && ABI_FUNCTIONS.iter().any(|(known, _)| *known == name)
}

fn export_error(name: &str, reason: &str) -> Error {
    Error::Export { name: name.to_owned(), reason: reason.to_owned() }
}

fn kind(ty: TypeRef) -> &'static str {
    match ty {
        TypeRef::Func(_) | TypeRef::FuncExact(_) => "function",
        TypeRef::Table(_) => "table",
        TypeRef::Memory(_) => "memory",
        TypeRef::Global(_) => "global",
        TypeRef::Tag(_) => "tag",
    }
}

/// A type as it is written in the documents: `(i32, i32) -> i64`.
fn describe((params, results): Signature) -> String {
    let list = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match results {
        [] => format!("({})", list(params)),
        _ => format!("({}) -> {}", list(params), list(results)),
    }
}
