//! What an application supplies, and what it is given: a whole request and a place for the answer.

use std::net::SocketAddr;

use crate::response::ALLOW;
use crate::{Head, Respond, Rule};

/// A whole request; borrows from the octets it came in.
#[derive(Clone, Copy, Debug)]
pub struct Request<'b> {
    /// Request line and fields.
    pub head: Head<'b>,
    /// Whole content, transfer coding removed.
    pub content: &'b [u8],
}

/// Who is at the other end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address of the internet protocol.
    Ip(SocketAddr),
    /// A process that reached us through a socket in the file system.
    Unix,
}

/// Names one request of one connection, so that a late answer can find nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Place of the connection in its driver's table.
    pub connection: u32,
    /// Tells apart the connections that had this place one after the other.
    pub generation: u32,
    /// Number of the request on its connection.
    pub request: u32,
}

/// An answer that ends its connection: to a request whose content is not read, or to a message that broke a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 200 to 599.
    pub status: u16,
    /// As for [`Respond::send`].
    pub field_lines: Vec<u8>,
    /// As for [`Respond::send`].
    pub content: Vec<u8>,
}

impl Refusal {
    /// The plain answer to a broken rule (RFC 9457), with the fields that its status needs.
    pub fn of(rule: Rule) -> Refusal {
        let (status, detail, name) = (rule.status(), rule.text(), rule.name());
        let title = crate::reason(status);
        let content = format!(r#"{{"title":"{title}","status":{status},"detail":"{detail}","rule":"{name}"}}"#);
        Refusal { status, field_lines: Refusal::field_lines(status), content: content.into_bytes() }
    }

    /// Fields that a status needs: RFC 9110 sections 15.5.6 and 15.6.4.
    fn field_lines(status: u16) -> Vec<u8> {
        let needed: &[u8] = match status {
            405 => ALLOW,
            503 => b"Retry-After: 1\r\n",
            _ => b"",
        };
        [b"Content-Type: application/problem+json\r\n", needed].concat()
    }

    /// 500 without details.
    pub fn internal() -> Refusal {
        Refusal {
            status: 500,
            field_lines: b"Content-Type: application/problem+json\r\n".to_vec(),
            content: br#"{"title":"Internal Server Error","status":500}"#.to_vec(),
        }
    }
}

/// Proof that a request was answered, or that its answer will come late. Only [`Respond`] makes one.
#[derive(Debug)]
#[must_use = "the connection must learn how its request ended"]
pub struct Answered(pub(crate) Outcome);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The answer is in the output buffer.
    Now {
        /// The connection may carry another request.
        persistent: bool,
    },
    /// The connection waits for [`Handler::settle`].
    Later,
}

/// The application behind a server: one handler serves all connections of one thread, so no method may block.
///
/// A panic costs the request that it answers, with 500, and its connection; in the methods that answer none, nothing.
/// See [`Handler::panicked`].
pub trait Handler {
    /// What carries a late answer from another thread to this one.
    type Late: Send + 'static;

    /// Asked when the head of a request with content is there and before its content is awaited.
    /// Ok: so many octets of content are taken, more is answered with 413. Err: this answer, and the connection closes
    /// (a 413 with content of the handler's own making, for example: see [`Head::framing`]).
    fn admit(&mut self, head: &Head<'_>, peer: &Peer) -> Result<u64, Refusal>;

    /// Answers a whole request: `respond.send(..)` now, or `respond.later()` and [`Handler::settle`] once.
    fn call(&mut self, request: &Request<'_>, peer: &Peer, ticket: Ticket, respond: Respond<'_>) -> Answered;

    /// A late answer has arrived for the request that `ticket` names, and its client is still there.
    fn settle(&mut self, late: Self::Late, ticket: Ticket, respond: Respond<'_>) -> Answered;

    /// A late answer has arrived for a request whose client has left or that is answered already.
    fn abandon(&mut self, late: Self::Late);

    /// The thread has waited and goes to work: whatever comes until the next turn keeps the other clients waiting.
    fn begin_turn(&mut self) {}

    /// Whether the turn has lasted so long that the driver should look for what has come meanwhile. Asked between the
    /// requests of a pipeline and between clients that had more to do; each of them gets one request answered a turn anyway.
    fn turn_is_over(&self) -> bool {
        false
    }

    /// The thread has done its work and looks for what has come meanwhile.
    fn end_turn(&mut self) {}

    /// The client of a request that awaits its late answer has left; the late answer is given to `abandon`.
    fn left(&mut self, ticket: Ticket) {
        let _ = ticket;
    }

    /// A message broke a rule: gives the answer, after which the connection closes. It need not be a request.
    fn rejected(&mut self, rule: Rule, peer: &Peer) -> Refusal {
        let _ = peer;
        Refusal::of(rule)
    }

    /// Another method panicked: a fault of ours. The handler drops what it was doing and gives the answer, which
    /// closes the connection; its next call comes as if nothing had happened.
    fn panicked(&mut self, message: &str) -> Refusal {
        let _ = message;
        Refusal::internal()
    }
}
