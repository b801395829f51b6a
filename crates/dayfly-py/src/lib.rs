//! The binding: Python values in, core calls out. The one crate that knows Python.

use pyo3::prelude::*;

/// The native half of dayfly.
#[pymodule]
fn _core(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
