//! Responses on the wire (RFC 9112 sections 4 and 6), written once, straight into the output buffer.

use crate::handler::{Answered, Outcome};
use crate::{Clock, Refusal};

/// The methods that are taken, for `Allow` (RFC 9110 section 10.2.1).
pub(crate) const ALLOW: &[u8] = b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";

/// What of a request matters for its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipient {
    /// The request was a HEAD: no content.
    pub(crate) head_only: bool,
    /// Minor version of the request.
    pub(crate) minor: u8,
    /// The connection can carry another request.
    pub(crate) persistent: bool,
}

/// The place for one answer. Using it up is the only way to make an [`Answered`].
#[derive(Debug)]
pub struct Respond<'o> {
    pub(crate) out: &'o mut Vec<u8>,
    pub(crate) clock: &'o Clock,
    pub(crate) recipient: Recipient,
}

impl Respond<'_> {
    /// Writes the answer.
    ///
    /// `status` is 200 to 599. `field_lines` are complete lines, `Name: value` CRLF each, valid by RFC 9110 section 5, without
    /// `Date`, `Content-Length`, `Connection` and `Transfer-Encoding`, which are written here. `content` is left out of the
    /// answer to a HEAD, of 204, 205 and 304.
    ///
    /// # Panics
    /// If `status` is out of range or `field_lines` does not end in CRLF.
    pub fn send(self, status: u16, field_lines: &[u8], content: &[u8]) -> Answered {
        write(self.out, self.clock, self.recipient, status, field_lines, content);
        Answered(Outcome::Now { persistent: self.recipient.persistent })
    }

    /// Answers `OPTIONS *`, which asks the server itself and no tenant (RFC 9110 section 9.3.7).
    pub(crate) fn send_options(self) -> Answered {
        self.send(204, ALLOW, b"")
    }

    /// The answer will come through [`crate::Handler::settle`]. Later requests of the connection wait for it.
    pub fn later(self) -> Answered {
        Answered(Outcome::Later)
    }

    /// The connection closes after this answer.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.recipient.persistent = false;
        self
    }
}

/// Writes a whole response.
pub(crate) fn write(
    out: &mut Vec<u8>,
    clock: &Clock,
    recipient: Recipient,
    status: u16,
    field_lines: &[u8],
    content: &[u8],
) {
    out.reserve(160 + field_lines.len() + content.len());
    let content = if status == 205 { b"" } else { content }; // RFC 9110 section 15.3.6
    // RFC 9110 section 8.6: no Content-Length in 204; in 304 it would speak of the representation that was not sent.
    let has_content = !matches!(status, 204 | 304);
    // Nor in reply to a HEAD whose handler made no content: it would have to be that of a GET.
    let has_length = has_content && !(recipient.head_only && content.is_empty());
    write_head(out, clock, recipient, status, has_length.then_some(content.len()), field_lines);
    if has_content && !recipient.head_only {
        out.extend_from_slice(content);
    }
}

/// Writes a response head; the content follows.
fn write_head(
    out: &mut Vec<u8>,
    clock: &Clock,
    recipient: Recipient,
    status: u16,
    content_bytes: Option<usize>,
    field_lines: &[u8],
) {
    assert!((200..600).contains(&status), "{status} is no final status");
    assert!(field_lines.is_empty() || field_lines.ends_with(b"\r\n"), "field lines end in CRLF");
    if status == 200 {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\nDate: ");
    } else {
        out.extend_from_slice(b"HTTP/1.1 ");
        write_decimal(out, status as usize);
        out.push(b' ');
        out.extend_from_slice(reason(status).as_bytes());
        out.extend_from_slice(b"\r\nDate: ");
    }
    out.extend_from_slice(clock.date());
    if let Some(bytes) = content_bytes {
        out.extend_from_slice(b"\r\nContent-Length: ");
        write_decimal(out, bytes);
    }
    // RFC 9112 section 9.3: persistence is the default of 1.1 and must be said in 1.0; section 9.6: `close` before closing.
    out.extend_from_slice(match (recipient.persistent, recipient.minor) {
        (false, _) => b"\r\nConnection: close\r\n",
        (true, 0) => b"\r\nConnection: keep-alive\r\n",
        (true, _) => b"\r\n",
    });
    out.extend_from_slice(field_lines);
    out.extend_from_slice(b"\r\n");
}

/// Writes a handler's refusal; the connection closes.
pub(crate) fn write_refusal(out: &mut Vec<u8>, clock: &Clock, recipient: Recipient, refusal: &Refusal) {
    let recipient = Recipient { persistent: false, ..recipient };
    write(out, clock, recipient, refusal.status, &refusal.field_lines, &refusal.content);
}

fn write_decimal(out: &mut Vec<u8>, mut n: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

/// The reason phrase of a status (RFC 9110 section 15), also a fit title for a problem; empty if the status has none.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}
