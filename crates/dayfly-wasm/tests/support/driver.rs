//! Makes a program out of any module: adds a handler that calls every function of it and folds into one number all
//! that can be observed, so that two runs can be compared.

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, InstructionSink, Module, TypeSection, ValType,
};
use wasmparser::{
    CodeSectionReader, CompositeInnerType, ExportSectionReader, ExternalKind, FuncType, FunctionSectionReader,
    GlobalType, Parser, Payload, TypeRef, TypeSectionReader,
};

/// Functions called beyond this number would only use up the fuel.
const CALLS_MAX: usize = 12;
/// Elements of each table that are looked at.
const ELEMENTS_MAX: u64 = 20;

/// `wasm` with the exports `memory` and `dayfly_handle`; all others get names that mean nothing.
pub(crate) fn add_handler(wasm: &[u8]) -> Vec<u8> {
    let mut driver = Driver::survey(wasm);
    let mut module = Module::new();
    driver.parse_core_module(&mut module, Parser::new(0), wasm).expect("the generator makes valid modules");
    module.finish()
}

#[derive(Default)]
struct Driver {
    types: Vec<FuncType>,
    functions: Vec<u32>,
    imported: usize,
    globals: Vec<GlobalType>,
    /// Initial sizes.
    tables: Vec<u64>,
}

impl Driver {
    fn survey(wasm: &[u8]) -> Driver {
        let mut driver = Driver::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.expect("valid") {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter().flat_map(|group| group.expect("valid").into_types()) {
                        let CompositeInnerType::Func(ty) = ty.composite_type.inner else { unreachable!("no gc types") };
                        driver.types.push(ty);
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let TypeRef::Func(ty) = import.expect("valid").ty else { unreachable!("functions only") };
                        driver.functions.push(ty);
                    }
                    driver.imported = driver.functions.len();
                }
                Payload::FunctionSection(section) => {
                    driver.functions.extend(section.into_iter().map(|ty| ty.expect("valid")));
                }
                Payload::GlobalSection(section) => {
                    driver.globals.extend(section.into_iter().map(|it| it.expect("valid").ty));
                }
                Payload::TableSection(section) => {
                    driver.tables.extend(section.into_iter().map(|table| table.expect("valid").ty.initial));
                }
                _ => {}
            }
        }
        driver
    }

    /// `dayfly_handle(input)`.
    fn handler(&mut self) -> Function {
        let called = self.functions[self.imported..].iter().take(CALLS_MAX);
        let called: Vec<FuncType> = called.map(|ty| self.types[*ty as usize].clone()).collect();
        // Local 1 is the fold; the rest hold results of one call after the other.
        let results = called.iter().flat_map(FuncType::results);
        let locals = results.map(|ty| self.val_type(*ty).expect("valid"));
        let locals: Vec<ValType> = std::iter::once(ValType::I32).chain(locals).collect();
        let mut function = Function::new_with_locals_types(locals);
        let mut sink = function.instructions();
        self.fold_state(&mut sink);
        let mut local = 2;
        for (index, ty) in (self.imported as u32..).zip(&called) {
            for param in ty.params() {
                argument(&mut sink, self.val_type(*param).expect("valid"));
            }
            sink.call(index);
            for slot in (local..local + ty.results().len() as u32).rev() {
                sink.local_set(slot);
            }
            for result in ty.results() {
                sink.local_get(local);
                fold(&mut sink, self.val_type(*result).expect("valid"));
                local += 1;
            }
            sink.memory_size(0);
            fold(&mut sink, ValType::I32);
        }
        self.fold_state(&mut sink);
        sink.local_get(1).end();
        function
    }

    /// Folds what a request finds and what it leaves outside of memory.
    fn fold_state(&mut self, sink: &mut InstructionSink<'_>) {
        for (index, ty) in (0..).zip(self.globals.clone()) {
            fold(sink.global_get(index), self.val_type(ty.content_type).expect("valid"));
        }
        for (table, initial) in (0..).zip(&self.tables) {
            fold(sink.table_size(table), ValType::I32);
            for element in 0..(*initial).min(ELEMENTS_MAX) {
                fold(sink.i32_const(element as i32).table_get(table).ref_is_null(), ValType::I32);
            }
        }
    }
}

/// The input as a value of this type.
fn argument(sink: &mut InstructionSink<'_>, ty: ValType) {
    match ty {
        ValType::I32 => sink.local_get(0),
        ValType::I64 => sink.local_get(0).i64_extend_i32_s(),
        ValType::F32 => sink.local_get(0).f32_convert_i32_s(),
        ValType::F64 => sink.local_get(0).f64_convert_i32_s(),
        ValType::V128 => sink.local_get(0).i32x4_splat(),
        ValType::Ref(ty) => sink.ref_null(ty.heap_type),
    };
}

/// Folds the value on the stack into local 1.
fn fold(sink: &mut InstructionSink<'_>, ty: ValType) {
    match ty {
        ValType::I32 => &mut *sink,
        ValType::F32 => sink.i32_reinterpret_f32(),
        ValType::I64 => halve(sink),
        ValType::F64 => halve(sink.i64_reinterpret_f64()),
        ValType::V128 => sink.i8x16_bitmask(),
        ValType::Ref(_) => sink.ref_is_null(),
    };
    sink.local_get(1).i32_const(0x0100_0193).i32_mul().i32_xor().local_set(1);
}

fn halve<'s, 'f>(sink: &'s mut InstructionSink<'f>) -> &'s mut InstructionSink<'f> {
    sink.i64_const(0x9e37_79b9_7f4a_7c15_u64.cast_signed()).i64_mul().i64_const(32).i64_shr_u().i32_wrap_i64()
}

impl Reencode for Driver {
    type Error = std::convert::Infallible;

    fn parse_type_section(&mut self, types: &mut TypeSection, section: TypeSectionReader<'_>) -> Result<(), Error> {
        utils::parse_type_section(self, types, section)?;
        types.ty().function([ValType::I32], [ValType::I32]);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_function_section(self, functions, section)?;
        functions.function(self.types.len() as u32);
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error> {
        for (number, export) in section.into_iter().enumerate() {
            let export = export?;
            if export.kind != ExternalKind::Memory {
                exports.export(&format!("export {number}"), self.export_kind(export.kind)?, export.index);
            }
        }
        exports.export("memory", ExportKind::Memory, 0);
        exports.export("dayfly_handle", ExportKind::Func, self.functions.len() as u32);
        Ok(())
    }

    fn parse_code_section(&mut self, code: &mut CodeSection, section: CodeSectionReader<'_>) -> Result<(), Error> {
        utils::parse_code_section(self, code, section)?;
        code.function(&self.handler());
        Ok(())
    }
}
