//! The head of a request: request line, fields, and what they say of the content (RFC 9112 sections 2, 3, 5 and 6).
//!
//! Pure functions of the octets received. The head has been found whole by `lines`, so CR and LF stand in it only together, at
//! the ends of lines.

use memchr::{memchr, memmem, memrchr};

use crate::octets::is_token;
use crate::target::{self, Authority, Target};
use crate::{Field, Rule};

/// Octets of a method that can be known here; a longer one is not implemented (RFC 9112 section 3).
pub(crate) const METHOD_BYTES_MAX: usize = 32;
/// Octets of a request target: 414 beyond it.
pub const TARGET_BYTES_MAX: usize = 16 << 10;
/// Octets of all field lines together, their ends included: 431 beyond it.
pub const FIELD_BYTES_MAX: usize = 32 << 10;
/// Number of fields: 431 beyond it.
pub const FIELDS_MAX: usize = 100;

/// A method that reaches handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it: RFC 9110 section 9.3, RFC 5789")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    /// As it stands in the request line.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
        }
    }
}

/// Where the content ends (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many octets; 0 if the request has no content.
    Length(u64),
    /// Where the chunked coding says so.
    Chunked,
}

/// A request head that keeps every rule; borrows from the received octets.
#[derive(Clone, Copy, Debug)]
pub struct Head<'b> {
    /// Method.
    pub method: Method,
    /// Path as received, percent-encoding and all. Begins with `/`; `*` is answered before it gets here.
    pub path: &'b str,
    /// What follows the first `?`; empty without one.
    pub query: &'b str,
    /// The authority of the target if it has one, else the `Host` field (RFC 9112 section 3.3), port included.
    /// Empty only in HTTP/1.0.
    pub authority: &'b str,
    /// The authority without its port, in the case it came in.
    pub host: &'b str,
    /// All fields in the order of arrival.
    pub fields: &'b [Field<'b>],
    /// Minor version, 0 or 1; a higher one is read as 1 (RFC 9110 section 2.5).
    pub minor: u8,
    /// Where the content ends.
    pub framing: Framing,
    /// The client waits for 100 (Continue) before it sends content.
    pub expects_continue: bool,
    /// The client allows another request on the connection (RFC 9112 section 9.3).
    pub persistent: bool,
}

/// The parts of a request line that keeps its rules.
struct RequestLine<'b> {
    method: Method,
    target: Target<'b>,
    minor: u8,
}

/// What the fields say to the machine itself.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "four independent words of the client, no states")]
struct Meaning<'b> {
    authority: Option<Authority<'b>>,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
}

impl<'b> Head<'b> {
    /// `octets` is a whole head with its empty line, `line_bytes` of it the request line with its CRLF;
    /// `slots` has room for all field lines.
    pub(crate) fn parse<'o: 'b>(
        octets: &'o [u8],
        line_bytes: usize,
        slots: &'b mut [Field<'o>],
    ) -> Result<Head<'b>, Rule> {
        let (line, section) = octets.split_at(line_bytes);
        let line = RequestLine::parse(&line[..line_bytes - 2])?;
        let fields = parse_fields(section, slots)?;
        let meaning = Meaning::of(fields, line.minor)?;
        let authority = match (line.target.authority, meaning.authority) {
            (Some(of_target), _) => of_target,
            (None, Some(of_field)) => of_field,
            (None, None) => Authority::default(),
        };
        Ok(Head {
            method: line.method,
            path: line.target.path,
            query: line.target.query,
            authority: authority.whole,
            host: authority.host,
            fields,
            minor: line.minor,
            framing: meaning.framing()?,
            expects_continue: meaning.expects_continue,
            // RFC 9112 section 9.3: `close` decides, then the version, then `keep-alive`.
            persistent: !meaning.close && (line.minor == 1 || meaning.keep_alive),
        })
    }

    /// The first field of this name, compared without case.
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// `OPTIONS *`: the request asks the server itself (RFC 9110 section 9.3.7).
    pub(crate) fn asks_server(&self) -> bool {
        self.path == "*"
    }
}

impl<'b> RequestLine<'b> {
    /// RFC 9112 section 3: `method SP request-target SP HTTP-version`.
    fn parse(line: &'b [u8]) -> Result<RequestLine<'b>, Rule> {
        let (Some(first), Some(last)) = (memchr(b' ', line), memrchr(b' ', line)) else {
            return Err(Rule::RequestLine);
        };
        if first == last {
            return Err(Rule::RequestLine);
        }
        let minor = parse_version(&line[last + 1..])?;
        let (method, target) = (&line[..first], &line[first + 1..last]);
        if target.len() > TARGET_BYTES_MAX {
            return Err(Rule::TargetTooLong);
        }
        let method = parse_method(method, target)?;
        Ok(RequestLine { method, target: target::parse(target, method == Method::Options)?, minor })
    }
}

/// RFC 9112 section 2.3, RFC 9110 section 2.5: a higher minor version is read as 1.1.
fn parse_version(version: &[u8]) -> Result<u8, Rule> {
    match version {
        b"HTTP/1.1" => Ok(1),
        [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => {
            if *major == b'1' {
                Ok(u8::from(*minor != b'0'))
            } else {
                Err(Rule::VersionUnsupported)
            }
        }
        _ => Err(Rule::VersionSyntax),
    }
}

/// RFC 9110 section 9.1. A method that is not served is refused as such only if the rest of the line keeps its rules.
fn parse_method(method: &[u8], target: &[u8]) -> Result<Method, Rule> {
    match method {
        b"GET" => Ok(Method::Get),
        b"HEAD" => Ok(Method::Head),
        b"POST" => Ok(Method::Post),
        b"PUT" => Ok(Method::Put),
        b"PATCH" => Ok(Method::Patch),
        b"DELETE" => Ok(Method::Delete),
        b"OPTIONS" => Ok(Method::Options),
        b"CONNECT" => Err(if target::is_connect_form(target) { Rule::MethodRefused } else { Rule::TargetForm }),
        b"TRACE" => target::parse(target, false).and(Err(Rule::MethodRefused)),
        _ if method.is_empty() || !method.iter().all(|&octet| is_token(octet)) => Err(Rule::MethodSyntax),
        _ if method.len() > METHOD_BYTES_MAX => Err(Rule::MethodTooLong),
        _ => target::parse(target, false).and(Err(Rule::MethodUnknown)),
    }
}

/// RFC 9112 section 5: the field lines of `section`, which ends with its empty line.
pub(crate) fn parse_fields<'o, 's>(section: &'o [u8], slots: &'s mut [Field<'o>]) -> Result<&'s [Field<'o>], Rule> {
    match httparse::parse_headers(section, slots) {
        Ok(httparse::Status::Complete((bytes, fields))) if bytes == section.len() => Ok(fields),
        Err(httparse::Error::TooManyHeaders) => Err(Rule::FieldsTooMany),
        Err(httparse::Error::HeaderValue) => Err(Rule::FieldValue),
        _ if is_folded(section) => Err(Rule::FieldFolded),
        _ => Err(Rule::FieldName),
    }
}

/// RFC 9112 section 5.2: a line that begins with white space, the first one included.
fn is_folded(section: &[u8]) -> bool {
    matches!(section, [b' ' | b'\t', ..])
        || memmem::find(section, b"\n ").is_some()
        || memmem::find(section, b"\n\t").is_some()
}

impl<'b> Meaning<'b> {
    fn of(fields: &'b [Field<'b>], minor: u8) -> Result<Meaning<'b>, Rule> {
        let mut meaning = Meaning::default();
        for field in fields {
            // By length first: most fields are none of these.
            match field.name.len() {
                4 if field.name.eq_ignore_ascii_case("host") => meaning.host(field.value)?,
                6 if field.name.eq_ignore_ascii_case("expect") => meaning.expect(field.value, minor)?,
                10 if field.name.eq_ignore_ascii_case("connection") => meaning.connection(field.value),
                14 if field.name.eq_ignore_ascii_case("content-length") => meaning.content_length(field.value)?,
                17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                    meaning.transfer_encoding(field.value, minor)?;
                }
                _ => {}
            }
        }
        if meaning.authority.is_none() && minor == 1 {
            return Err(Rule::HostMissing);
        }
        Ok(meaning)
    }

    /// RFC 9112 section 3.2: more than one Host field, or an invalid one, is answered with 400.
    fn host(&mut self, value: &'b [u8]) -> Result<(), Rule> {
        if self.authority.is_some() {
            return Err(Rule::HostRepeated);
        }
        self.authority = Some(Authority::parse(value).ok_or(Rule::HostInvalid)?);
        Ok(())
    }

    /// RFC 9110 section 10.1.1: an unknown expectation is 417; HTTP/1.0 has none.
    fn expect(&mut self, value: &[u8], minor: u8) -> Result<(), Rule> {
        if minor == 0 {
            return Ok(());
        }
        for member in list(value) {
            if !member.eq_ignore_ascii_case(b"100-continue") {
                return Err(Rule::Expectation);
            }
            self.expects_continue = true;
        }
        Ok(())
    }

    /// RFC 9110 section 7.6.1. `upgrade` and other options are ignored (section 7.8).
    fn connection(&mut self, value: &[u8]) {
        for option in list(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// RFC 9110 section 8.6: digits only, once. A number beyond all limits saturates and is refused by the limit.
    fn content_length(&mut self, value: &[u8]) -> Result<(), Rule> {
        if self.length.is_some() {
            return Err(Rule::LengthRepeated);
        }
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Rule::LengthSyntax);
        }
        let bytes =
            value.iter().fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        self.length = Some(bytes);
        Ok(())
    }

    /// RFC 9112 section 6.1: `chunked` alone, once, not in HTTP/1.0.
    fn transfer_encoding(&mut self, value: &[u8], minor: u8) -> Result<(), Rule> {
        if minor == 0 {
            return Err(Rule::CodingVersion);
        }
        if self.chunked {
            return Err(Rule::CodingSyntax);
        }
        self.chunked = true;
        if value.eq_ignore_ascii_case(b"chunked") { Ok(()) } else { Err(refused_coding(value)) }
    }

    /// RFC 9112 section 6.3.
    fn framing(&self) -> Result<Framing, Rule> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Rule::LengthAndCoding),
            (true, None) => Ok(Framing::Chunked),
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

/// RFC 9112 section 6.1: known codings before a final `chunked` are not implemented, anything else is malformed.
fn refused_coding(value: &[u8]) -> Rule {
    const KNOWN: [&[u8]; 5] = [b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress"];
    let mut codings = list(value).rev();
    let ends_in_chunked = codings.next().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    let mut others = codings.peekable();
    let some = others.peek().is_some();
    let known = others.all(|coding| KNOWN.iter().any(|known| known.eq_ignore_ascii_case(coding)));
    if ends_in_chunked && some && known { Rule::CodingUnknown } else { Rule::CodingSyntax }
}

/// The members of a list (RFC 9110 section 5.6.1), without empty ones.
fn list(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|&octet| octet == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}
