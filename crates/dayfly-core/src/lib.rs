//! The data plane: from a socket to a fresh sandbox and back. Safe code only; knows no Python and no async runtime.

pub mod error;
pub mod limits;
pub mod message;
