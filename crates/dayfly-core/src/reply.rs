//! Reading a reply: everything in it is the guest's word, so everything is checked before a client sees it.
//!
//! | what | rule |
//! |---|---|
//! | pointers and lengths | inside the virtual size of the memory |
//! | status | 200 to 599 (interim answers are the host's); 0: the program failed and says why |
//! | fields | their number, and the octets of all names and values as the guest has them, before any is looked at |
//! | names | tokens (RFC 9110 section 5.1) |
//! | values | visible characters, spaces, tabs, octets from 0x80 (section 5.5); spaces and tabs around them go |
//! | `Content-Length` | the host's; frameworks add it, so the length of the content is accepted, and goes |
//! | `Content-Length` in reply to HEAD, or beside 304 | as well, of whatever length: it speaks of content that is not sent |
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
/// Octets of a name or value that a message shows.
const SHOWN_BYTES_MAX: usize = 100;
/// Of a field line: `: ` and the line's end.
const SEPARATORS_BYTES: usize = 4;

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// A pointer leaves `memory`: what it refers to may lie in memory that the guest has got since.
    Outside(String),
    /// It would not be one with more memory either.
    Stop(Stop),
}

impl From<Unread> for Stop {
    fn from(unread: Unread) -> Stop {
        match unread {
            Unread::Outside(text) => Stop::BadResponse(text),
            Unread::Stop(stop) => stop,
        }
    }
}

/// Reads the record at `address` in `memory`, which is as much of it as the guest has, into `reply`.
/// `method`: that of the request.
pub(crate) fn read(
    memory: &[u8],
    address: u32,
    limits: &Limits,
    method: &str,
    reply: &mut Reply,
) -> Result<(), Unread> {
    let mut reader = Reader { memory, limits, method, field_bytes: 0 };
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
    method: &'m str,
    /// Of the fields so far, as the guest has them.
    field_bytes: u64,
}

#[cold]
fn bad(what: fmt::Arguments<'_>) -> Unread {
    Unread::Stop(Stop::BadResponse(what.to_string()))
}

#[cold]
fn outside(what: &str, at: u32, length: u32, memory: &[u8]) -> Unread {
    Unread::Outside(format!("{what} is {length} octets at {at}, memory has {}", memory.len()))
}

/// The guest's octets as a message shows them: escaped, and not all if there are many.
fn shown(octets: &[u8]) -> std::slice::EscapeAscii<'_> {
    octets[..octets.len().min(SHOWN_BYTES_MAX)].escape_ascii()
}

fn number(octets: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(octets[at..at + 4].try_into().expect("four octets"))
}

impl<'m> Reader<'m> {
    fn octets(&self, at: u32, length: u32, what: &str) -> Result<&'m [u8], Unread> {
        let start = at as usize;
        // Two 32-bit numbers: the sum fits.
        self.memory.get(start..start + length as usize).ok_or_else(|| outside(what, at, length, self.memory))
    }

    /// What the (pointer, length) pair at `pair` refers to.
    fn pair(&self, record: &[u8], pair: usize, what: &str) -> Result<&'m [u8], Unread> {
        self.octets(number(record, pair), number(record, pair + 4), what)
    }

    fn failure(&self, record: &Record) -> Unread {
        match self.pair(record, record::ERROR, "the error text") {
            Ok(text) => {
                let text = &text[..text.len().min(ERROR_BYTES_MAX)];
                Unread::Stop(Stop::Trap(String::from_utf8_lossy(text).into_owned()))
            }
            Err(unread) => unread,
        }
    }

    fn body(&self, record: &Record) -> Result<&'m [u8], Unread> {
        let length = u64::from(number(record, record::BODY + 4));
        if length > self.limits.response_body_bytes_max {
            let max = self.limits.response_body_bytes_max;
            return Err(bad(format_args!("the body has {length} octets, at most {max} are allowed")));
        }
        self.pair(record, record::BODY, "the body")
    }

    fn content_type(&mut self, record: &Record, reply: &mut Reply) -> Result<(), Unread> {
        let value = self.pair(record, record::CONTENT_TYPE, "the content type")?;
        if value.is_empty() {
            return Ok(());
        }
        self.count(b"Content-Type", value)?;
        add_line(reply, b"Content-Type", value)
    }

    fn fields(&mut self, record: &Record, body_bytes: usize, reply: &mut Reply) -> Result<(), Unread> {
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
            self.count(name, value)?;
            self.field(name, value, body_bytes, reply)?;
        }
        Ok(())
    }

    /// Comes before a look at any octet: the limit bounds the time that looking takes, also at fields that are dropped.
    fn count(&mut self, name: &[u8], value: &[u8]) -> Result<(), Unread> {
        self.field_bytes += (name.len() + value.len() + SEPARATORS_BYTES) as u64;
        let max = self.limits.response_header_bytes_max;
        if self.field_bytes > max {
            return Err(bad(format_args!("the header fields have more than {max} octets")));
        }
        Ok(())
    }

    fn field(&self, name: &[u8], value: &[u8], body_bytes: usize, reply: &mut Reply) -> Result<(), Unread> {
        match rule(name) {
            Rule::Drop => Ok(()),
            Rule::Refuse => {
                let name = shown(name);
                Err(bad(format_args!("header field `{name}` is not for programs to set")))
            }
            Rule::ContentType if reply.has_content_type() => Err(bad(format_args!("the content type is given twice"))),
            Rule::Keep | Rule::ContentType => add(reply, name, value),
            Rule::ContentLength if length(value) == Some(body_bytes as u64) => Ok(()),
            // RFC 9110 sections 8.6 and 9.3.2.
            Rule::ContentLength if (reply.status == 304 || self.method == "HEAD") && length(value).is_some() => Ok(()),
            Rule::ContentLength => {
                let value = shown(value);
                Err(bad(format_args!("Content-Length is `{value}`, the body has {body_bytes} octets")))
            }
        }
    }
}

fn add(reply: &mut Reply, name: &[u8], value: &[u8]) -> Result<(), Unread> {
    if name.is_empty() || !name.iter().all(|octet| is_token(*octet)) {
        return Err(bad(format_args!("`{}` is not a header field's name", shown(name))));
    }
    add_line(reply, name, value)
}

#[inline]
fn add_line(reply: &mut Reply, name: &[u8], value: &[u8]) -> Result<(), Unread> {
    let (lines, value) = (&mut reply.field_lines, trimmed(value));
    // Without an early end, so that many octets are looked at at once.
    if !value.iter().fold(true, |valid, octet| valid & is_value(*octet)) {
        let name = shown(name);
        return Err(bad(format_args!("the value of header field `{name}` has a control character")));
    }
    lines.extend_from_slice(name);
    lines.extend_from_slice(b": ");
    lines.extend_from_slice(value);
    lines.extend_from_slice(b"\r\n");
    Ok(())
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
fn length(value: &[u8]) -> Option<u64> {
    let value = trimmed(value);
    let digits = value.iter().all(u8::is_ascii_digit);
    if digits { std::str::from_utf8(value).ok()?.parse().ok() } else { None }
}

/// Without optional white space (RFC 9110 section 5.6.3) around it.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
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
            self.read_for("GET")
        }

        fn read_for(&self, method: &str) -> Result<Reply, Stop> {
            let mut reply = Reply::default();
            read(&self.memory, 0, &Limits::default(), method, &mut reply).map(|()| reply).map_err(Stop::from)
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
            let read = read(&[0; 36], address, &Limits::default(), "GET", &mut reply);
            assert!(matches!(read, Err(Unread::Outside(_))), "{address}");
        }
    }

    #[test]
    fn lines_cannot_be_split() {
        for value in
            [b"a\r\nSet-Cookie: x".as_slice(), b"a\nb", b"a\rb", b"a\0b", b"a\x7fb", b"a\x1bb", b"a\r\n", b"\x0ca"]
        {
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
    fn a_length_may_speak_of_content_that_is_not_sent() {
        let head = |value: &'static [u8]| Made::new(200).with_fields(&[(b"content-length", value)]);
        assert_eq!(lines(&head(b" 5000").read_for("HEAD").expect("as the reply to GET has it")), "");
        refused(&head(b"5000"), "Content-Length is `5000`");
        for value in [b"".as_slice(), b"-1", b"5,5", b"x"] {
            assert!(head(value).read_for("HEAD").is_err());
        }
        let unchanged = Made::new(304).with_fields(&[(b"content-length", b"5000")]);
        assert_eq!(lines(&unchanged.read().expect("of what the client has")), "");
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
    #[test]
    fn octets_count_before_they_are_looked_at() {
        // Each would be dropped, trimmed or refused for what it is, if anybody looked.
        let spaces = [b" ".repeat(40_000), b"0".to_vec()].concat();
        for name in [b"x".as_slice(), b"content-length", b"connection", b"dayfly-x"] {
            let value = if name == b"content-length" { b"0".as_slice() } else { &spaces };
            refused(
                &Made::new(200).with_fields(&[(name, value), (b"connection", &spaces), (name, &spaces)]),
                "more than",
            );
        }
        refused(&Made::new(200).with(record::CONTENT_TYPE, &b" ".repeat(70_000)), "more than");
        refused(&Made::new(200).with_fields(&[(vec![0xff; 70_000].as_slice(), b"x".as_slice())]), "more than");
    }

    #[test]
    fn messages_show_little_of_what_the_guest_says() {
        let long = vec![0xff; 60_000];
        for fields in [[(long.as_slice(), b"x".as_slice())], [(b"content-length", &long)]] {
            let stop = Made::new(200).with_fields(&fields).read().expect_err("it is refused");
            let text = stop.to_string();
            assert!(text.len() < 600 && text.is_ascii(), "{text}");
        }
    }

    #[test]
    fn only_a_pointer_that_leaves_memory_is_worth_a_second_look() {
        let read = |made: &Made| read(&made.memory, 0, &Limits::default(), "GET", &mut Reply::default());
        let mut wild = Made::new(200);
        wild.set(record::CONTENT_TYPE, 1 << 20, 1);
        assert!(matches!(read(&wild), Err(Unread::Outside(_))));
        assert!(matches!(read(&Made::new(200).with_fields(&[(b"", b"")])), Err(Unread::Stop(_))));
        assert!(matches!(read(&Made::new(0).with(record::ERROR, b"oops")), Err(Unread::Stop(_))));
        let mut wild = Made::new(0);
        wild.set(record::ERROR, 1 << 20, 1);
        assert!(matches!(read(&wild), Err(Unread::Outside(_))));
    }
}
