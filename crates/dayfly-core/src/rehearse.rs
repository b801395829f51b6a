//! Sample requests to a release that nobody is routed to yet: each in a sandbox of its own, under the release's limits.

use crate::error::Error;
use crate::message::{Answer, Field, Request};
use crate::release::Release;
use crate::sandbox::{Allowance, Lane, Sandbox};
use dayfly_sys::thread::cpu_ns;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One request of a rehearsal, as its program is to see it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Method, upper case.
    pub method: String,
    /// Path; begins with `/`.
    pub path: String,
    /// Query without `?`.
    pub query: String,
    /// Host without port.
    pub host: String,
    /// Names and values of header fields, `Host` and `Content-Length` left out.
    pub headers: Vec<(String, String)>,
    /// Content.
    pub body: String,
}

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rehearsed {
    /// What a client would have got.
    pub status: u16,
    /// Why the program gave no answer; else none.
    pub failure: Option<String>,
    /// CPU time of the call in a new slot, where each page written to is a first write; nanoseconds.
    pub cpu_ns: u64,
    /// Pages that it wrote to, which are restored after each request.
    pub pages: u64,
    /// Level and text of what it logged.
    pub log: Vec<(u8, String)>,
}

/// Sends the samples, in order.
///
/// # Errors
/// `Io` or `Refused` if there is no room for a sandbox.
pub fn rehearse(release: &Arc<Release>, samples: &[Sample]) -> Result<Vec<Rehearsed>, Error> {
    samples.iter().map(|sample| answer(release, sample)).collect()
}

fn answer(release: &Arc<Release>, sample: &Sample) -> Result<Rehearsed, Error> {
    let length = sample.body.len().to_string();
    let mut fields = vec![Field { name: "Host", value: sample.host.as_bytes() }];
    fields.extend(sample.headers.iter().map(|(name, value)| Field { name, value: value.as_bytes() }));
    if !sample.body.is_empty() {
        fields.push(Field { name: "Content-Length", value: length.as_bytes() });
    }
    let request = Request {
        method: &sample.method,
        path: &sample.path,
        query: &sample.query,
        fields: &fields,
        body: sample.body.as_bytes(),
        client: "127.0.0.1",
        scheme: "http",
        host: &sample.host,
        mount: "",
    };
    let limits = release.limits();
    let wall_deadline = Instant::now().checked_add(Duration::from_nanos(limits.wall_ns_max));
    let allowance = Allowance { lane: Lane::Blocking, cpu_ns_max: limits.cpu_ns_max, wall_deadline };
    let mut answer = Answer::default();
    let mut sandbox = Sandbox::new(release)?;
    let began_ns = cpu_ns();
    let called = sandbox.call(&request, &allowance, &mut answer);
    let cpu_ns = cpu_ns() - began_ns;
    Ok(Rehearsed {
        status: called.as_ref().map_or_else(|stop| stop.cause().status(), |()| answer.reply.status),
        failure: called.err().map(|stop| stop.to_string()),
        cpu_ns,
        pages: sandbox.hot_pages() as u64,
        log: answer.log.lines,
    })
}
