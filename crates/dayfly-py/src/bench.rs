//! What a request costs in process.

use std::path::Path;

use dayfly_core::bench::{release_bench, restore_bench};
use pyo3::prelude::*;

use crate::errors::to_python;
use crate::json::{from_json, to_json};

/// Time a request and its restore in process; blocks for about `seconds` of the options.
#[pyfunction]
pub(crate) fn bench_restore(
    py: Python<'_>,
    guest: &str,
    wasm: &[u8],
    code_cache: &str,
    options: &str,
) -> PyResult<String> {
    let options = from_json("options", options)?;
    let measured = py.detach(|| restore_bench(guest, wasm, Path::new(code_cache), &options));
    to_json(&measured.map_err(|error| to_python(&error))?)
}

/// The same of a recorded release, and what its first request on a thread takes.
#[pyfunction]
pub(crate) fn bench_release(
    py: Python<'_>,
    guest: &str,
    release: &str,
    code_cache: &str,
    options: &str,
) -> PyResult<String> {
    let options = from_json("options", options)?;
    let measured = py.detach(|| release_bench(guest, Path::new(release), Path::new(code_cache), &options));
    to_json(&measured.map_err(|error| to_python(&error))?)
}
