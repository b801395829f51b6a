//! Confinement of a process that is about to meet a tenant's program.

use crate::errors::{InternalError, SystemRefused};
use crate::json::{from_json, to_json};
use dayfly_core::confine::{Error, Policy};
use pyo3::prelude::*;

/// Confine this process for good; gives what holds from now on, as JSON.
#[pyfunction]
pub(crate) fn confine(policy: &str) -> PyResult<String> {
    let policy: Policy = from_json("policy", policy)?;
    let confined = dayfly_core::confine::confine(&policy).map_err(|error| match error {
        Error::Threads(_) => InternalError::new_err(error.to_string()),
        _ => SystemRefused::new_err(error.to_string()),
    })?;
    to_json(&confined)
}
