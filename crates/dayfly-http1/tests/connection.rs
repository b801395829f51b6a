//! What a connection does over time: limits, order, ends, deadlines, panics.
#![allow(missing_docs, reason = "tests")]

mod support;

use dayfly_http1::{Expiry, Rule, TARGET_BYTES_MAX};
use support::{CONTENT_BYTES_MAX, Dialog, expand, parts, render, whole};

const CHUNKED: &str = "POST / HTTP/1.1~{H}Transfer-Encoding: chunked~~";

/// The status, however the message is split.
fn status(message: &str) -> String {
    let octets = expand(message);
    let dialog = whole(&octets);
    assert_eq!(parts(octets.chunks(100)).answers(), dialog.answers());
    assert_eq!(parts(octets.chunks(1)).answers(), dialog.answers());
    dialog.answers().chars().take(3).collect()
}

fn get(target_bytes: usize, fields: usize, value_bytes: usize) -> String {
    let lines = format!("X: {}~", "v".repeat(value_bytes)).repeat(fields);
    status(&format!("GET /{} HTTP/1.1~{{H}}{lines}~", "t".repeat(target_bytes - 1)))
}

#[test]
fn targets_have_their_limit() {
    assert_eq!(get(TARGET_BYTES_MAX, 0, 0), "200");
    assert_eq!(get(TARGET_BYTES_MAX + 1, 0, 0), "414");
    assert_eq!(get(40 << 10, 0, 0), "414");
    assert_eq!(get(TARGET_BYTES_MAX, 3, 10_000), "200");
}

#[test]
fn methods_have_their_limit() {
    assert_eq!(status(&"G".repeat(40 << 10)), "501");
    assert_eq!(status(&format!("{} / HTTP/1.1~{{H}}~", "G".repeat(1 << 10))), "501");
}

#[test]
fn fields_have_their_limits() {
    assert_eq!(get(1, 99, 1), "200");
    assert_eq!(get(1, 100, 1), "431");
    assert_eq!(get(1, 5, 6_540), "200");
    assert_eq!(get(1, 5, 6_560), "431");
    assert_eq!(get(1, 1, 40 << 10), "431");
    // `Host: a`, `X: ` and three line ends take 9 + 5 + 2 octets.
    assert_eq!(get(1, 1, (32 << 10) - 16), "200");
    assert_eq!(get(1, 1, (32 << 10) - 15), "431");
}

#[test]
fn content_has_the_limit_that_the_handler_names() {
    let content = "z".repeat(CONTENT_BYTES_MAX as usize);
    let length = whole(&expand(&format!("POST / HTTP/1.1~{{H}}Content-Length: {CONTENT_BYTES_MAX}~~{content}")));
    assert_eq!(length.answers().len(), "200 POST / a ".len() + content.len());

    let mut chunked = whole(&expand(CHUNKED));
    for _ in 0..CONTENT_BYTES_MAX / 1024 {
        chunked.feed(format!("400\r\n{}\r\n", &content[..1024]).as_bytes());
    }
    assert_eq!(chunked.answers(), "");
    chunked.feed(b"1\r\n");
    assert_eq!(chunked.answers(), "413 content_too_large!");
}

#[test]
fn chunk_extensions_have_their_limits() {
    let line = |bytes: usize| format!("{CHUNKED}1;{}~x~0~~", "e".repeat(bytes - 4));
    assert_eq!(status(&line(256)), "200");
    assert_eq!(whole(&expand(&line(257))).answers(), "400 chunk_extension_too_long!");

    let lines = |count: usize| format!("{CHUNKED}{}0~~", format!("1;{}~x~", "e".repeat(127)).repeat(count));
    assert_eq!(status(&lines(32)), "200");
    assert_eq!(whole(&expand(&lines(33))).answers(), "400 chunk_extension_too_long!");
}

#[test]
fn trailers_have_their_limits() {
    let trailers =
        |count: usize, bytes: usize| format!("{CHUNKED}0~{}~", format!("T: {}~", "v".repeat(bytes)).repeat(count));
    assert_eq!(status(&trailers(32, 1)), "200");
    assert_eq!(status(&trailers(33, 1)), "431");
    assert_eq!(status(&trailers(1, 8 << 10)), "431");
    assert_eq!(whole(&expand(&trailers(33, 1))).answers(), "431 trailers_too_long!");
}

#[test]
fn late_answers_come_in_order() {
    let mut dialog = whole(&expand("GET /1 HTTP/1.1~{H}~GET /later HTTP/1.1~{H}~GET /3 HTTP/1.1~{H}~"));
    assert_eq!(dialog.answers(), "200 GET /1 a");
    assert_eq!(dialog.connection.awaits(), Some(2));
    assert!(!dialog.connection.wants_input());

    dialog.settle("2", dialog.handler.waiting[0]);

    assert_eq!(dialog.answers(), "200 GET /1 a|200 2|200 GET /3 a");
    assert!(dialog.connection.wants_input());
}

#[test]
fn a_late_answer_may_be_put_off_again() {
    let mut dialog = whole(&expand("GET /later HTTP/1.1~{H}~"));
    dialog.settle("again", dialog.handler.waiting[0]);
    assert_eq!(dialog.answers(), "");
    dialog.settle("done", dialog.handler.waiting[1]);
    assert_eq!(dialog.answers(), "200 done");
}

#[test]
fn a_late_answer_finds_only_its_own_request() {
    let mut dialog = whole(&expand("GET /later HTTP/1.1~{H}~GET /later HTTP/1.1~{H}~"));
    let first = dialog.handler.waiting[0];
    dialog.settle("1", first);
    dialog.settle("1 once more", first);
    assert_eq!(dialog.answers(), "200 1");
    assert_eq!(dialog.handler.abandoned, ["1 once more"]);

    dialog.settle("2", dialog.handler.waiting[1]);
    dialog.settle("2 once more", dialog.handler.waiting[1]);
    assert_eq!(dialog.answers(), "200 1|200 2");
}

#[test]
fn a_half_closed_connection_is_answered() {
    let mut dialog = whole(&expand("GET /1 HTTP/1.1~{H}~GET /later HTTP/1.1~{H}~GET /3 HTTP/1.1~{H}~"));
    dialog.end();
    assert_eq!(dialog.answers(), "200 GET /1 a");
    dialog.settle("2", dialog.handler.waiting[0]);
    assert_eq!(dialog.answers(), "200 GET /1 a|200 2|200 GET /3 a!");
    assert!(dialog.connection.peer_has_ended());
}

#[test]
fn an_end_in_the_middle_of_a_request_is_answered_with_400() {
    for (message, answers) in [
        ("", "!"),
        ("GET / HTTP/1.1~{H}~", "200 GET / a!"),
        ("~", "!"),
        ("\r", "400 incomplete!"),
        ("GET / HT", "400 incomplete!"),
        ("GET / HTTP/1.1~{H}", "400 incomplete!"),
        ("POST / HTTP/1.1~{H}Content-Length: 3~~ab", "400 incomplete!"),
        ("POST / HTTP/1.1~{H}Content-Length: 3~~", "400 incomplete!"),
        ("POST / HTTP/1.1~{H}Transfer-Encoding: chunked~~3~abc~0~", "400 incomplete!"),
    ] {
        let mut dialog = whole(&expand(message));
        dialog.end();
        assert_eq!(dialog.answers(), answers, "{message:?}");
    }
}

#[test]
fn continue_is_sent_only_when_it_is_needed() {
    let message = expand("POST / HTTP/1.1~{H}Content-Length: 3~Expect: 100-Continue~~");
    let mut dialog = whole(&message);
    assert_eq!(dialog.answers(), "100");
    dialog.feed(b"abc");
    assert_eq!(dialog.answers(), "100|200 POST / a abc");

    assert_eq!(whole(&[&message[..], b"a"].concat()).answers(), "");
    assert_eq!(whole(&expand("POST / HTTP/1.1~{H}Content-Length: 0~Expect: 100-continue~~")).answers(), "200 POST / a");
    assert_eq!(
        whole(&expand("POST /small HTTP/1.1~{H}Content-Length: 9~Expect: 100-continue~~")).answers(),
        "413 content_too_large!"
    );
}

#[test]
fn answers_have_date_and_length_and_end_the_connection_in_words() {
    let text = |message: &str| String::from_utf8(whole(&expand(message)).out).expect("ASCII");
    assert_eq!(
        text("GET / HTTP/1.1~{H}~"),
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 7\r\nContent-Type: text/plain\r\n\r\nGET / a"
    );
    assert!(text("HEAD / HTTP/1.1~{H}~").ends_with("Content-Length: 8\r\nContent-Type: text/plain\r\n\r\n"));
    assert!(text("GET / HTTP/1.1~{H}Connection: close~~").contains("\r\nConnection: close\r\n"));
    assert!(text("GET / HTTP/1.0~{H}~").contains("\r\nConnection: close\r\n"));
    assert!(text("GET / HTTP/1.0~{H}Connection: keep-alive~~").contains("\r\nConnection: keep-alive\r\n"));
    assert!(!text("GET /none HTTP/1.1~{H}~").contains("Content-Length"));
    assert!(!text("GET /same HTTP/1.1~{H}~").contains("Content-Length"));
    assert!(text("TRACE / HTTP/1.1~{H}~").contains("\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"));
}

#[test]
fn a_bad_head_request_gets_no_content() {
    for message in ["HEAD / HTTP/1.1~~", "HEAD / HTTP/1.1~{H}Transfer-Encoding: chunked~~x~"] {
        let out = whole(&expand(message)).out;
        assert!(out.starts_with(b"HTTP/1.1 400 ") && out.ends_with(b"\r\n\r\n"), "{message:?}");
    }
}

#[test]
fn pipelined_requests_are_all_answered_within_bounds() {
    let requests = 40;
    let dialog = whole(&expand(&"GET /large HTTP/1.1~{H}~".repeat(requests)));
    assert_eq!(dialog.answers().matches("200 ").count(), requests);
    let dialog = whole(&expand(&"GET / HTTP/1.1~{H}~".repeat(1000)));
    assert_eq!(dialog.answers().matches("200 ").count(), 1000);
    assert!(dialog.connection.is_idle());
}

#[test]
fn a_pipeline_takes_more_turns_when_they_are_short() {
    for (turn_is_over, turns) in [(false, 3), (true, 40)] {
        let mut dialog = Dialog::new();
        dialog.handler.turn_is_over = turn_is_over;
        dialog.feed(&expand(&"GET / HTTP/1.1~{H}~".repeat(40)));
        assert_eq!((dialog.handler.calls, dialog.turns), (40, turns));
    }
}

#[test]
fn an_unsent_answer_holds_everything_back() {
    let mut dialog = whole(&expand("GET /1 HTTP/1.1~{H}~"));
    let mut out = std::mem::take(&mut dialog.out);
    let bytes = out.len();
    dialog.connection.keep_output(&mut out, 10);
    assert!(out.is_empty() && !dialog.connection.wants_input() && !dialog.connection.is_idle());
    assert_eq!(dialog.connection.unsent().len(), bytes - 10);

    dialog.connection.advance(bytes - 11);
    assert_eq!(dialog.connection.unsent().len(), 1);
    dialog.connection.advance(1);
    assert!(dialog.connection.wants_input() && dialog.connection.is_idle());
}

#[test]
fn late_answers_that_nobody_reads_do_not_pile_up() {
    let mut dialog = whole(&expand(&"GET /later HTTP/1.1~{H}~".repeat(1000)));
    let mut answered = 0;
    for read in 0..3 {
        while answered < dialog.handler.waiting.len() {
            dialog.settle_unread(&"y".repeat(60_000), dialog.handler.waiting[answered]);
            answered += 1;
        }
        assert!(answered <= 2 * (read + 1), "{answered} answers though none was read after {read} times");
        dialog.take_unsent();
        assert_eq!(dialog.handler.waiting.len(), answered + 1, "reading goes on with the next request");
    }
}

#[test]
fn a_panic_is_answered_with_500_and_ends_only_its_connection() {
    for (message, panic) in [
        ("GET /1 HTTP/1.1~{H}~GET /panic/call HTTP/1.1~{H}~GET /3 HTTP/1.1~{H}~", "call"),
        ("GET /1 HTTP/1.1~{H}~POST /panic/admit HTTP/1.1~{H}Content-Length: 1~~x", "admit"),
        ("GET /1 HTTP/1.1~{H}~GET /status HTTP/1.1~{H}~", "99 is no final status"),
        ("GET /1 HTTP/1.1~{H}~GET /lines HTTP/1.1~{H}~", "field lines end in CRLF"),
    ] {
        let dialog = whole(&expand(message));
        assert_eq!(dialog.answers(), "200 GET /1 a|500!");
        assert_eq!(dialog.handler.panics, [panic]);
    }
    let mut dialog = whole(&expand("GET /later HTTP/1.1~{H}~GET /2 HTTP/1.1~{H}~"));
    dialog.settle("panic", dialog.handler.waiting[0]);
    assert_eq!(dialog.answers(), "500!");
}

#[test]
fn a_stopping_server_answers_and_closes() {
    let mut dialog = whole(&expand("GET /1 HTTP/1.1~{H}~GET /later HTTP/1.1~{H}~"));
    dialog.draining = true;
    dialog.settle("2", dialog.handler.waiting[0]);
    assert_eq!(dialog.answers(), "200 GET /1 a|200 2!");
    assert!(
        render(&dialog.out).ends_with("200 2") && String::from_utf8_lossy(&dialog.out).contains("Connection: close")
    );
}

#[test]
fn an_idle_connection_keeps_no_buffer() {
    assert!(size_of::<dayfly_http1::Connection>() <= 192);
    let dialog = whole(&expand("POST / HTTP/1.1~{H}Content-Length: 3~~abc"));
    assert!(dialog.connection.is_idle() && dialog.connection.held_bytes() == 0);
}

#[test]
fn what_cannot_be_held_is_refused_or_cut() {
    let mut dialog = whole(&expand("POST / HTTP/1.1~{H}Content-Length: 100000~~"));
    dialog.feed(&vec![b'x'; 50_000]);
    assert!(dialog.connection.held_bytes() >= 50_000);
    assert_eq!(dialog.shed(), Expiry::Answered);
    assert_eq!(dialog.answers(), "503 no_room!");
    assert_eq!(dialog.connection.held_bytes(), 0);

    let mut dialog = whole(&expand("GET /large HTTP/1.1~{H}~"));
    let mut out = std::mem::take(&mut dialog.out);
    dialog.connection.keep_output(&mut out, 1_000);
    assert!(dialog.connection.held_bytes() >= 99_000);
    assert_eq!(dialog.shed(), Expiry::Close);
}

#[test]
fn the_head_has_a_deadline_that_octets_do_not_move() {
    let mut dialog = Dialog::new();
    assert_eq!(dialog.connection.deadline(), 10);
    dialog.seconds = 5;
    dialog.feed(b"GET");
    assert_eq!(dialog.connection.deadline(), 15);
    dialog.seconds = 14;
    dialog.feed(b" / HTTP/1.1\r\n");
    assert_eq!(dialog.connection.deadline(), 15);
    dialog.seconds = 15;
    assert_eq!(dialog.expire(), Expiry::Answered);
    assert_eq!(dialog.answers(), "408 head_timeout!");
    assert_eq!(dialog.handler.rules, [Rule::HeadTimeout]);
    assert_eq!(dialog.connection.deadline(), 17);
    dialog.feed(b"Host: a\r\n\r\n");
    dialog.seconds = 17;
    assert_eq!(dialog.expire(), Expiry::Close);
    assert_eq!(dialog.answers(), "408 head_timeout!");
}

#[test]
fn an_idle_connection_closes_without_a_word() {
    let mut dialog = whole(&expand("GET / HTTP/1.1~{H}~"));
    dialog.seconds = 50;
    dialog.feed(&expand("GET / HTTP/1.1~{H}~"));
    assert_eq!(dialog.connection.deadline(), 110);
    dialog.seconds = 109;
    dialog.feed(b"\r\n");
    assert_eq!(dialog.connection.deadline(), 110);
    dialog.seconds = 110;
    assert_eq!(dialog.expire(), Expiry::Close);
    assert_eq!(dialog.answers(), "200 GET / a|200 GET / a");
}

#[test]
fn content_must_make_progress() {
    let mut dialog = whole(&expand("POST / HTTP/1.1~{H}Content-Length: 100000~~"));
    assert_eq!(dialog.connection.deadline(), 15);
    dialog.seconds = 10;
    dialog.feed(&[b'x'; 16_000]);
    assert_eq!(dialog.connection.deadline(), 15);
    dialog.feed(&[b'x'; 1_000]);
    assert_eq!(dialog.connection.deadline(), 25);
    dialog.seconds = 25;
    assert_eq!(dialog.expire(), Expiry::Answered);
    assert_eq!(dialog.answers(), "408 content_timeout!");
}

#[test]
fn a_reader_must_make_progress() {
    let mut dialog = whole(&expand("GET /large HTTP/1.1~{H}~"));
    let mut out = std::mem::take(&mut dialog.out);
    dialog.connection.keep_output(&mut out, 0);
    dialog.feed(b"");
    assert_eq!(dialog.connection.deadline(), 15);
    dialog.seconds = 14;
    dialog.connection.advance(1_000);
    dialog.feed(b"");
    assert_eq!(dialog.connection.deadline(), 15);
    dialog.connection.advance(20_000);
    dialog.feed(b"");
    assert_eq!(dialog.connection.deadline(), 29);
    dialog.seconds = 29;
    assert_eq!(dialog.expire(), Expiry::Close);
}

#[test]
fn a_late_answer_has_no_deadline_here() {
    let dialog = whole(&expand("GET /later HTTP/1.1~{H}~"));
    assert_eq!(dialog.connection.deadline(), u32::MAX);
}
