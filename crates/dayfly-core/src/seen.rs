//! A request as its program sees it: below its mount, with the client that a trusted proxy names, and with fields that say
//! what the host has decided and nothing else. Only what the program takes is prepared.
//!
//! | field | why |
//! |---|---|
//! | `Host` | one, the host that routing went by (RFC 9112 section 3.2.2) |
//! | `Content-Length` | one, the octets that the program gets: chunked content is decoded (RFC 9112 section 7.1.3) |
//! | `Connection`, `Transfer-Encoding`, ... | left out: about the connection, which ends here (RFC 9110 section 7.6.1) |
//! | `Forwarded`, `X-Forwarded-For`, ... | left out: what is believed of them is the request's client, scheme and host |
//! | `Proxy`, and names with `_` | left out: in CGI and WSGI they are `HTTP_PROXY` and the doubles of names with `-` |

use crate::forwarded::{Origin, is_forwarding_field};
use crate::message::{Field, Request};
use dayfly_http1::{Framing, Head};
use dayfly_wasm::abi::takes;

/// Text that a program sees and that does not stand in the request as received.
#[derive(Debug, Default)]
pub struct Texts {
    client: String,
    /// Empty if the request has no content.
    content_length: String,
}

/// What has to be made before a request can be given to a program.
#[derive(Debug)]
pub struct Seen<'b> {
    fields: Vec<Field<'b>>,
    client: &'b str,
}

impl Texts {
    /// `takes`: the mask of what the program asked for.
    #[inline]
    pub fn of(request: &dayfly_http1::Request<'_>, origin: &Origin<'_>, takes: u32) -> Texts {
        let mut texts = Texts::default();
        if takes & takes::CLIENT != 0 {
            texts.client = origin.client.map_or(String::new(), |client| client.to_string());
        }
        if takes & takes::HEADERS != 0 && has_content(&request.head) {
            texts.content_length = request.content.len().to_string();
        }
        texts
    }
}

impl<'b> Seen<'b> {
    /// `takes`: the mask of what the program asked for.
    #[inline]
    pub fn of(fields: &[Field<'b>], origin: &Origin<'b>, takes: u32, texts: &'b Texts) -> Seen<'b> {
        let fields = if takes & takes::HEADERS == 0 { Vec::new() } else { visible(fields, origin, texts) };
        Seen { fields, client: &texts.client }
    }

    /// The request below a mount of so many octets of its path.
    pub fn request<'r>(
        &'r self,
        request: &dayfly_http1::Request<'r>,
        origin: &Origin<'r>,
        mount_bytes: usize,
    ) -> Request<'r> {
        let (mount, below) = request.head.path.split_at(mount_bytes);
        Request {
            method: request.head.method.name(),
            path: if below.is_empty() { "/" } else { below },
            query: request.head.query,
            fields: &self.fields,
            body: request.content,
            client: self.client,
            scheme: origin.scheme,
            host: origin.authority.host,
            mount,
        }
    }
}

/// Did the request say that it has content, be it empty?
fn has_content(head: &Head<'_>) -> bool {
    head.framing != Framing::Length(0) || head.field("content-length").is_some()
}

fn visible<'b>(fields: &[Field<'b>], origin: &Origin<'b>, texts: &'b Texts) -> Vec<Field<'b>> {
    let ours = [("Host", origin.authority.whole), ("Content-Length", texts.content_length.as_str())];
    let ours = ours.into_iter().filter(|(_, value)| !value.is_empty());
    let ours = ours.map(|(name, value)| Field { name, value: value.as_bytes() });
    ours.chain(fields.iter().filter(|field| is_visible(field.name)).copied()).collect()
}

/// Does a program see this field as it came?
fn is_visible(name: &str) -> bool {
    const HIDDEN: [&str; 10] = [
        "host",
        "content-length",
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy",
    ];
    !name.contains('_') && !HIDDEN.iter().any(|known| name.eq_ignore_ascii_case(known)) && !is_forwarding_field(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dayfly_http1::{Authority, Method};

    const ORIGIN: Origin<'static> = Origin {
        client: Some(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        scheme: "https",
        authority: Authority { whole: "a:80", host: "a" },
    };

    fn head<'b>(path: &'b str, framing: Framing, fields: &'b [Field<'b>]) -> Head<'b> {
        Head {
            method: Method::Get,
            path,
            query: "q",
            authority: "b",
            host: "b",
            fields,
            minor: 1,
            framing,
            expects_continue: false,
            persistent: true,
        }
    }

    /// The fields that a program sees, one a line.
    fn seen(framing: Framing, fields: &[(&str, &str)], content: &[u8]) -> String {
        let fields: Vec<_> = fields.iter().map(|(name, value)| Field { name, value: value.as_bytes() }).collect();
        let request = dayfly_http1::Request { head: head("/", framing, &fields), content };
        let texts = Texts::of(&request, &ORIGIN, takes::ALL);
        let seen = Seen::of(&fields, &ORIGIN, takes::ALL, &texts);
        let lines =
            seen.fields.iter().map(|field| format!("{}: {}\n", field.name, String::from_utf8_lossy(field.value)));
        lines.collect()
    }

    #[test]
    fn a_mount_is_cut_off_the_path() {
        for (path, below) in [("/z", "/"), ("/z/", "/"), ("/z/a%2F/b", "/a%2F/b")] {
            let request = dayfly_http1::Request { head: head(path, Framing::Length(0), &[]), content: b"" };
            let texts = Texts::of(&request, &ORIGIN, takes::ALL);
            let seen = Seen::of(&[], &ORIGIN, takes::ALL, &texts);
            let request = seen.request(&request, &ORIGIN, 2);
            assert_eq!((request.mount, request.path), ("/z", below));
            assert_eq!((request.host, request.scheme, request.client), ("a", "https", "127.0.0.1"));
        }
    }

    #[test]
    fn a_program_sees_the_host_that_was_routed_by() {
        assert_eq!(seen(Framing::Length(0), &[("hOST", "evil"), ("Accept", "*/*")], b""), "Host: a:80\nAccept: */*\n");
    }

    #[test]
    fn a_program_sees_one_length_of_content_and_no_coding() {
        let chunked = [("Transfer-Encoding", "chunked"), ("Trailer", "X"), ("TE", "trailers"), ("Connection", "TE")];
        assert_eq!(seen(Framing::Chunked, &chunked, b"abc"), "Host: a:80\nContent-Length: 3\n");
        assert_eq!(seen(Framing::Chunked, &chunked, b""), "Host: a:80\nContent-Length: 0\n");
        assert_eq!(seen(Framing::Length(3), &[("content-length", "003")], b"abc"), "Host: a:80\nContent-Length: 3\n");
        assert_eq!(seen(Framing::Length(0), &[("Content-Length", "0")], b""), "Host: a:80\nContent-Length: 0\n");
        assert_eq!(seen(Framing::Length(0), &[], b""), "Host: a:80\n");
    }

    #[test]
    fn no_field_speaks_for_the_client_whoever_sent_it() {
        for name in [
            "Forwarded",
            "X-Forwarded-For",
            "X_Forwarded_For",
            "X-Forwarded_For",
            "Content_Length",
            "Transfer_Encoding",
            "REMOTE_ADDR",
            "Proxy",
            "True-Client-IP",
            "X-Real-IP",
        ] {
            assert_eq!(seen(Framing::Length(0), &[(name, "6.6.6.6")], b""), "Host: a:80\n", "{name}");
        }
    }

    #[test]
    fn what_is_not_taken_is_not_made() {
        let fields = [Field { name: "Content-Length", value: b"1" }];
        let request = dayfly_http1::Request { head: head("/", Framing::Length(1), &fields), content: b"1" };
        let texts = Texts::of(&request, &ORIGIN, takes::PATH);
        assert_eq!(texts.client.capacity() + texts.content_length.capacity(), 0);
        assert_eq!(Seen::of(&fields, &ORIGIN, takes::PATH, &texts).fields.capacity(), 0);
    }
}
