//! Rewrites a program so that its memory is its whole state. The crate's description says what changes and why.
//!
//! One pass over the module validates it, collects the facts that decide (`survey`) and rewrites the function
//! bodies on the way (`code`); then the sections are put together again (`assemble`) with the added functions
//! (`added`, `bulk`). No index changes: everything added comes after what was there. So instructions that stay
//! are copied as they are.

mod added;
mod assemble;
mod bulk;
mod cells;
mod code;
mod limits;
mod straight;
mod survey;

use wasmparser::{FuncValidatorAllocations, Parser, Payload, ValidPayload, Validator, WasmFeatures};

use crate::abi::WASM_PAGE_BYTES;
use crate::image::Image;
use crate::{Error, Layout, Program};
use cells::Cells;
use code::CodeRewriter;
pub use limits::TABLE_ELEMENTS_MAX;
use survey::Survey;

/// What a program may be built with: WebAssembly 2.0, exceptions (the standard encoding with `exnref`), tail calls.
/// Each further proposal is more engine that tenants can reach, and none is needed by a tier.
const FEATURES: WasmFeatures = WasmFeatures::WASM2.union(WasmFeatures::EXCEPTIONS).union(WasmFeatures::TAIL_CALL);

/// What to make of the program.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Largest virtual memory of the program in octets, a multiple of 64 KiB; the host page comes on top of it.
    pub memory_bytes_max: u64,
}

/// Makes a program out of a core module that speaks the guest ABI, or says why it cannot be one.
///
/// Takes time and memory in proportion to the module. The same input always gives the same output.
pub fn instrument(wasm: &[u8], options: &Options) -> Result<Program, Error> {
    let pages_max = options.pages_max()?;
    limits::module_bytes(wasm.len())?;
    let (survey, code) = read(wasm, pages_max)?;
    survey.check_exports()?;
    let cells = Cells::allocate(&survey, &code, options.memory_bytes_max)?;
    let image = image(&survey, &cells)?;
    let fresh = code.fresh();
    let layout = Layout::new(options.memory_bytes_max, cells.count());
    let code = assemble::assemble(wasm, &survey, code, &cells)?;
    validator().validate_all(&code).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Program { code, image, layout, fresh })
}

impl Options {
    /// The limit in wasm pages. One page of the 65,536 that wasm32 can address is left for the host page.
    fn pages_max(self) -> Result<u32, Error> {
        let pages = self.memory_bytes_max / WASM_PAGE_BYTES;
        if !self.memory_bytes_max.is_multiple_of(WASM_PAGE_BYTES) || !(1..=65_535).contains(&pages) {
            return Err(Error::MemoryBytesMax(self.memory_bytes_max));
        }
        Ok(pages as u32)
    }
}

fn validator() -> Validator {
    Validator::new_with_features(FEATURES)
}

/// The one pass: every payload is checked before it is believed.
fn read(wasm: &[u8], pages_max: u32) -> Result<(Survey<'_>, CodeRewriter), Error> {
    let mut validator = validator();
    let mut survey = Survey::default();
    let mut code = None;
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    for payload in parser.parse_all(wasm) {
        let payload = payload?;
        survey::refuse_early(&payload)?;
        match validator.payload(&payload)? {
            ValidPayload::Func(function, body) => {
                let validator = function.into_validator(FuncValidatorAllocations::default());
                code.get_or_insert_with(|| CodeRewriter::new(&survey)).body(validator, &body)?;
            }
            _ if matches!(payload, Payload::End(_)) => break,
            _ => survey.note(payload, pages_max)?,
        }
    }
    let code = code.unwrap_or_else(|| CodeRewriter::new(&survey));
    Ok((survey, code))
}

/// The memory as instantiation would leave it, and the cell of the virtual size.
fn image(survey: &Survey<'_>, cells: &Cells) -> Result<Image, Error> {
    let size = survey.memory_pages.to_le_bytes();
    let mut writes = survey.active_data()?;
    writes.push((cells.size_offset(), &size));
    Ok(Image::from_writes(cells.memory_bytes(), writes.into_iter()))
}

#[cfg(test)]
mod tests;
