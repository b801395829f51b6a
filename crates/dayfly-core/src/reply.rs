//! Reading a reply: everything in it is the guest's word, so everything is checked before a client sees it.
//!
//! | what | rule |
//! |---|---|
//! | pointers and lengths | inside the virtual size of the memory |
//! | status | 200 to 599 (interim answers are the host's); 0: the program failed and says why |
//! | names | tokens (RFC 9110 section 5.1) |
//! | values | visible characters, spaces, tabs, octets from 0x80 (section 5.5); white space around them goes |
//! | `Content-Length` | the host's; must be the length of the content if it is there (frameworks add it), and goes |
//! | `Transfer-Encoding`, `Trailer`, `Upgrade` | refused: they would change how the message is read (RFC 9112 section 6) |
//! | `Connection`, `Keep-Alive`, `Proxy-Connection`, `TE`, `Date`, `Dayfly-*` | the host's; dropped |
//! | content beside 204, 205, 304 | dropped (RFC 9110 sections 15.3.5, 15.3.6, 15.4.5) |

use crate::error::Stop;
use crate::limits::Limits;
use crate::message::Reply;
use dayfly_wasm::abi::{self, FIELD_BYTES, reply as record};
use std::fmt;

/// Octets of a program's own words about its failure that are kept.
const ERROR_BYTES_MAX: usize = 8 << 10;

/// Reads the record at `address` in `memory`, which is as much of it as the guest has, into `reply`.
pub(crate) fn read(memory: &[u8], address: u32, limits: &Limits, reply: &mut Reply) -> Result<(), Stop> {
    let reader = Reader { memory, limits };
    let record = reader.octets(address, record::BYTES as u32, "the reply record")?;
    let record: &Record = record.try_into().expect("as many octets as asked for");
    let status = number(record, record::STATUS);
    if status == abi::STATUS_FAILED {
        return Err(reader.failure(record));
    }
    if !(abi::STATUS_MIN..=abi::STATUS_MAX).contains(&status) {
        return Err(bad(format_args!("status {status} is not in 200 to 599")));
    }
    reply.status = status as u16;
    let body = reader.body(record)?;
    reader.content_type(record, reply)?;
    reader.fields(record, body.len(), reply)?;
    if !matches!(status, 204 | 205 | 304) {
        reply.body.extend_from_slice(body);
    }
    Ok(())
}

/// A reply record: of known length, so that reading its numbers needs no checks.
type Record = [u8; record::BYTES];

struct Reader<'m> {
    memory: &'m [u8],
    limits: &'m Limits,
}

#[cold]
fn bad(what: fmt::Arguments<'_>) -> Stop {
    Stop::BadResponse(what.to_string())
}

fn number(octets: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(octets[at..at + 4].try_into().expect("four octets"))
}

impl<'m> Reader<'m> {
    fn octets(&self, at: u32, length: u32, what: &str) -> Result<&'m [u8], Stop> {
        let start = at as usize;
        // Two 32-bit numbers: the sum fits.
        self.memory.get(start..start + length as usize).ok_or_else(|| {
            let size = self.memory.len();
            bad(format_args!("{what} is {length} octets at {at}, memory has {size}"))
        })
    }

    /// What the (pointer, length) pair at `pair` refers to.
    fn pair(&self, record: &[u8], pair: usize, what: &str) -> Result<&'m [u8], Stop> {
        self.octets(number(record, pair), number(record, pair + 4), what)
    }

    fn failure(&self, record: &Record) -> Stop {
        match self.pair(record, record::ERROR, "the error text") {
            Ok(text) => {
                let text = &text[..text.len().min(ERROR_BYTES_MAX)];
                Stop::Trap(String::from_utf8_lossy(text).into_owned())
            }
            Err(stop) => stop,
        }
    }

    fn body(&self, record: &Record) -> Result<&'m [u8], Stop> {
        let length = u64::from(number(record, record::BODY + 4));
        if length > self.limits.response_body_bytes_max {
            let max = self.limits.response_body_bytes_max;
            return Err(bad(format_args!("the body has {length} octets, at most {max} are allowed")));
        }
        self.pair(record, record::BODY, "the body")
    }

    fn content_type(&self, record: &Record, reply: &mut Reply) -> Result<(), Stop> {
        let value = self.pair(record, record::CONTENT_TYPE, "the content type")?;
        if value.is_empty() {
            return Ok(());
        }
        reply.field_lines.extend_from_slice(b"Content-Type");
        self.end_line(reply, 0, value)
    }

    fn fields(&self, record: &Record, body_bytes: usize, reply: &mut Reply) -> Result<(), Stop> {
        let count = number(record, record::HEADERS + 4);
        if count == 0 {
            return Ok(());
        }
        if count > self.limits.response_fields_max {
            let max = self.limits.response_fields_max;
            return Err(bad(format_args!("there are {count} header fields, at most {max} are allowed")));
        }
        let bytes = count.saturating_mul(FIELD_BYTES as u32);
        let entries = self.octets(number(record, record::HEADERS), bytes, "the array of header fields")?;
        for entry in entries.chunks_exact(FIELD_BYTES) {
            let name = self.pair(entry, 0, "a header field's name")?;
            let value = self.pair(entry, 8, "a header field's value")?;
            self.field(name, value, body_bytes, reply)?;
        }
        Ok(())
    }

    fn field(&self, name: &[u8], value: &[u8], body_bytes: usize, reply: &mut Reply) -> Result<(), Stop> {
        match rule(name) {
            Rule::Drop => Ok(()),
            Rule::Refuse => {
                let name = String::from_utf8_lossy(name);
                Err(bad(format_args!("header field `{name}` is not for programs to set")))
            }
            Rule::ContentType if reply.has_content_type() => Err(bad(format_args!("the content type is given twice"))),
            Rule::Keep | Rule::ContentType => self.add(reply, name, value),
            Rule::ContentLength if is_length(value, body_bytes) => Ok(()),
            Rule::ContentLength => {
                let value = String::from_utf8_lossy(&value[..value.len().min(40)]);
                Err(bad(format_args!("Content-Length is `{value}`, the body has {body_bytes} octets")))
            }
        }
    }

    fn add(&self, reply: &mut Reply, name: &[u8], value: &[u8]) -> Result<(), Stop> {
        if name.is_empty() || !name.iter().all(|octet| is_token(*octet)) {
            return Err(bad(format_args!("`{}` is not a header field's name", String::from_utf8_lossy(name))));
        }
        let start = reply.field_lines.len();
        reply.field_lines.extend_from_slice(name);
        self.end_line(reply, start, value)
    }

    /// Completes a line whose name stands at `start` of the field lines.
    #[inline]
    fn end_line(&self, reply: &mut Reply, start: usize, value: &[u8]) -> Result<(), Stop> {
        let (lines, value) = (&mut reply.field_lines, value.trim_ascii());
        if (lines.len() + value.len() + 4) as u64 > self.limits.response_header_bytes_max {
            let max = self.limits.response_header_bytes_max;
            return Err(bad(format_args!("the header fields have more than {max} octets")));
        }
        // Without an early end, so that many octets are looked at at once.
        if !value.iter().fold(true, |valid, octet| valid & is_value(*octet)) {
            let name = String::from_utf8_lossy(&lines[start..]);
            return Err(bad(format_args!("the value of header field `{name}` has a control character")));
        }
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value);
        lines.extend_from_slice(b"\r\n");
        Ok(())
    }
}

impl Reply {
    fn has_content_type(&self) -> bool {
        let lines = self.field_lines.split(|octet| *octet == b'\n');
        lines.into_iter().any(|line| line.get(..13).is_some_and(|name| name.eq_ignore_ascii_case(b"content-type:")))
    }
}

enum Rule {
    Keep,
    Drop,
    Refuse,
    ContentType,
    ContentLength,
}

fn rule(name: &[u8]) -> Rule {
    const RULES: [(&[u8], Rule); 11] = [
        (b"content-type", Rule::ContentType),
        (b"content-length", Rule::ContentLength),
        (b"transfer-encoding", Rule::Refuse),
        (b"trailer", Rule::Refuse),
        (b"upgrade", Rule::Refuse),
        (b"connection", Rule::Drop),
        (b"keep-alive", Rule::Drop),
        (b"proxy-connection", Rule::Drop),
        (b"te", Rule::Drop),
        (b"date", Rule::Drop),
        (b"proxy-status", Rule::Drop),
    ];
    const OWN_PREFIX: &[u8] = b"dayfly-";
    if name.get(..OWN_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN_PREFIX)) {
        return Rule::Drop;
    }
    RULES.into_iter().find(|(reserved, _)| name.eq_ignore_ascii_case(reserved)).map_or(Rule::Keep, |(_, rule)| rule)
}

/// RFC 9110 section 8.6: digits only.
fn is_length(value: &[u8], expected: usize) -> bool {
    let value = value.trim_ascii();
    let digits = value.iter().all(u8::is_ascii_digit);
    digits && std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()) == Some(expected)
}

/// RFC 9110 section 5.6.2, tchar.
fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

/// RFC 9110 section 5.5, with the white space inside a value.
fn is_value(octet: u8) -> bool {
    octet == b'\t' || (octet >= b' ' && octet != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory with a reply: the record at 0, then what it refers to.
    struct Made {
        memory: Vec<u8>,
    }

    impl Made {
        fn new(status: u32) -> Made {
            let mut memory = vec![0; record::BYTES];
            memory[..4].copy_from_slice(&status.to_le_bytes());
            Made { memory }
        }

        fn put(&mut self, content: &[u8]) -> u32 {
            let at = self.memory.len() as u32;
            self.memory.extend_from_slice(content);
            at
        }

        fn set(&mut self, pair: usize, at: u32, length: u32) {
            self.memory[pair..pair + 4].copy_from_slice(&at.to_le_bytes());
            self.memory[pair + 4..pair + 8].copy_from_slice(&length.to_le_bytes());
        }

        fn with(mut self, pair: usize, content: &[u8]) -> Made {
            let at = self.put(content);
            self.set(pair, at, content.len() as u32);
            self
        }

        fn with_fields(mut self, fields: &[(&[u8], &[u8])]) -> Made {
            let entries: Vec<u8> = fields
                .iter()
                .flat_map(|(name, value)| {
                    let name = [self.put(name), name.len() as u32];
                    let value = [self.put(value), value.len() as u32];
                    [name, value].into_iter().flatten()
                })
                .flat_map(u32::to_le_bytes)
                .collect();
            let at = self.put(&entries);
            self.set(record::HEADERS, at, fields.len() as u32);
            self
        }

        fn read(&self) -> Result<Reply, Stop> {
            let mut reply = Reply::default();
            read(&self.memory, 0, &Limits::default(), &mut reply).map(|()| reply)
        }
    }

    fn lines(reply: &Reply) -> String {
        String::from_utf8_lossy(&reply.field_lines).into_owned()
    }

    #[track_caller]
    fn refused(made: &Made, reason: &str) {
        match made.read() {
            Err(Stop::BadResponse(text)) => assert!(text.contains(reason), "`{text}` should contain `{reason}`"),
            other => panic!("{other:?} should be refused: {reason}"),
        }
    }

    #[test]
    fn a_whole_reply_is_read() {
        let made = Made::new(201).with(record::CONTENT_TYPE, b"text/plain").with(record::BODY, b"page").with_fields(&[
            (b"X-One", b" 1 "),
            (b"x-two", b"a\tb \xff"),
            (b"X-Empty", b""),
        ]);
        let reply = made.read().expect("a valid reply");
        assert_eq!((reply.status, reply.body.as_slice()), (201, b"page".as_slice()));
        let expected = b"Content-Type: text/plain\r\nX-One: 1\r\nx-two: a\tb \xff\r\nX-Empty: \r\n";
        assert_eq!(reply.field_lines, expected);
    }

    #[test]
    fn a_failed_program_says_why() {
        assert_eq!(Made::new(0).with(record::ERROR, b"oops").read().err(), Some(Stop::Trap("oops".into())));
        let mut wild = Made::new(0);
        wild.set(record::ERROR, u32::MAX, u32::MAX);
        refused(&wild, "the error text");
    }

    #[test]
    fn every_status_outside_the_range_is_refused() {
        for status in [1, 99, 100, 101, 199, 600, 1000, u32::MAX] {
            refused(&Made::new(status), "is not in 200 to 599");
        }
        for status in [200, 204, 304, 404, 599] {
            assert!(Made::new(status).read().is_ok());
        }
    }

    #[test]
    fn statuses_without_content_lose_it() {
        for status in [204, 205, 304] {
            let reply = Made::new(status).with(record::BODY, b"page").read().expect("a valid reply");
            assert_eq!((reply.status, reply.body.len()), (status as u16, 0));
        }
    }

    #[test]
    fn wild_pointers_are_refused_in_every_place() {
        for pair in [record::CONTENT_TYPE, record::BODY] {
            for (at, length) in [(u32::MAX, 1), (0, 8 << 20), (1 << 20, 8), (u32::MAX, u32::MAX)] {
                let mut made = Made::new(200);
                made.set(pair, at, length);
                assert!(matches!(made.read(), Err(Stop::BadResponse(_))), "{pair} {at} {length}");
            }
        }
        let mut made = Made::new(200);
        made.set(record::HEADERS, u32::MAX - 8, 1);
        refused(&made, "the array of header fields");
        for wild in 0..4 {
            let mut made = Made::new(200).with_fields(&[(b"a", b"b")]);
            let entry = made.memory.len() - FIELD_BYTES + wild * 4;
            made.memory[entry..entry + 4].copy_from_slice(&u32::MAX.to_le_bytes());
            refused(&made, "a header field's");
        }
        let mut reply = Reply::default();
        for address in [1, 36, u32::MAX] {
            let read = read(&[0; 36], address, &Limits::default(), &mut reply);
            assert!(matches!(read, Err(Stop::BadResponse(_))), "{address}");
        }
    }

    #[test]
    fn lines_cannot_be_split() {
        for value in [b"a\r\nSet-Cookie: x".as_slice(), b"a\nb", b"a\rb", b"a\0b", b"a\x7fb", b"a\x1bb"] {
            refused(&Made::new(200).with_fields(&[(b"x", value)]), "control character");
            refused(&Made::new(200).with(record::CONTENT_TYPE, value), "control character");
        }
        for name in [b"".as_slice(), b"a b", b"a:", b"a\r\n", b"\xc3\xa4", b"(", b"a\0"] {
            refused(&Made::new(200).with_fields(&[(name, b"x")]), "is not a header field's name");
        }
    }

    #[test]
    fn framing_is_the_hosts() {
        for name in [b"Transfer-Encoding".as_slice(), b"TRAILER", b"upgrade"] {
            refused(&Made::new(200).with_fields(&[(name, b"x")]), "not for programs to set");
        }
        let dropped: [(&[u8], &[u8]); 7] = [
            (b"Connection", b"close"),
            (b"Keep-Alive", b"1"),
            (b"Proxy-Connection", b"x"),
            (b"TE", b"x"),
            (b"Date", b"yesterday"),
            (b"Dayfly-Cause", b"cpu"),
            (b"dayfly-request-id", b"1"),
        ];
        let reply = Made::new(200).with_fields(&dropped).read().expect("a valid reply");
        assert_eq!(lines(&reply), "");
        let length = |value: &'static [u8]| {
            Made::new(200).with(record::BODY, b"page").with_fields(&[(b"Content-Length", value)])
        };
        assert_eq!(lines(&length(b"4").read().expect("it is right")), "");
        for value in [b"5".as_slice(), b"", b"4, 4", b"-4", b"+4a", b"99999999999999999999999"] {
            refused(&length(value), "Content-Length");
        }
    }

    #[test]
    fn the_content_type_is_given_once() {
        let twice = Made::new(200).with(record::CONTENT_TYPE, b"a/b").with_fields(&[(b"content-type", b"a/c")]);
        refused(&twice, "given twice");
        refused(
            &Made::new(200).with_fields(&[(b"x", b"y"), (b"content-type", b"a/c"), (b"Content-Type", b"a/d")]),
            "twice",
        );
        let once = Made::new(200).with_fields(&[(b"x", b"content-type: no"), (b"content-type", b"a/c")]);
        assert_eq!(lines(&once.read().expect("given once")), "x: content-type: no\r\ncontent-type: a/c\r\n");
    }

    #[test]
    fn limits_are_kept() {
        let field: (&[u8], &[u8]) = (b"x", b"y");
        assert!(Made::new(200).with_fields(&[field; 100]).read().is_ok());
        refused(&Made::new(200).with_fields(&[field; 101]), "at most 100");
        let mut made = Made::new(200);
        made.set(record::HEADERS, 0, u32::MAX);
        refused(&made, "at most 100");
        let long = vec![b'v'; 65 << 10];
        refused(&Made::new(200).with_fields(&[(b"x", &long)]), "more than 65536");
        let mut made = Made::new(200);
        made.set(record::BODY, 0, (8 << 20) + 1);
        refused(&made, "at most 8388608");
    }
}
