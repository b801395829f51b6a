//! Random streams of good, bad and damaged messages: the answers never depend on how the octets were split, and every answer
//! is whole.
#![allow(missing_docs, reason = "tests")]

mod support;

use support::{Random, parts, seed, whole};

const LINES: &[&str] = &[
    "GET / HTTP/1.1",
    "GET /a?b HTTP/1.1",
    "HEAD / HTTP/1.1",
    "POST / HTTP/1.1",
    "POST /small HTTP/1.1",
    "PUT /closed HTTP/1.1",
    "GET / HTTP/1.0",
    "OPTIONS * HTTP/1.1",
    "GET http://b/ HTTP/1.1",
    "BREW / HTTP/1.1",
    "CONNECT a:1 HTTP/1.1",
    "GET / HTTP/2.0",
    "GET  / HTTP/1.1",
    "GET /none HTTP/1.1",
    "GET /large HTTP/1.1",
    "GET /last HTTP/1.1",
    "POST /panic/admit HTTP/1.1",
    "",
];
const FIELDS: &[&str] = &[
    "Host: a",
    "Host: a",
    "Host: a",
    "Host: a",
    "Host: [::1]:80",
    "X: y",
    "X:",
    "X : y",
    " folded",
    "X: \u{e9}",
    "Connection: close",
    "Connection: keep-alive",
    "Content-Length: 3",
    "Content-Length: 0",
    "Content-Length: x",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Upgrade: h2c",
    "Cookie: a=b; c=d",
];
const CONTENTS: &[&str] = &[
    "",
    "",
    "abc",
    "3\r\nabc\r\n0\r\n\r\n",
    "1;a=b\r\nx\r\n0\r\nT: v\r\n\r\n",
    "ffffff\r\n",
    "3\r\nabcd",
    "0\r\nHost: a\r\n\r\n",
    "2\r\n\r\n\r\n0\r\n\r\n",
];

fn message(random: &mut Random) -> Vec<u8> {
    let mut lines = vec![random.of(LINES)];
    if !random.one_in(20) {
        lines.push("Host: a");
    }
    for _ in 0..random.below(4) {
        lines.push(random.of(FIELDS));
    }
    let mut message = lines.join("\r\n").into_bytes();
    message.extend_from_slice(b"\r\n\r\n");
    message.extend_from_slice(random.of(CONTENTS).as_bytes());
    message
}

fn damage(random: &mut Random, stream: &mut Vec<u8>) {
    const OCTETS: &[u8] = b"\r\n\0\x7f\xff :;,/0a\t";
    let place = random.below(stream.len());
    let octet = OCTETS[random.below(OCTETS.len())];
    match random.below(4) {
        0 => drop(stream.remove(place)),
        1 => stream.insert(place, octet),
        2 => stream[place] = octet,
        _ => stream.truncate(place + 1),
    }
}

fn stream(random: &mut Random) -> Vec<u8> {
    let mut stream: Vec<u8> = (0..=random.below(4)).flat_map(|_| message(random)).collect();
    while !stream.is_empty() && random.one_in(2) {
        damage(random, &mut stream);
    }
    stream
}

fn split<'a>(random: &mut Random, mut stream: &'a [u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while !stream.is_empty() {
        let (part, rest) = stream.split_at((1 + random.below(60)).min(stream.len()));
        parts.push(part);
        stream = rest;
    }
    parts
}

#[test]
fn no_split_changes_an_answer() {
    // Panics of the handler are part of the streams; their reports would drown a failure's.
    std::panic::set_hook(Box::new(|info| {
        if !info.to_string().contains("admit") {
            eprintln!("{info}");
        }
    }));
    let seed = seed();
    let mut random = Random::new(seed);
    for round in 0..20_000 {
        let stream = stream(&mut random);
        let cut = split(&mut random, &stream);
        let mut at_once = whole(&stream);
        let mut bit_by_bit = parts(cut.iter().copied());
        at_once.end();
        bit_by_bit.end();
        assert!(
            at_once.out == bit_by_bit.out && at_once.answers() == bit_by_bit.answers(),
            "seed {seed} round {round}: {:?}\n  whole {}\n  parts {} ({:?})",
            String::from_utf8_lossy(&stream),
            at_once.answers(),
            bit_by_bit.answers(),
            cut.iter().map(|part| part.len()).collect::<Vec<_>>(),
        );
        assert!(at_once.handler.rules.len() <= 1, "seed {seed} round {round}: one answer to one bad message");
        assert!(at_once.connection.is_finished());
    }
}
