//! The one conversion between an error of the core and the tree in `dayfly.errors`.

use dayfly_core::error::Error;
use pyo3::PyErr;
use pyo3::import_exception;

import_exception!(dayfly.errors, AddressInUse);
import_exception!(dayfly.errors, BuildError);
import_exception!(dayfly.errors, DamagedRelease);
import_exception!(dayfly.errors, InitFailed);
import_exception!(dayfly.errors, InternalError);
import_exception!(dayfly.errors, InvalidOption);
import_exception!(dayfly.errors, ProgramRefused);
import_exception!(dayfly.errors, SystemRefused);

/// The Python exception that stands for an error of the core; its text is the error's.
pub(crate) fn to_python(error: &Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Refused(_) => ProgramRefused::new_err(text),
        Error::InitFailed(_) => InitFailed::new_err(text),
        Error::Damaged { .. } => DamagedRelease::new_err(text),
        Error::AddressInUse(_) => AddressInUse::new_err(text),
        Error::Invalid(_) => InvalidOption::new_err(text),
        Error::Io { .. } => SystemRefused::new_err(text),
        Error::Internal(_) => InternalError::new_err(text),
    }
}
