//! Every rule whose breach ends a connection and every limit that does, each with its RFC section and the status that answers it.
//!
//! The table below is the one place that says what a bad message is answered with; documentation is generated from it.

use std::fmt;

/// A rule of HTTP/1.1 that a message broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The first octet cannot begin a request (TLS on a plain port, for example).
    NotHttp,
    /// More than one empty line before a request.
    EmptyLines,
    /// A line that ends in LF without CR.
    BareLf,
    /// A CR that no LF follows.
    BareCr,
    /// The request line is not three parts with one space between them.
    RequestLine,
    /// The method is not a token.
    MethodSyntax,
    /// The method is longer than any that exists here.
    MethodTooLong,
    /// The method is not known here.
    MethodUnknown,
    /// `CONNECT` and `TRACE` are known and refused.
    MethodRefused,
    /// The version is not `HTTP/` digit `.` digit.
    VersionSyntax,
    /// A major version other than 1.
    VersionUnsupported,
    /// The target has none of the four forms, or not the one that its method needs.
    TargetForm,
    /// The target has an octet that no URI has.
    TargetOctet,
    /// The target is longer than [`crate::TARGET_BYTES_MAX`].
    TargetTooLong,
    /// HTTP/1.1 without a `Host` field.
    HostMissing,
    /// More than one `Host` field.
    HostRepeated,
    /// The `Host` field or the authority in the target is not `uri-host [ ":" port ]`.
    HostInvalid,
    /// A field line is folded.
    FieldFolded,
    /// A field name is not a token that a colon follows at once.
    FieldName,
    /// A field value has a control octet.
    FieldValue,
    /// The fields are longer than [`crate::FIELD_BYTES_MAX`] together.
    FieldsTooLong,
    /// More fields than [`crate::FIELDS_MAX`].
    FieldsTooMany,
    /// `Content-Length` is not a plain number.
    LengthSyntax,
    /// `Content-Length` stands more than once.
    LengthRepeated,
    /// Both `Content-Length` and `Transfer-Encoding`.
    LengthAndCoding,
    /// `Transfer-Encoding` in HTTP/1.0.
    CodingVersion,
    /// `Transfer-Encoding` does not end in exactly one `chunked`.
    CodingSyntax,
    /// A transfer coding other than `chunked`.
    CodingUnknown,
    /// An expectation other than `100-continue`.
    Expectation,
    /// The content is longer than the receiver of this request takes.
    ContentTooLarge,
    /// A chunk does not begin with a plain hexadecimal size of at most 16 digits.
    ChunkSize,
    /// A chunk extension is not `;name`, `;name=token` or `;name="text"`.
    ChunkExtension,
    /// A chunk-size line, or all chunk extensions of a message, are too long.
    ChunkExtensionTooLong,
    /// The data of a chunk is not followed by CRLF.
    ChunkEnd,
    /// A trailer section that would change framing or routing.
    TrailerRefused,
    /// The trailer section is too long or has too many fields.
    TrailersTooLong,
    /// The client ended its side in the middle of a request.
    Incomplete,
    /// The server holds too much unfinished content.
    NoRoom,
    /// The head did not arrive in time.
    HeadTimeout,
    /// The content did not arrive in time.
    ContentTimeout,
}

/// What is said of a rule.
struct Facts {
    name: &'static str,
    status: u16,
    section: &'static str,
    text: &'static str,
}

const fn facts(name: &'static str, status: u16, section: &'static str, text: &'static str) -> Facts {
    Facts { name, status, section, text }
}

impl Rule {
    /// All rules, in the order in which a message meets them.
    pub const ALL: [Rule; 40] = [
        Rule::NotHttp,
        Rule::EmptyLines,
        Rule::BareLf,
        Rule::BareCr,
        Rule::RequestLine,
        Rule::MethodSyntax,
        Rule::MethodTooLong,
        Rule::MethodUnknown,
        Rule::MethodRefused,
        Rule::VersionSyntax,
        Rule::VersionUnsupported,
        Rule::TargetForm,
        Rule::TargetOctet,
        Rule::TargetTooLong,
        Rule::HostMissing,
        Rule::HostRepeated,
        Rule::HostInvalid,
        Rule::FieldFolded,
        Rule::FieldName,
        Rule::FieldValue,
        Rule::FieldsTooLong,
        Rule::FieldsTooMany,
        Rule::LengthSyntax,
        Rule::LengthRepeated,
        Rule::LengthAndCoding,
        Rule::CodingVersion,
        Rule::CodingSyntax,
        Rule::CodingUnknown,
        Rule::Expectation,
        Rule::ContentTooLarge,
        Rule::ChunkSize,
        Rule::ChunkExtension,
        Rule::ChunkExtensionTooLong,
        Rule::ChunkEnd,
        Rule::TrailerRefused,
        Rule::TrailersTooLong,
        Rule::Incomplete,
        Rule::NoRoom,
        Rule::HeadTimeout,
        Rule::ContentTimeout,
    ];

    /// The fixed name, for counters, logs and the answer's content.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The status that answers a breach.
    pub fn status(self) -> u16 {
        self.facts().status
    }

    /// Where the rule stands, as `RFC number section number`.
    pub fn section(self) -> &'static str {
        self.facts().section
    }

    /// One sentence for the person who sent the message.
    pub fn text(self) -> &'static str {
        self.facts().text
    }

    #[rustfmt::skip] // a table, one rule a line
    fn facts(self) -> Facts {
        match self {
            Rule::NotHttp => facts("not_http", 400, "RFC 9112 section 3", "the first octet cannot begin a request"),
            Rule::EmptyLines => facts("empty_lines", 400, "RFC 9112 section 2.2", "more than one empty line stands before the request"),
            Rule::BareLf => facts("bare_lf", 400, "RFC 9112 section 2.2", "a line ends in LF without CR"),
            Rule::BareCr => facts("bare_cr", 400, "RFC 9112 section 2.2", "a CR is not followed by LF"),
            Rule::RequestLine => facts("request_line", 400, "RFC 9112 section 3", "the request line is not `method SP target SP version`"),
            Rule::MethodSyntax => facts("method_syntax", 400, "RFC 9110 section 9.1", "the method is not a token"),
            Rule::MethodTooLong => facts("method_too_long", 501, "RFC 9112 section 3", "the method is longer than any known one"),
            Rule::MethodUnknown => facts("method_unknown", 501, "RFC 9110 section 9.1", "the method is not known"),
            Rule::MethodRefused => facts("method_refused", 405, "RFC 9110 section 15.5.6", "the method is not allowed here"),
            Rule::VersionSyntax => facts("version_syntax", 400, "RFC 9112 section 2.3", "the version is not `HTTP/digit.digit`"),
            Rule::VersionUnsupported => facts("version_unsupported", 505, "RFC 9110 section 15.6.6", "only HTTP/1.1 and HTTP/1.0 are spoken here"),
            Rule::TargetForm => facts("target_form", 400, "RFC 9112 section 3.2", "the target's form does not fit its method"),
            Rule::TargetOctet => facts("target_octet", 400, "RFC 3986 section 2", "the target has an octet that must be percent-encoded"),
            Rule::TargetTooLong => facts("target_too_long", 414, "RFC 9112 section 3", "the target is longer than 16384 octets"),
            Rule::HostMissing => facts("host_missing", 400, "RFC 9112 section 3.2", "the Host field is missing"),
            Rule::HostRepeated => facts("host_repeated", 400, "RFC 9112 section 3.2", "the Host field stands more than once"),
            Rule::HostInvalid => facts("host_invalid", 400, "RFC 9112 section 3.2", "the host is not a name or address with an optional port"),
            Rule::FieldFolded => facts("field_folded", 400, "RFC 9112 section 5.2", "a field line is folded"),
            Rule::FieldName => facts("field_name", 400, "RFC 9112 section 5.1", "a field name is not a token with a colon right after it"),
            Rule::FieldValue => facts("field_value", 400, "RFC 9110 section 5.5", "a field value has a control octet"),
            Rule::FieldsTooLong => facts("fields_too_long", 431, "RFC 6585 section 5", "the fields are longer than 32768 octets"),
            Rule::FieldsTooMany => facts("fields_too_many", 431, "RFC 6585 section 5", "there are more than 100 fields"),
            Rule::LengthSyntax => facts("length_syntax", 400, "RFC 9110 section 8.6", "Content-Length is not a plain number"),
            Rule::LengthRepeated => facts("length_repeated", 400, "RFC 9112 section 6.3", "Content-Length stands more than once"),
            Rule::LengthAndCoding => facts("length_and_coding", 400, "RFC 9112 section 6.3", "both Content-Length and Transfer-Encoding are given"),
            Rule::CodingVersion => facts("coding_version", 400, "RFC 9112 section 6.1", "HTTP/1.0 has no Transfer-Encoding"),
            Rule::CodingSyntax => facts("coding_syntax", 400, "RFC 9112 section 6.1", "Transfer-Encoding does not end in exactly one `chunked`"),
            Rule::CodingUnknown => facts("coding_unknown", 501, "RFC 9112 section 6.1", "only the transfer coding `chunked` is known"),
            Rule::Expectation => facts("expectation", 417, "RFC 9110 section 10.1.1", "only `100-continue` can be expected"),
            Rule::ContentTooLarge => facts("content_too_large", 413, "RFC 9110 section 15.5.14", "the content is longer than allowed here"),
            Rule::ChunkSize => facts("chunk_size", 400, "RFC 9112 section 7.1", "a chunk does not begin with its size in hexadecimal digits"),
            Rule::ChunkExtension => facts("chunk_extension", 400, "RFC 9112 section 7.1.1", "a chunk extension is malformed"),
            Rule::ChunkExtensionTooLong => facts("chunk_extension_too_long", 400, "RFC 9112 section 7.1.1", "chunk extensions are too long"),
            Rule::ChunkEnd => facts("chunk_end", 400, "RFC 9112 section 7.1", "a chunk's data is not followed by CRLF"),
            Rule::TrailerRefused => facts("trailer_refused", 400, "RFC 9110 section 6.5.1", "a trailer field may not stand there"),
            Rule::TrailersTooLong => facts("trailers_too_long", 431, "RFC 6585 section 5", "the trailer section is too long"),
            Rule::Incomplete => facts("incomplete", 400, "RFC 9112 section 8", "the request is not complete"),
            Rule::NoRoom => facts("no_room", 503, "RFC 9110 section 15.6.4", "the server holds too much unfinished content; try again later"),
            Rule::HeadTimeout => facts("head_timeout", 408, "RFC 9110 section 15.5.9", "the head did not arrive in time"),
            Rule::ContentTimeout => facts("content_timeout", 408, "RFC 9110 section 15.5.9", "the content did not arrive in time"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.section())
    }
}
