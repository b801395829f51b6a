//! Each guest of `guests/` is accepted and does what its first line says.

mod support;

use dayfly_wasm::abi::export;
use support::{Host, Request, guest};
use wasmtime::Trap;

const PAGE: &str = "\tthis is a very\n\tlong string if I had the\n\tenergy to type more and more ...\n";

fn ask(query: &str) -> Request<'_> {
    Request { method: "GET", path: "/", query, ..Request::default() }
}

/// What the guest answers to `query`, as text.
fn answer(host: &mut Host, query: &str) -> String {
    let reply = host.call(&ask(query)).expect("an answer");
    assert_eq!((reply.status, reply.content_type.as_slice()), (200, b"text/plain".as_slice()));
    String::from_utf8(reply.body).expect("guests answer in ASCII")
}

fn trap(host: &mut Host, query: &str) -> Trap {
    *host.call(&ask(query)).expect_err("no answer").downcast_ref().expect("a trap")
}

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
    assert_eq!(trap(&mut host, ""), Trap::OutOfFuel);
}

#[test]
fn trap_leaves_changes_that_restoring_undoes() {
    let mut host = Host::freeze(&guest("trap"));
    assert_eq!(trap(&mut host, ""), Trap::UnreachableCodeReached);
    assert!(!host.is_as_frozen());
    host.restore();
    assert!(host.is_as_frozen());
}

#[test]
fn throw_catches_what_it_throws() {
    let mut host = Host::freeze(&guest("throw"));
    assert_eq!(answer(&mut host, ""), "caught\n");
    assert_eq!(answer(&mut host, "n=20000"), "caught\n");
    assert!(host.call(&ask("uncaught")).expect_err("no answer").is::<wasmtime::ThrownException>());
}

#[test]
fn grow_ends_at_the_limit_and_is_undone() {
    let mut host = Host::freeze(&guest("grow"));
    for (query, pages) in [("", "256\n"), ("n=50", "251\n"), ("1000", "1\n"), ("n=4294967295", "1\n"), ("0", "1\n")] {
        assert_eq!(answer(&mut host, query), pages, "query {query}");
        assert_eq!(host.global(export::REFUSED), i32::from(query != "0"));
        host.restore();
    }
}

#[test]
fn recurse_exhausts_the_stack() {
    assert_eq!(trap(&mut Host::freeze(&guest("recurse")), ""), Trap::StackOverflow);
}

#[test]
fn scribble_writes_everywhere_and_is_undone() {
    let mut host = Host::freeze(&guest("scribble"));
    for _ in 0..2 {
        let reply = host.call(&ask("")).expect("an answer");
        assert_eq!(reply.body, (0x1122_3344_5566_7788_u64 ^ 64).to_le_bytes());
        host.restore();
        assert!(host.is_as_frozen());
    }
}

#[test]
fn touch_writes_to_as_many_pages_as_asked_for() {
    let mut host = Host::freeze(&guest("touch"));
    for (query, pages) in [("", 8), ("n=100", 100), ("n=0", 0), ("n=1000000", 1984)] {
        assert_eq!(answer(&mut host, query), "touched\n");
        let own = host.pages_changed(|offset| offset < host.program.layout.host_page_offset);
        assert_eq!(own, pages, "query {query}");
        host.restore();
    }
}

#[test]
fn bulk_never_ends() {
    assert_eq!(trap(&mut Host::freeze(&guest("bulk")), ""), Trap::OutOfFuel);
}

#[test]
fn busy_ends_when_its_time_is_over() {
    assert_eq!(answer(&mut Host::freeze(&guest("busy")), "20"), "busy\n");
}

#[test]
fn sleep_asks_the_host() {
    let mut host = Host::freeze(&guest("sleep"));
    assert_eq!(answer(&mut host, "ms=20"), "slept\n");
    assert_eq!(host.store.data().slept_ns, 20_000_000);
}

#[test]
fn badreply_chooses_by_number() {
    let mut host = Host::freeze(&guest("badreply"));
    let mut record = |query| host.call_raw(&ask(query));
    assert_eq!(record(""), Some([200, 512, 10, 0, 0, 528, 3, 0, 0]));
    assert_eq!(record("kind=8"), Some([200, 512, 10, 0, 0, 0xffff_fff0, 32, 0, 0]));
    assert_eq!(record("27"), Some([204, 512, 10, 0, 0, 528, 3, 0, 0]));
    for outside in ["28", "29", "30", "1000"] {
        assert_eq!(record(outside), None);
    }
}

#[test]
fn badreply_has_the_fields_that_it_names() {
    let mut host = Host::freeze(&guest("badreply"));
    let mut field = |query| {
        let reply = host.call(&ask(query)).expect("an answer");
        let pairs =
            reply.fields.into_iter().map(|(name, value)| [name, value].map(|text| text.escape_ascii().to_string()));
        pairs.collect::<Vec<_>>()
    };
    for (query, name, value) in [
        ("17", "x-good", r"a\r\nb: c"),
        ("18", r"x\ny", "ok"),
        ("19", "x-good", r"a\x00b"),
        ("20", "x:y", "ok"),
        ("21", "", "ok"),
        ("22", "content-length", "5"),
        ("23", "transfer-encoding", "chunked"),
        ("24", "connection", "close"),
        ("26", "x-good", &"a".repeat(65536)),
    ] {
        assert_eq!(field(query), [[name.to_owned(), value.to_owned()]], "kind {query}");
    }
    assert_eq!(field("25"), vec![["x-good".to_owned(), "ok".to_owned()]; 101]);
    assert_eq!(host.call(&ask("12")).expect("an answer").content_type, b"text/plain\r\nset-cookie:a");
    assert_eq!(host.call(&ask("3")).expect("an answer").error, b"out of good luck");
}

#[test]
fn random_differs_between_requests() {
    let mut host = Host::freeze(&guest("random"));
    assert_eq!(answer(&mut host, ""), "01".repeat(16) + "\n");
    host.restore();
    assert_eq!(answer(&mut host, ""), "02".repeat(16) + "\n");
}

#[test]
fn log_writes_at_freeze_and_in_requests() {
    let mut host = Host::freeze(&guest("log"));
    assert_eq!(std::mem::take(&mut host.store.data_mut().log), [(1, "ready".to_owned())]);
    assert_eq!(answer(&mut host, "n=12"), "logged\n");
    let log = &host.store.data().log;
    assert_eq!((log.len(), &log[0], &log[11]), (12, &(0, "line 0".to_owned()), &(1, "line 11".to_owned())));
}

#[test]
fn counter_always_answers_one() {
    let mut host = Host::freeze(&guest("counter"));
    for _ in 0..3 {
        assert_eq!(answer(&mut host, ""), "1\n1\n");
        host.restore();
    }
}

#[test]
fn hog_dies_of_a_refused_growth() {
    let mut host = Host::freeze(&guest("hog"));
    assert_eq!(trap(&mut host, ""), Trap::UnreachableCodeReached);
    assert_eq!((host.global(export::SIZE), host.global(export::REFUSED)), (256, 1));
}

#[test]
fn every_guest_is_tested_and_none_needs_a_new_instance() {
    let tests = include_str!("guests.rs");
    for name in support::guest_names() {
        assert!(tests.contains(&format!("guest(\"{name}\")")), "`{name}` has no test");
        assert_eq!(Host::freeze(&guest(&name)).program.fresh, None, "{name}");
    }
}
