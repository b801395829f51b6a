//! The binding: Python values in, core calls out. The one crate that knows Python.

use pyo3::prelude::*;

mod bench;
mod confine;
mod core;
mod errors;
mod json;
mod merge;
mod wat;
mod worker;

/// The native half of dayfly; `src/dayfly/_core.pyi` is its contract.
#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::bench::{bench_release, bench_restore};
    #[pymodule_export]
    use crate::confine::confine;
    #[pymodule_export]
    use crate::core::Core;
    #[pymodule_export]
    use crate::merge::merge;
    #[pymodule_export]
    use crate::wat::parse_wat;
    #[pymodule_export]
    use crate::worker::{listen, run_worker};
}
