//! What became of each request, for whoever watches a server: a bounded queue like that of the log, off by default.
//!
//! With it each run is timed, two looks at the CPU clock; without it a request costs one comparison more.

use crate::message::Request;
use crate::request_id::RequestId;
use crate::sandbox::Lane;
use crate::tenant::Current;
use crossbeam_queue::ArrayQueue;
use serde::Serialize;
use std::sync::Arc;
use std::time::SystemTime;

/// Records that may wait; the oldest leave for newer ones.
const RECORDS_MAX: usize = 4096;
/// Octets of a target that are kept.
const TARGET_BYTES_MAX: usize = 512;

/// One request that a tenant was asked, and what it got.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccessRecord {
    /// Seconds since 1970 when it was answered.
    pub time_s: f64,
    /// The tenant's name.
    pub tenant: String,
    /// Its release, as 64 hexadecimal digits.
    pub release: String,
    /// The request, as in log records and error answers.
    pub request_id: String,
    /// Method, upper case.
    pub method: String,
    /// Path and query as received, cut at 512 octets.
    pub target: String,
    /// Of the answer.
    pub status: u16,
    /// `inline`, `overflow` or `blocking`: where it was answered.
    pub lane: &'static str,
    /// CPU time of the run that answered and of its restore, nanoseconds.
    pub cpu_ns: u64,
    /// Pages restored after it.
    pub pages: u64,
    /// Runs thrown away before, because they took too long or would have blocked.
    pub reruns: u64,
}

/// What was asked: kept while another lane works on the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    method: String,
    target: String,
}

impl Asked {
    /// Copies what a record says of a request.
    pub fn of(request: &Request<'_>) -> Asked {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        // A program sees the path below its mount; whoever asked wrote all of it.
        let below = if request.mount.is_empty() || request.path != "/" { request.path } else { "" };
        let mut target = format!("{}{below}{query}", request.mount);
        let end = (0..=TARGET_BYTES_MAX.min(target.len())).rev().find(|end| target.is_char_boundary(*end));
        target.truncate(end.unwrap_or(0));
        Asked { method: request.method.to_owned(), target }
    }
}

/// What an answer has cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Where it was answered.
    pub lane: Lane,
    /// CPU time of that run, nanoseconds.
    pub cpu_ns: u64,
    /// Pages restored after it.
    pub pages: u64,
    /// Runs thrown away before.
    pub reruns: u64,
}

/// The bounded queue; shared by all threads.
#[derive(Debug)]
pub struct Accesses(ArrayQueue<AccessRecord>);

impl Default for Accesses {
    fn default() -> Accesses {
        Accesses(ArrayQueue::new(RECORDS_MAX))
    }
}

impl Accesses {
    /// Notes that a request was answered. Never blocks.
    pub fn note(&self, asked: Asked, id: RequestId, current: &Current, status: u16, cost: Cost) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.0.force_push(AccessRecord {
            time_s: now.map_or(0.0, |since| since.as_secs_f64()),
            tenant: current.tenant.name.to_string(),
            release: current.release.digest().to_owned(),
            request_id: id.to_string(),
            method: asked.method,
            target: asked.target,
            status,
            lane: cost.lane.name(),
            cpu_ns: cost.cpu_ns,
            pages: cost.pages,
            reruns: cost.reruns,
        });
    }

    /// Takes what waits, oldest first.
    pub fn drain(&self) -> Vec<AccessRecord> {
        std::iter::from_fn(|| self.0.pop()).take(RECORDS_MAX).collect()
    }
}

/// Asked before a request is routed: whoever changes what is published has the last word first.
pub struct Gate(Box<Ask>);

type Ask = dyn Fn() -> Option<String> + Send + Sync;

impl Gate {
    /// A gate that gives nothing once requests may pass, or the text that they are answered with instead. It may block:
    /// everything on its I/O thread waits meanwhile, so it is for a developer's own server.
    pub fn new(ask: impl Fn() -> Option<String> + Send + Sync + 'static) -> Gate {
        Gate(Box::new(ask))
    }

    /// Why no request may pass.
    pub fn refusal(&self) -> Option<String> {
        (self.0)()
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

/// What watches the requests of a server; nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Where each is noted.
    pub accesses: Option<Arc<Accesses>>,
    /// What is asked before each.
    pub gate: Option<Arc<Gate>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(target: String) -> AccessRecord {
        AccessRecord {
            time_s: 0.0,
            tenant: String::new(),
            release: String::new(),
            request_id: String::new(),
            method: "GET".to_owned(),
            target,
            status: 200,
            lane: Lane::Inline.name(),
            cpu_ns: 0,
            pages: 0,
            reruns: 0,
        }
    }

    #[test]
    fn the_oldest_records_leave_for_newer_ones() {
        let accesses = Accesses::default();
        (0..RECORDS_MAX + 2).for_each(|number| drop(accesses.0.force_push(record(number.to_string()))));
        let drained = accesses.drain();
        assert_eq!((drained.len(), drained[0].target.as_str()), (RECORDS_MAX, "2"));
        assert!(accesses.drain().is_empty());
    }

    fn target(mount: &str, path: &str, query: &str) -> String {
        Asked::of(&Request { path, query, mount, ..Request::PLAIN }).target
    }

    #[test]
    fn a_target_is_what_was_asked_for() {
        assert_eq!(target("", "/a", "b=1"), "/a?b=1");
        assert_eq!(target("/shop", "/a", ""), "/shop/a");
        assert_eq!(target("/shop", "/", "b"), "/shop?b");
        assert_eq!(target("", "/", ""), "/");
    }

    #[test]
    fn a_long_target_is_cut_between_characters() {
        let path = format!("/{}", "é".repeat(TARGET_BYTES_MAX));
        assert_eq!(target("", &path, "").len(), TARGET_BYTES_MAX - 1);
    }
}
