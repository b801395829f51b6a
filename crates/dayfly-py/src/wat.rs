//! The text format of WebAssembly, for tenants of the `wasm` tier and for tests.

use pyo3::prelude::*;

use crate::errors::BuildError;

/// Translate the text format of WebAssembly into a module. `name` stands in messages; raises `BuildError`.
#[pyfunction]
pub(crate) fn parse_wat(text: &str, name: &str) -> PyResult<Vec<u8>> {
    wat::parse_str(text).map_err(|mut error| {
        error.set_path(name);
        let lines: Vec<String> = error.to_string().lines().map(|line| line.trim().to_owned()).collect();
        BuildError::new_err(format!("{name}: not valid WebAssembly text: {}", lines.join(" ")))
    })
}
