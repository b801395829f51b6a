//! Makes one core module out of a component and a side module, so that it can become a program.
//!
//! A component of a language runtime is dozens of core modules, linked by instances, plus imports that are lowered from
//! its world. Here all of them get one index space (`link`), in this order:
//!
//! 1. `component` reads which modules there are, how they are instantiated, and what the component imports.
//! 2. `link` adds module after module to one [`program::Program`]: an import is replaced by what it stands for.
//! 3. The side module comes last, by the convention for dynamic linking: it is given memory behind the component's and
//!    slots behind the table's, and may import any function or data that a module of the component exports.
//!    What it exports as `dayfly:instead#name` takes the place of a function of the component, for all who call that; it
//!    may import the original from `dayfly:replaced`.
//! 4. What the component imports is bound to the side module's exports of that name (`wasi:clocks/wall-clock#now`: the
//!    interface without its version, and the function); what has none traps.
//! 5. `optimise` finds what can be reached from the side module's exports, and what never changes there: the component
//!    is initialised, so that what a dynamic linker leaves variable is constant by now.
//! 6. `emit` writes the module. It exports what the side module exports, and the memory.

mod component;
mod emit;
mod link;
mod module;
mod optimise;
mod program;
mod side;

use wasmparser::{Validator, WasmFeatures};

use crate::Error;
use component::Component;
use link::Linker;

/// What components may be built with. The merged module is held to less, by [`crate::instrument`].
const FEATURES: WasmFeatures = WasmFeatures::WASM3.union(WasmFeatures::COMPONENT_MODEL);

/// The inputs, as messages name them.
const COMPONENT: &str = "component";
const SIDE: &str = "side module";

/// Merges a component and a side module (`dylink.0`) into one core module.
///
/// The same inputs always give the same output. Takes time and memory in proportion to the component: half a second for
/// CPython.
pub fn merge(component: &[u8], side: &[u8]) -> Result<Vec<u8>, Error> {
    validate(COMPONENT, component)?;
    validate(SIDE, side)?;
    let component = Component::read(component)?;
    let program = Linker::new(&component).link(side)?;
    let plan = optimise::plan(&program)?;
    let module = emit::emit(&program, &plan)?;
    Validator::new_with_features(FEATURES).validate_all(&module).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(module)
}

fn validate(part: &'static str, octets: &[u8]) -> Result<(), Error> {
    let result = Validator::new_with_features(FEATURES).validate_all(octets);
    result.map(drop).map_err(|error| unlinked(part, error.to_string()))
}

/// Why a part cannot be merged.
fn unlinked(part: &'static str, reason: impl Into<String>) -> Error {
    Error::Unlinked { part, reason: reason.into() }
}
