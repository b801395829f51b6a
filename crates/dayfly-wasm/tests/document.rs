//! `docs/guest-abi.md` says what the code does: its numbers are those of `abi`, and its example runs.

mod support;

use dayfly_wasm::abi::{self, export, frame, reply, takes};
use support::{Host, Request};

const DOCUMENT: &str = include_str!("../../../docs/guest-abi.md");

/// The text under a heading.
fn section(heading: &str) -> &'static str {
    let (_, after) = DOCUMENT.split_once(&format!("\n## {heading}\n")).expect(heading);
    after.split("\n## ").next().expect("split gives something")
}

/// The rows of the tables in a section: the first two cells.
fn rows(heading: &str) -> Vec<(&'static str, &'static str)> {
    let lines = section(heading).lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    lines.map(|(first, rest)| (first, rest.split(" |").next().expect("a cell"))).collect()
}

/// The rows that begin with a number: that, and the second cell.
fn numbers(heading: &str) -> Vec<(u32, &'static str)> {
    rows(heading).into_iter().filter_map(|(first, what)| Some((first.parse().ok()?, what))).collect()
}

#[test]
fn the_example_in_text_greets() {
    let (_, after) = section("Example in text").split_once("```wat\n").expect("an example");
    let text = after.split("```").next().expect("it ends");
    let mut host = Host::freeze(&wat::parse_str(text).expect("valid"));
    assert_eq!(host.takes, takes::QUERY);
    for (query, expected) in
        [("world", "hello, world"), ("", "hello, "), (&"x".repeat(5000), &format!("hello, {}", "x".repeat(1000)))]
    {
        let reply = host.call(&Request { query, ..Request::default() }).expect("an answer");
        assert_eq!((reply.status, reply.content_type.as_slice()), (200, b"text/plain".as_slice()));
        assert_eq!(String::from_utf8_lossy(&reply.body), expected);
        host.restore();
    }
}

#[test]
fn the_exports_are_those_of_the_code() {
    let names: Vec<&str> = rows("Exports").iter().map(|(name, _)| name.trim_matches('`')).collect();
    for name in [export::MEMORY, export::HANDLE, export::TAKES, export::INIT, export::INITIALIZE] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(section("Exports").contains(export::RESERVED_PREFIX));
}

#[test]
fn the_bits_are_those_of_the_code() {
    let bits = numbers("Exports");
    let expected = [
        (takes::METHOD, "method"),
        (takes::PATH, "path"),
        (takes::QUERY, "query"),
        (takes::HEADERS, "header fields"),
        (takes::BODY, "content"),
        (takes::CLIENT, "client address"),
        (takes::SCHEME, "scheme"),
        (takes::HOST, "host"),
        (takes::MOUNT, "mount prefix"),
    ];
    assert_eq!(bits, expected);
    assert_eq!(bits.iter().map(|(bit, _)| bit).sum::<u32>(), takes::ALL);
}

fn check_offsets(heading: &str, expected: &[(usize, &str)]) {
    let found = numbers(heading);
    assert_eq!(found.len(), expected.len());
    for ((offset, what), (expected, word)) in found.iter().zip(expected) {
        assert_eq!(*offset as usize, *expected, "{what}");
        assert!(what.contains(word), "{what}: {word}");
    }
}

#[test]
fn the_frame_is_that_of_the_code() {
    let expected = [
        (frame::METHOD, "method"),
        (frame::PATH, "path"),
        (frame::QUERY, "query"),
        (frame::HEADERS, "header fields"),
        (frame::BODY, "content, the part that is inline"),
        (frame::BODY_BYTES_TOTAL, "octets of the whole content"),
        (frame::CLIENT, "client address"),
        (frame::SCHEME, "scheme"),
        (frame::HOST, "host"),
        (frame::MOUNT, "mount prefix"),
    ];
    check_offsets("Frame", &expected);
    for fact in [
        format!("{} octets at", frame::BYTES),
        format!("field is {} octets", abi::FIELD_BYTES),
        "Up to 8 KiB".to_owned(),
    ] {
        assert!(section("Frame").contains(&fact), "{fact}");
    }
    assert_eq!(abi::BODY_INLINE_BYTES_MAX, 8 << 10);
}

#[test]
fn the_reply_record_is_that_of_the_code() {
    let expected = [
        (reply::STATUS, "status, 200 to 599"),
        (reply::CONTENT_TYPE, "content type"),
        (reply::HEADERS, "header fields"),
        (reply::BODY, "content"),
        (reply::ERROR, "the tenant's log"),
    ];
    check_offsets("Reply record", &expected);
    assert!(section("Reply record").contains(&format!("{} octets at", reply::BYTES)));
    assert_eq!((abi::STATUS_FAILED, abi::STATUS_MIN, abi::STATUS_MAX), (0, 200, 599));
}

#[test]
fn the_hostcalls_are_those_of_the_code() {
    let found: Vec<&str> = rows("Hostcalls").into_iter().skip(1).map(|(signature, _)| signature).collect();
    let types = |types: &[wasmparser::ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let expected = abi::HOSTCALLS.map(|hostcall| match hostcall.results {
        [] => format!("`{}({})`", hostcall.name, types(hostcall.params)),
        results => format!("`{}({}) -> {}`", hostcall.name, types(hostcall.params), types(results)),
    });
    assert_eq!(found, expected);
    assert!(section("Hostcalls").contains("0 debug, 1 info, 2 warning, 3 error, 4 critical"));
    assert_eq!(abi::clock::RESOLUTION_NS, 1_000_000);
}

#[test]
fn the_version_is_that_of_the_code() {
    assert!(DOCUMENT.starts_with(&format!("# Guest ABI, version {}\n", abi::VERSION)));
}
