//! HTTP/1.1 as a state machine: octets in, answers out; no sockets, no clock, no threads.
//!
//! ```text
//!   octets --> connection --> request, target, chunked --> Handler::call --> Respond --> octets
//!                  |  every broken rule is a `Rule`: one answer, then the connection closes
//! ```
//!
//! A driver owns the socket. It hands what it received to [`Connection::receive`], sends what that put into the output
//! buffer, and calls [`Connection::expire`] when the connection's deadline has passed. Nothing is kept for an idle
//! connection but the [`Connection`] itself.

mod chunked;
mod clock;
mod connection;
mod handler;
mod lines;
mod octets;
mod request;
mod response;
mod rule;
mod target;

pub use clock::Clock;
pub use connection::{Connection, Context, Deadlines, Expiry, tell};
pub use handler::{Answered, Handler, Peer, Refusal, Request, Ticket};
/// One header field: its `name` as received, its `value` without surrounding white space.
pub use httparse::Header as Field;
pub use request::{FIELD_BYTES_MAX, FIELDS_MAX, Framing, Head, Method, TARGET_BYTES_MAX};
pub use response::{Respond, reason};
pub use rule::Rule;
pub use target::{AUTHORITY_BYTES_MAX, Authority};
