//! The data plane: from a socket to a fresh sandbox and back. Safe code only; knows no Python and no async runtime.

pub mod budget;
mod client;
pub mod error;
pub mod event_loop;
pub mod fair_queue;
pub mod forwarded;
pub mod idle;
pub mod kept;
pub mod limits;
pub mod listener;
pub mod log;
mod mailbox;
pub mod message;
pub mod placement;
pub mod problem;
pub mod request_id;
pub mod router;
mod spin;
pub mod stats;
