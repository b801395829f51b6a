//! The data plane as a process of its own, and the sockets that its supervisor keeps.

use std::os::fd::AsFd;
use std::process::exit;

use dayfly_core::core::{CoreOptions, ServerOptions};
use dayfly_core::error::Error;
use dayfly_core::worker;
use pyo3::prelude::*;

use crate::errors::to_python;
use crate::json::{from_json, to_json};

/// Bind the sockets of a server, for workers to accept from; the caller owns the descriptors.
#[pyfunction]
pub(crate) fn listen(py: Python<'_>, core_options: &str, server_options: &str) -> PyResult<String> {
    let core_options: CoreOptions = from_json("options", core_options)?;
    let server_options: ServerOptions = from_json("options", server_options)?;
    let bound = py.detach(|| core_options.bind(&server_options));
    to_json(&bound.map_err(|error| to_python(&error))?)
}

/// Serve as the supervisor says whose socket is standard input, then end the process. Never returns to Python.
#[pyfunction]
pub(crate) fn run_worker(py: Python<'_>, options: &str) -> PyResult<()> {
    let options = from_json("options", options)?;
    let control = std::io::stdin().as_fd().try_clone_to_owned();
    let control = control.map_err(|error| to_python(&Error::io("no control socket", error)))?;
    py.detach(|| exit(i32::from(worker::run(control, options).is_err())))
}
