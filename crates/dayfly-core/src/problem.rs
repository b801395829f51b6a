//! Error answers: a short RFC 9457 body and the fields that name the cause; never a path, an address or a traceback.

use crate::error::Cause;
use crate::message::Reply;
use crate::request_id::RequestId;
use dayfly_http1::{Refusal, Rule};
use std::io::Write;

/// Seconds after which a refused client may try again. A queue that is full drains within its requests' CPU limits,
/// well under a second, and clients that come back together would fill it again: one second spreads them.
const RETRY_AFTER_S: u32 = 1;

/// Why a request gets no reply of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No tenant answers for this host and path: 404.
    NoTenant,
    /// The content is larger than the tenant accepts: 413.
    ContentTooLarge,
    /// The tenant's program was to answer, and this came of it.
    Cause(Cause),
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Failure {
        Failure::Cause(cause)
    }
}

/// One error answer.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    status: u16,
    cause: Option<Cause>,
    detail: &'static str,
    id: RequestId,
}

impl Problem {
    /// The answer for a request that failed so.
    pub fn new(failure: impl Into<Failure>, id: RequestId) -> Problem {
        let (status, cause, detail) = match failure.into() {
            Failure::NoTenant => (404, None, "nothing answers at this host and path"),
            Failure::ContentTooLarge => (413, None, "the content is larger than this service accepts"),
            Failure::Cause(cause) => (cause.status(), Some(cause), detail(cause)),
        };
        Problem { status, cause, detail, id }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Replaces the reply by this answer.
    pub fn write_to(&self, reply: &mut Reply) {
        reply.clear();
        reply.status = self.status;
        self.write_fields(&mut reply.field_lines);
        self.write_body(&mut reply.body);
    }

    fn write_fields(&self, out: &mut Vec<u8>) {
        let written = match self.cause {
            Some(cause) => write!(out, "Dayfly-Cause: {cause}\r\n"),
            None => Ok(()),
        };
        let written = written.and_then(|()| match self.status {
            // RFC 6585 section 4 and RFC 9110 section 15.6.4.
            429 | 503 => write!(out, "Retry-After: {RETRY_AFTER_S}\r\n"),
            _ => Ok(()),
        });
        written
            .and_then(|()| write!(out, "Dayfly-Request-Id: {}\r\nContent-Type: application/problem+json\r\n", self.id))
            .expect("a vector takes every write");
    }

    /// Every value is a constant of ours without a character that JSON escapes.
    fn write_body(&self, out: &mut Vec<u8>) {
        let Problem { status, detail, id, .. } = self;
        let cause = self.cause.map_or(String::new(), |cause| format!(r#""cause":"{cause}","#));
        // With no `type`, the title says no more than the status (RFC 9457 section 4.2.1).
        let title = dayfly_http1::reason(*status);
        let written =
            write!(out, r#"{{"title":"{title}","status":{status},"detail":"{detail}",{cause}"request_id":"{id}"}}"#);
        written.expect("a vector takes every write");
        out.push(b'\n');
    }
}

/// The answer to a message that broke a rule of HTTP. Every value is a constant of ours that JSON need not escape.
pub fn rejection(rule: Rule, id: RequestId) -> Refusal {
    let mut refusal = Refusal::of(rule);
    refusal.field_lines.extend_from_slice(format!("Dayfly-Request-Id: {id}\r\n").as_bytes());
    refusal.content.pop(); // the brace at the end
    refusal.content.extend_from_slice(format!(",\"request_id\":\"{id}\"}}\n").as_bytes());
    refusal
}

fn detail(cause: Cause) -> &'static str {
    match cause {
        Cause::Cpu => "the program used more CPU time than it may",
        Cause::Wall => "the program took longer than it may",
        Cause::Memory => "the program needed more memory than it may use",
        Cause::Trap => "the program failed",
        Cause::BadResponse => "the program's response was not valid",
        Cause::Overload => "too many requests are waiting",
        Cause::Quota => "too many requests",
        Cause::Internal => "the server failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_id::RequestIds;

    fn id() -> RequestId {
        RequestIds::for_threads(1).expect("random octets")[0].draw()
    }

    fn written(problem: Problem) -> (String, serde_json::Value) {
        let mut reply = Reply { status: 200, field_lines: b"Stale: 1\r\n".to_vec(), body: b"stale".to_vec() };
        problem.write_to(&mut reply);
        assert_eq!(reply.status, problem.status());
        let fields = String::from_utf8(reply.field_lines).expect("ASCII");
        (fields, serde_json::from_slice(&reply.body).expect("the body is JSON"))
    }

    #[test]
    fn every_cause_has_its_fields_and_body() {
        for cause in Cause::ALL {
            let id = id();
            let (fields, body) = written(Problem::new(cause, id));
            assert!(fields.contains(&format!("Dayfly-Cause: {cause}\r\n")), "{fields}");
            assert!(fields.contains(&format!("Dayfly-Request-Id: {id}\r\n")), "{fields}");
            assert!(fields.ends_with("Content-Type: application/problem+json\r\n"), "{fields}");
            let may_come_back = matches!(cause, Cause::Overload | Cause::Quota);
            assert_eq!(fields.contains("Retry-After: 1\r\n"), may_come_back);
            assert_eq!(body["status"], cause.status());
            assert_eq!(body["cause"], cause.name());
            assert_eq!(body["request_id"], id.to_string());
        }
    }

    #[test]
    fn a_rejection_names_its_rule_and_the_request() {
        for rule in Rule::ALL {
            let id = id();
            let refusal = rejection(rule, id);
            let body: serde_json::Value = serde_json::from_slice(&refusal.content).expect("the body is JSON");
            assert_eq!((&body["rule"], &body["status"]), (&rule.name().into(), &rule.status().into()));
            assert_eq!(body["request_id"], id.to_string());
            let fields = String::from_utf8(refusal.field_lines).expect("ASCII");
            assert!(fields.ends_with(&format!("\r\nDayfly-Request-Id: {id}\r\n")), "{fields}");
        }
    }

    #[test]
    fn a_refusal_names_no_cause() {
        let (fields, body) = written(Problem::new(Failure::NoTenant, id()));
        assert!(!fields.contains("Cause") && !fields.contains("Stale"), "{fields}");
        assert_eq!(body["status"], 404);
        assert!(body.get("cause").is_none());
        assert_eq!(written(Problem::new(Failure::ContentTooLarge, id())).1["status"], 413);
    }
}
