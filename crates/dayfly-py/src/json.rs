//! Values with parts cross as JSON: each has one definition on either side, and serde says what does not fit.

use pyo3::PyResult;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::errors::{InternalError, InvalidOption};

/// Reads what `dayfly.core` wrote; `what` names it if it does not fit.
pub(crate) fn from_json<T: DeserializeOwned>(what: &str, json: &str) -> PyResult<T> {
    serde_json::from_str(json).map_err(|error| InvalidOption::new_err(format!("{what}: {error}")))
}

/// Writes what `dayfly.core` reads.
pub(crate) fn to_json<T: Serialize>(value: &T) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| InternalError::new_err(error.to_string()))
}
