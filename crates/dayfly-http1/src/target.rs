//! The forms of a request target (RFC 9112 section 3.2) and the authority in it or in the `Host` field.

use std::net::Ipv6Addr;
use std::str;

use memchr::memchr;

use crate::Rule;
use crate::octets::{is_host, is_target};

/// Octets of a host: no name is longer (RFC 3986 section 3.2.2), and a program gets it twice, beside the fields.
const HOST_BYTES_MAX: usize = 255;

/// `uri-host [ ":" port ]` (RFC 9110 section 7.2): never empty, no user information.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Authority<'b> {
    /// As received.
    pub whole: &'b str,
    /// Without the port; an IPv6 address keeps its brackets.
    pub host: &'b str,
}

/// Octets of the longest authority: its host, a colon, a port.
pub const AUTHORITY_BYTES_MAX: usize = HOST_BYTES_MAX + 1 + 5;

impl<'b> Authority<'b> {
    /// None if `value` is not a valid authority of a web server.
    pub fn parse(value: &'b [u8]) -> Option<Authority<'b>> {
        let (host, port) = split_port(value);
        (is_uri_host(host) && is_port(port)).then_some(())?;
        let whole = str::from_utf8(value).ok()?;
        Some(Authority { whole, host: &whole[..host.len()] })
    }
}

/// A target that keeps its rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'b> {
    /// Begins with `/`, or is `*`.
    pub(crate) path: &'b str,
    pub(crate) query: &'b str,
    pub(crate) authority: Option<Authority<'b>>,
}

/// Origin-form, absolute-form, and asterisk-form where `asterisk` allows it.
pub(crate) fn parse(target: &[u8], asterisk: bool) -> Result<Target<'_>, Rule> {
    if !target.iter().all(|&octet| is_target(octet)) {
        return Err(Rule::TargetOctet);
    }
    let target = str::from_utf8(target).map_err(|_| Rule::TargetOctet)?;
    match target.as_bytes() {
        [b'/', ..] => Ok(Target::new(target, None)),
        b"*" if asterisk => Ok(Target::new(target, None)),
        _ => parse_absolute(target),
    }
}

/// RFC 9112 section 3.2.2: `http` and `https` have an authority, and its host is not empty (RFC 9110 section 4.2).
fn parse_absolute(target: &str) -> Result<Target<'_>, Rule> {
    let (scheme, rest) = target.split_once("://").ok_or(Rule::TargetForm)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(Rule::TargetForm);
    }
    let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let authority = Authority::parse(authority.as_bytes()).ok_or(Rule::HostInvalid)?;
    Ok(Target::new(path_and_query, Some(authority)))
}

impl<'b> Target<'b> {
    /// RFC 9110 section 4.2.3: an empty path is `/`.
    fn new(path_and_query: &'b str, authority: Option<Authority<'b>>) -> Target<'b> {
        let (path, query) = match memchr(b'?', path_and_query.as_bytes()) {
            Some(mark) => (&path_and_query[..mark], &path_and_query[mark + 1..]),
            None => (path_and_query, ""),
        };
        Target { path: if path.is_empty() { "/" } else { path }, query, authority }
    }
}

/// RFC 9112 section 3.2.3: `uri-host ":" port`, for `CONNECT` only.
pub(crate) fn is_connect_form(target: &[u8]) -> bool {
    let (host, port) = split_port(target);
    is_uri_host(host) && is_port(port) && port.is_some_and(|port| !port.is_empty())
}

/// Host and what follows the last colon outside brackets, if there is one.
fn split_port(value: &[u8]) -> (&[u8], Option<&[u8]>) {
    let digits = value.iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
    match value.split_at(value.len() - digits) {
        ([host @ .., b':'], port) => (host, Some(port)),
        _ => (value, None),
    }
}

/// RFC 3986 section 3.2.3 allows an empty port; no larger number than 65535 is one.
fn is_port(port: Option<&[u8]>) -> bool {
    port.is_none_or(|port| {
        port.len() <= 5 && port.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0')) <= 65_535
    })
}

/// RFC 3986 section 3.2.2 without `IPvFuture` and zones: a name, an IPv4 address or an IPv6 address in brackets.
fn is_uri_host(host: &[u8]) -> bool {
    match host {
        [b'[', inner @ .., b']'] => str::from_utf8(inner).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()),
        _ => !host.is_empty() && host.len() <= HOST_BYTES_MAX && is_registered_name(host),
    }
}

fn is_registered_name(mut name: &[u8]) -> bool {
    loop {
        name = match name {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [octet, rest @ ..] if is_host(*octet) => rest,
            _ => return false,
        }
    }
}
