//! Merging a component and a side module into one core module, for the toolchain.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::BuildError;

/// Make one core module out of a component and a side module; raises `BuildError`.
#[pyfunction]
pub(crate) fn merge<'py>(py: Python<'py>, component: &[u8], side: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let merged = py.detach(|| dayfly_wasm::merge::merge(component, side));
    let merged = merged.map_err(|error| BuildError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &merged))
}
