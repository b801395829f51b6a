//! `dayfly._core.Core`: the data plane for Python.

use std::path::Path;
use std::sync::Mutex;

use dayfly_core::access::Gate;
use dayfly_core::core;
use dayfly_core::freeze::Snapshot;
use dayfly_core::rehearse::Sample;
use dayfly_wasm::{Fresh, Layout};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;

use crate::errors::to_python;
use crate::json::{from_json, to_json};

/// The data plane in this process. Methods may be called from any thread.
#[pyclass(frozen, module = "dayfly._core")]
pub(crate) struct Core(core::Core);

#[pymethods]
impl Core {
    /// Start the engine. `options`: `dayfly.core.CoreOptions` as JSON; raises `InvalidOption` or `SystemRefused`.
    #[new]
    #[pyo3(signature = (options, gate = None))]
    fn new(py: Python<'_>, options: &str, gate: Option<Py<PyAny>>) -> PyResult<Core> {
        let options = from_json("options", options)?;
        let core = py.detach(|| core::Core::new(options)).map_err(|error| to_python(&error))?;
        Ok(Core(match gate {
            None => core,
            Some(gate) => core.with_gate(Gate::new(move || Python::attach(|py| ask(&gate, py)))),
        }))
    }

    /// Instrument, compile and run start-up and `on_init`; blocks up to the limits.
    fn freeze<'py>(
        &self,
        py: Python<'py>,
        wasm: &[u8],
        limits: &str,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>, String)> {
        let limits = from_json("limits", limits)?;
        let snapshot = py.detach(|| self.0.freeze(wasm, &limits)).map_err(|error| to_python(&error))?;
        let facts = to_json(&Known::of(&snapshot))?;
        Ok((PyBytes::new(py, &snapshot.code), PyBytes::new(py, &snapshot.image), facts))
    }

    /// Load a bundle into the release in a directory and run its start-up; blocks up to the limits.
    fn freeze_on<'py>(
        &self,
        py: Python<'py>,
        parent: &str,
        bundle: &[u8],
        limits: &str,
    ) -> PyResult<(Bound<'py, PyBytes>, String)> {
        let limits = from_json("limits", limits)?;
        let snapshot = py.detach(|| self.0.freeze_on(Path::new(parent), bundle, &limits));
        let snapshot = snapshot.map_err(|error| to_python(&error))?;
        let facts = to_json(&Known::of(&snapshot))?;
        Ok((PyBytes::new(py, &snapshot.image), facts))
    }

    /// Send sample requests to a release that nobody needs to be routed to; blocks up to its limits for each.
    fn rehearse(&self, py: Python<'_>, release: &str, samples: &str, secrets: &str) -> PyResult<String> {
        let samples: Vec<Sample> = from_json("samples", samples)?;
        let secrets = from_json("secrets", secrets)?;
        let rehearsed = py.detach(|| self.0.rehearse(Path::new(release), &samples, &secrets));
        to_json(&rehearsed.map_err(|error| to_python(&error))?)
    }

    /// Make a release directory the one that answers for a tenant; blocks while machine code is read or made.
    fn publish(&self, py: Python<'_>, tenant: &str, release: &str) -> PyResult<()> {
        let tenant = from_json("tenant", tenant)?;
        py.detach(|| self.0.publish(&tenant, Path::new(release))).map_err(|error| to_python(&error))
    }

    /// Take a tenant away; requests in flight are finished.
    fn retire(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        py.detach(|| self.0.retire(name)).map_err(|error| to_python(&error))
    }

    /// Serve until `stop`; blocks. An exception of `on_ready` stops the server and is raised here.
    fn serve(&self, py: Python<'_>, options: &str, on_ready: &Bound<'_, PyAny>) -> PyResult<()> {
        let options = from_json("options", options)?;
        let on_ready = on_ready.clone().unbind();
        let failed = Mutex::new(None);
        let served = py.detach(|| {
            self.0.serve(&options, |address| {
                let called = Python::attach(|py| on_ready.call1(py, (address.ip().to_string(), address.port())));
                if let Err(error) = called {
                    *failed.lock().expect("nobody panics while holding it") = Some(error);
                    self.0.stop();
                }
            })
        });
        match failed.into_inner().expect("nobody panics while holding it") {
            Some(error) => Err(error),
            None => served.map_err(|error| to_python(&error)),
        }
    }

    /// Stop accepting, finish what is in flight, and let `serve` return. Never blocks.
    fn stop(&self) {
        self.0.stop();
    }

    /// Counters of all threads and tenants since the start, as JSON.
    fn stats(&self, py: Python<'_>) -> PyResult<String> {
        to_json(&py.detach(|| self.0.stats()))
    }

    /// Take the waiting log records, as JSON. Never blocks.
    fn logs(&self, py: Python<'_>) -> PyResult<String> {
        to_json(&py.detach(|| self.0.logs()))
    }

    /// Take the waiting records of requests, as JSON. Never blocks.
    fn accesses(&self, py: Python<'_>) -> PyResult<String> {
        to_json(&py.detach(|| self.0.accesses()))
    }
}

/// A gate that fails is a closed one: it cannot tell that what is published is what should be.
fn ask(gate: &Py<PyAny>, py: Python<'_>) -> Option<String> {
    gate.call0(py).and_then(|answer| answer.extract(py)).unwrap_or_else(|error| Some(error.to_string()))
}

/// What `dayfly.core.Snapshot` holds besides code and image.
#[derive(Serialize)]
struct Known<'a> {
    layout: &'a Layout,
    takes: u32,
    fresh: Option<Fresh>,
    writes: &'a [u32],
    init_log: &'a [(u8, String)],
    facts: &'a serde_json::Map<String, serde_json::Value>,
}

impl Known<'_> {
    fn of(snapshot: &Snapshot) -> Known<'_> {
        Known {
            layout: &snapshot.layout,
            takes: snapshot.takes,
            fresh: snapshot.fresh,
            writes: &snapshot.writes,
            init_log: &snapshot.init_log.lines,
            facts: &snapshot.facts,
        }
    }
}
