//! A request as its program sees it: below its mount, with the client that a trusted proxy names, and without the word
//! of anybody else about that client. Only what the program takes is prepared.

use crate::forwarded::{Origin, is_forwarding_field};
use crate::message::{Field, Request};
use dayfly_wasm::abi::takes;
use std::borrow::Cow;

/// What has to be made before a request can be given to a program.
#[derive(Debug)]
pub struct Seen<'b> {
    fields: Cow<'b, [Field<'b>]>,
    client: String,
}

impl<'b> Seen<'b> {
    /// `takes`: the mask of what the program asked for.
    #[inline]
    pub fn of(fields: &'b [Field<'b>], origin: &Origin<'_>, takes: u32) -> Seen<'b> {
        if takes & (takes::CLIENT | takes::HEADERS) == 0 {
            return Seen { fields: Cow::Borrowed(fields), client: String::new() };
        }
        Seen::made(fields, origin, takes)
    }

    fn made(fields: &'b [Field<'b>], origin: &Origin<'_>, takes: u32) -> Seen<'b> {
        let client = origin.client.filter(|_| takes & takes::CLIENT != 0);
        Seen {
            fields: visible(fields, takes & takes::HEADERS != 0 && !origin.trusted),
            client: client.map_or(String::new(), |client| client.to_string()),
        }
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
            client: &self.client,
            scheme: origin.scheme,
            host: origin.authority.host,
            mount,
        }
    }
}

fn visible<'b>(fields: &'b [Field<'b>], hide_forwarding: bool) -> Cow<'b, [Field<'b>]> {
    if hide_forwarding && fields.iter().any(|field| is_forwarding_field(field.name)) {
        return fields.iter().filter(|field| !is_forwarding_field(field.name)).copied().collect();
    }
    Cow::Borrowed(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dayfly_http1::{Authority, Framing, Head, Method};

    const FIELDS: &[Field<'static>] =
        &[Field { name: "X-Forwarded-For", value: b"6.6.6.6" }, Field { name: "Accept", value: b"*/*" }];

    fn origin(trusted: bool) -> Origin<'static> {
        Origin {
            client: Some([127, 0, 0, 1].into()),
            scheme: "https",
            authority: Authority { whole: "a:80", host: "a" },
            trusted,
        }
    }

    #[test]
    fn a_mount_is_cut_off_the_path() {
        let head = |path| Head {
            method: Method::Get,
            path,
            query: "q",
            authority: "b",
            host: "b",
            fields: &[],
            minor: 1,
            framing: Framing::Length(0),
            expects_continue: false,
            persistent: true,
        };
        for (path, below) in [("/z", "/"), ("/z/", "/"), ("/z/a%2F/b", "/a%2F/b")] {
            let request = dayfly_http1::Request { head: head(path), content: b"" };
            let (origin, seen) = (origin(true), Seen::of(&[], &origin(true), takes::ALL));
            let request = seen.request(&request, &origin, 2);
            assert_eq!((request.mount, request.path), ("/z", below));
            assert_eq!((request.host, request.scheme, request.client), ("a", "https", "127.0.0.1"));
        }
    }

    #[test]
    fn nobody_untrusted_tells_a_program_who_the_client_is() {
        assert_eq!(Seen::of(FIELDS, &origin(false), takes::ALL).fields.len(), 1);
        assert_eq!(Seen::of(FIELDS, &origin(true), takes::ALL).fields.len(), 2);
        assert!(matches!(Seen::of(&FIELDS[1..], &origin(false), takes::ALL).fields, Cow::Borrowed(_)));
    }

    #[test]
    fn what_is_not_taken_is_not_made() {
        let seen = Seen::of(FIELDS, &origin(false), takes::PATH);
        assert_eq!(seen.client.capacity(), 0);
        assert!(matches!(seen.fields, Cow::Borrowed(_)));
    }
}
