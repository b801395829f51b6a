//! Each guest of `guests/` is accepted and does what its first line says.

mod support;

use support::{Host, Request, guest};

const PAGE: &str = "\tthis is a very\n\tlong string if I had the\n\tenergy to type more and more ...\n";

#[test]
fn hello_answers_the_page_and_writes_nothing() {
    let mut host = Host::freeze(&guest("hello"));
    assert_eq!(host.takes, 0);
    let reply = host.call(&Request::default()).expect("an answer");
    assert_eq!((reply.status, reply.content_type.as_slice()), (200, b"text/plain".as_slice()));
    assert_eq!(String::from_utf8_lossy(&reply.body), PAGE);
    assert!(host.is_as_frozen());
}

#[test]
fn echo_gives_back_every_part() {
    let mut host = Host::freeze(&guest("echo"));
    let request = Request {
        method: "POST",
        path: "/a%20b",
        query: "x=1",
        fields: &[("accept", "*/*"), ("x-empty", "")],
        body: b"content",
    };
    let reply = host.call(&request).expect("an answer");
    let expected = "POST /a%20b?x=1\naccept: */*\nx-empty: \n\ncontent";
    assert_eq!(String::from_utf8_lossy(&reply.body), expected);
}

#[test]
fn echo_pulls_content_that_is_not_inline() {
    let mut host = Host::freeze(&guest("echo"));
    let body: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
    let reply = host.call(&Request { method: "PUT", path: "/", body: &body, ..Request::default() }).expect("an answer");
    assert!(reply.body.starts_with(b"PUT /\n\n") && reply.body[7..] == body[..]);
}

#[test]
fn spin_never_ends() {
    let mut host = Host::freeze(&guest("spin"));
    let stop = host.call(&Request::default()).expect_err("no answer");
    assert_eq!(stop.downcast_ref(), Some(&wasmtime::Trap::OutOfFuel));
}

#[test]
fn trap_leaves_changes_that_restoring_undoes() {
    let mut host = Host::freeze(&guest("trap"));
    let stop = host.call(&Request::default()).expect_err("no answer");
    assert_eq!(stop.downcast_ref(), Some(&wasmtime::Trap::UnreachableCodeReached));
    assert!(!host.is_as_frozen());
    host.restore();
    assert!(host.is_as_frozen());
}
