//! Who the client is when proxies stand between: `Forwarded` (RFC 7239) and `X-Forwarded-For/-Proto/-Host`, believed only
//! from peers that the operator trusts.
//!
//! A proxy appends what it saw to what it received, so only the right end of a list is its own word. The list is read from the
//! right as long as the hop that wrote the entry is trusted; the first entry that names an untrusted address is the client. What
//! stands further left is the client's own word and worth nothing.
//!
//! A proxy that writes one family of fields may pass the other through as the client sent it. So where both are present only
//! what both say is believed. A client whose word is not believed is unknown, never the proxy: a client can lose its address
//! by what it sends, but never choose one, least of all an inside address that a program may let in.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::{self, FromStr};

use dayfly_http1::{Authority, Head, Peer};
use ipnet::{IpNet, Ipv4Net};

use crate::error::Error;

/// Entries of one list that are looked at. Real chains have fewer than ten.
const HOPS_MAX: usize = 64;

/// The peers whose word about the client is believed. None by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    unix: bool,
}

/// Where a request comes from, as far as that can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'b> {
    /// The client's address. None: nobody said it who is believed, or what was said is in doubt.
    pub client: Option<IpAddr>,
    /// `http` or `https`, as the client spoke it.
    pub scheme: &'static str,
    /// The host that the client asked for; empty only in HTTP/1.0.
    pub authority: Authority<'b>,
}

/// What one family of fields says of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Told {
    /// It is silent.
    #[default]
    Nothing,
    /// It breaks its grammar, hides the client, or another family disagrees.
    Unknown,
    Address(IpAddr),
}

/// What one family of fields says; None where it is silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Word<'b> {
    client: Told,
    scheme: Option<&'static str>,
    authority: Option<Authority<'b>>,
}

/// Is this a field by which proxies tell where a request comes from? No guest sees one, so that no library in it can be
/// deceived: what is believed of them stands in the frame.
pub fn is_forwarding_field(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "forwarded",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
    ];
    const PREFIX: &str = "x-forwarded-";
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
        || name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

impl TrustedProxies {
    /// Reads networks (`10.0.0.0/8`, `::1/128`), addresses, and the word `unix` for peers that come through a socket in the
    /// file system.
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<TrustedProxies, Error> {
        let mut trusted = TrustedProxies::default();
        for word in words.iter().map(AsRef::as_ref) {
            match word {
                "unix" => trusted.unix = true,
                _ => trusted.networks.push(parse_network(word)?),
            }
        }
        Ok(trusted)
    }

    /// Is this peer believed?
    pub fn trust(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Unix => self.unix,
            Peer::Ip(address) => self.trust_address(address.ip()),
        }
    }

    fn trust_address(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Where a request comes from.
    pub fn origin<'b>(&self, peer: &Peer, head: &Head<'b>) -> Origin<'b> {
        let word = if self.trust(peer) { self.word(head) } else { Word::default() };
        Origin {
            client: match word.client {
                Told::Nothing => address_of(peer),
                Told::Unknown => None,
                Told::Address(address) => Some(address),
            },
            scheme: word.scheme.unwrap_or("http"),
            authority: word.authority.unwrap_or(Authority { whole: head.authority, host: head.host }),
        }
    }

    fn word<'b>(&self, head: &Head<'b>) -> Word<'b> {
        match (self.standard_word(head), self.customary_word(head)) {
            (Some(standard), Some(customary)) => standard.common(customary),
            (word, other) => word.or(other).unwrap_or_default(),
        }
    }

    /// RFC 7239 section 4. None if the field is absent; a word without content if it breaks its grammar.
    fn standard_word<'b>(&self, head: &Head<'b>) -> Option<Word<'b>> {
        let lines = lines(head, "forwarded")?;
        let Some(hops) = parse_forwarded(&lines) else { return Some(Word::DISBELIEVED) };
        let nodes: Vec<Node> = hops.iter().map(|hop| hop.node).collect();
        let walked = self.walk(&nodes);
        let Hop { scheme, authority, .. } = hops[walked.entry];
        Some(Word { client: walked.client, scheme, authority })
    }

    /// The fields that everybody sends and nobody has standardised. Each is a list with an entry a hop, or one value that
    /// the nearest proxy set. None if all are absent.
    fn customary_word<'b>(&self, head: &Head<'b>) -> Option<Word<'b>> {
        let nodes = entries(head, "x-forwarded-for");
        let schemes = entries(head, "x-forwarded-proto");
        let authorities = entries(head, "x-forwarded-host");
        if nodes.is_empty() && schemes.is_empty() && authorities.is_empty() {
            return None;
        }
        let nodes: Vec<Node> = nodes.into_iter().map(|text| parse_node(text).unwrap_or(Node::Hidden)).collect();
        let walked = self.walk(&nodes);
        let of_hop = |list: &[&'b str]| {
            let place = if list.len() == nodes.len() { walked.entry } else { list.len().wrapping_sub(1) };
            list.get(place).copied()
        };
        Some(Word {
            client: walked.client,
            scheme: of_hop(&schemes).and_then(parse_scheme),
            authority: of_hop(&authorities).and_then(|text| Authority::parse(text.as_bytes())),
        })
    }

    fn walk(&self, nodes: &[Node]) -> Walked {
        let mut walked = Walked { client: Told::Nothing, entry: 0 };
        for (place, node) in nodes.iter().enumerate().rev() {
            walked.entry = place;
            walked.client = Told::Unknown;
            let Node::Address(address) = node else { break };
            walked.client = Told::Address(*address);
            if !self.trust_address(*address) {
                break;
            }
        }
        walked
    }
}

/// What a list of nodes tells, read from the right.
struct Walked {
    /// The client: unknown where the first trusted proxy does not tell its address.
    client: Told,
    /// The entry that the client's first trusted proxy wrote.
    entry: usize,
}

impl<'b> Word<'b> {
    /// Something was said and nothing of it counts.
    const DISBELIEVED: Word<'static> = Word { client: Told::Unknown, scheme: None, authority: None };

    /// What both say.
    fn common(self, other: Word<'b>) -> Word<'b> {
        if self.client != other.client {
            return Word::DISBELIEVED;
        }
        Word {
            client: self.client,
            scheme: self.scheme.filter(|_| self.scheme == other.scheme),
            authority: self.authority.filter(|_| self.authority == other.authority),
        }
    }
}

fn address_of(peer: &Peer) -> Option<IpAddr> {
    match peer {
        Peer::Ip(address) => Some(address.ip()),
        Peer::Unix => None,
    }
}

fn parse_network(word: &str) -> Result<IpNet, Error> {
    let network = IpNet::from_str(word).ok().or_else(|| IpAddr::from_str(word).ok().map(IpNet::from));
    network.map(canonical).ok_or_else(|| {
        Error::Invalid(format!(
            "`{word}` is no trusted proxy: give a network such as `10.0.0.0/8`, an address, or `unix`"
        ))
    })
}

/// An IPv4 network written in IPv6 is an IPv4 network, as peers are IPv4 peers: `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(wide) = network else { return network };
    let narrow = wide.addr().to_ipv4_mapped().zip(wide.prefix_len().checked_sub(96));
    narrow.and_then(|(address, bits)| Ipv4Net::new(address, bits).ok()).map_or(network, IpNet::V4)
}

/// The values of all fields of this name, which together are one list (RFC 9110 section 5.3). None without one.
fn lines<'b>(head: &Head<'b>, name: &str) -> Option<Vec<&'b str>> {
    let fields = head.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
    // A value that is no UTF-8 tells nothing, but it is there.
    let lines: Vec<_> = fields.map(|field| str::from_utf8(field.value).unwrap_or_default()).collect();
    (!lines.is_empty()).then_some(lines)
}

/// The entries of a list, the last ones if there are too many.
fn entries<'b>(head: &Head<'b>, name: &str) -> Vec<&'b str> {
    let lines = lines(head, name).unwrap_or_default();
    let mut entries: Vec<_> = lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX).collect();
    entries.reverse();
    entries.into_iter().map(|entry| entry.trim_matches([' ', '\t'])).collect()
}

/// Who connected to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Address(IpAddr),
    /// RFC 7239 section 6.3: `unknown`, or a name that only the proxy understands.
    Hidden,
}

/// RFC 7239 section 6, and an IPv6 address without brackets, as `X-Forwarded-For` has it.
fn parse_node(text: &str) -> Option<Node> {
    if text.eq_ignore_ascii_case("unknown") || is_obfuscated(text) {
        return Some(Node::Hidden);
    }
    let address = IpAddr::from_str(text).ok();
    let address = address.or_else(|| SocketAddr::from_str(text).ok().map(|address| address.ip()));
    let address = address.or_else(|| {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        Ipv6Addr::from_str(inner).ok().map(IpAddr::V6)
    });
    address.map(|address| Node::Address(address.to_canonical()))
}

/// RFC 7239 section 6.3.
fn is_obfuscated(text: &str) -> bool {
    text.strip_prefix('_').is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"._-".contains(&octet))
    })
}

fn parse_scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|scheme| scheme.eq_ignore_ascii_case(text))
}

/// One element of `Forwarded`.
#[derive(Clone, Copy, Debug)]
struct Hop<'b> {
    node: Node,
    scheme: Option<&'static str>,
    authority: Option<Authority<'b>>,
}

/// RFC 7239 section 4: elements between commas, pairs between semicolons, values that may be quoted.
fn parse_forwarded<'b>(lines: &[&'b str]) -> Option<Vec<Hop<'b>>> {
    let mut hops = Vec::new();
    for line in lines {
        let mut rest = *line;
        loop {
            let (hop, after) = parse_element(rest)?;
            hops.push(hop);
            if hops.len() > HOPS_MAX {
                return None;
            }
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None if after.is_empty() => break,
                None => return None,
            }
        }
    }
    Some(hops)
}

/// One element and what follows it. No parameter may stand twice; unknown ones are ignored.
fn parse_element(text: &str) -> Option<(Hop<'_>, &str)> {
    let (mut node, mut scheme, mut authority) = (None, None, None);
    let mut rest = text.trim_start_matches([' ', '\t']);
    loop {
        let (name, after) = split_token(rest)?;
        let (value, after) = split_value(after.strip_prefix('=')?)?;
        let repeated = match name.to_ascii_lowercase().as_str() {
            "for" => node.replace(parse_node(value)?).is_some(),
            "proto" => scheme.replace(parse_scheme(value)?).is_some(),
            "host" => authority.replace(Authority::parse(value.as_bytes())?).is_some(),
            _ => false,
        };
        if repeated {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t']);
        match rest.strip_prefix(';') {
            Some(next) => rest = next.trim_start_matches([' ', '\t']),
            None => return Some((Hop { node: node.unwrap_or(Node::Hidden), scheme, authority }, rest)),
        }
    }
}

/// A token and what follows it (RFC 9110 section 5.6.2).
fn split_token(text: &str) -> Option<(&str, &str)> {
    let is_token = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    let end = text.bytes().position(|octet| !is_token(octet)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A token or a quoted string and what follows it. No address, scheme or host needs an escape, so one is not read.
fn split_value(text: &str) -> Option<(&str, &str)> {
    let Some(quoted) = text.strip_prefix('"') else { return split_token(text) };
    let (value, rest) = quoted.split_once('"')?;
    (!value.contains('\\')).then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use dayfly_http1::{Field, Framing, Method};

    use super::*;

    fn trusted() -> TrustedProxies {
        TrustedProxies::parse(&["10.0.0.0/8", "fd00::/8", "192.0.2.1", "unix"]).expect("valid")
    }

    fn peer(address: &str) -> Peer {
        Peer::Ip(SocketAddr::new(address.parse().expect("an address"), 1234))
    }

    /// Client, scheme and host of a request with these fields.
    fn origin(peer: &Peer, fields: &[(&str, &str)]) -> (String, &'static str, String) {
        let fields: Vec<Field<'_>> =
            fields.iter().map(|(name, value)| Field { name, value: value.as_bytes() }).collect();
        let head = Head {
            method: Method::Get,
            path: "/",
            query: "",
            authority: "named:80",
            host: "named",
            fields: &fields,
            minor: 1,
            framing: Framing::Length(0),
            expects_continue: false,
            persistent: true,
        };
        let origin = trusted().origin(peer, &head);
        let client = origin.client.map_or("unknown".to_owned(), |client| client.to_string());
        (client, origin.scheme, origin.authority.host.to_owned())
    }

    fn client(value: &str) -> String {
        origin(&peer("10.0.0.1"), &[("X-Forwarded-For", value)]).0
    }

    fn standard(value: &str) -> (String, &'static str, String) {
        origin(&peer("10.0.0.1"), &[("Forwarded", value)])
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_says() {
        let fields = [
            ("Forwarded", "for=1.1.1.1;proto=https;host=evil"),
            ("X-Forwarded-For", "1.1.1.1"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "evil"),
        ];
        for address in ["9.9.9.9", "192.0.2.2", "fe80::1", "2001:db8::1"] {
            assert_eq!(origin(&peer(address), &fields), (address.to_owned(), "http", "named".to_owned()));
        }
    }

    #[test]
    fn nobody_is_trusted_by_default() {
        let nobody = TrustedProxies::default();
        assert!(!nobody.trust(&Peer::Unix) && !nobody.trust(&peer("127.0.0.1")) && !nobody.trust(&peer("::1")));
    }

    #[test]
    fn an_ipv4_network_may_be_written_in_ipv6() {
        let trusted = TrustedProxies::parse(&["::ffff:10.0.0.0/104", "::ffff:192.0.2.1"]).expect("valid");
        for (address, expected) in [("10.9.9.9", true), ("192.0.2.1", true), ("192.0.2.2", false), ("::a00:1", false)] {
            assert_eq!(trusted.trust(&peer(address)), expected, "{address}");
        }
        let all = TrustedProxies::parse(&["::ffff:0.0.0.0/96", "::/0"]).expect("valid");
        assert!(all.trust(&peer("9.9.9.9")) && all.trust(&peer("2001:db8::1")));
    }

    #[test]
    fn the_client_is_the_rightmost_untrusted_address() {
        assert_eq!(client("1.1.1.1"), "1.1.1.1");
        assert_eq!(client("6.6.6.6, 1.1.1.1"), "1.1.1.1");
        assert_eq!(client("6.6.6.6, 1.1.1.1, 10.1.1.1,10.2.2.2"), "1.1.1.1");
        assert_eq!(client("10.1.1.1"), "10.1.1.1");
        assert_eq!(client("10.3.3.3, 10.1.1.1"), "10.3.3.3");
        assert_eq!(client("1.1.1.1:99, 10.1.1.1:80"), "1.1.1.1");
        assert_eq!(client("2001:db8::1, fd00::1"), "2001:db8::1");
        assert_eq!(client("[2001:db8::1]:80, [fd00::1]"), "2001:db8::1");
        assert_eq!(client("::ffff:1.1.1.1"), "1.1.1.1");
    }

    #[test]
    fn an_entry_that_is_no_address_ends_the_walk() {
        for value in
            ["", ",", "1.1.1", "evil", "1.1.1.1 10.1.1.1", "1.1.1.1;x", "[1.1.1.1]", "[::1", "1.1.1.1:x", "6.6.6.6, x"]
        {
            assert_eq!(client(value), "unknown", "{value:?}");
            assert_eq!(client(&format!("{value},10.1.1.1")), "unknown", "{value:?}");
            assert_eq!(client(&format!("{value},1.1.1.1")), "1.1.1.1", "{value:?}");
        }
        assert_eq!(client(&"1.1.1.1,".repeat(1000)), "unknown");
        assert_eq!(client(&(",".repeat(1000) + "1.1.1.1")), "1.1.1.1");
    }

    #[test]
    fn forwarded_that_breaks_its_grammar_is_not_believed() {
        for value in [
            "",
            "for",
            "for=",
            "for=\"1.1.1.1",
            "for=1.1.1.1;",
            "for=1.1.1.1;;proto=http",
            "for=1.1.1.1,",
            "for=2001:db8::1",
            "for=1.1.1.1 proto=http",
            "for=1.1.1.1;for=2.2.2.2",
            "for=1.1.1.1;proto=gopher",
            "for=1.1.1.1;host=\"a b\"",
            "for =1.1.1.1",
            "for=\"1.1.\\1.1\"",
            "for=\", for=1.1.1.1",
        ] {
            assert_eq!(standard(value), ("unknown".to_owned(), "http", "named".to_owned()), "{value:?}");
        }
        assert_eq!(standard(&vec!["for=1.1.1.1"; 64].join(",")).0, "1.1.1.1");
        assert_eq!(standard(&vec!["for=1.1.1.1"; 65].join(",")).0, "unknown");
    }

    #[test]
    fn forwarded_tells_client_scheme_and_host_of_the_same_hop() {
        let told = |client: &str, scheme, host: &str| (client.to_owned(), scheme, host.to_owned());
        assert_eq!(standard("for=1.1.1.1"), told("1.1.1.1", "http", "named"));
        assert_eq!(standard("For=\"[2001:db8::1]:80\";Proto=HTTPS;HOST=\"a:8080\""), told("2001:db8::1", "https", "a"));
        assert_eq!(
            standard("for=6.6.6.6;host=evil, for=1.1.1.1;proto=https;host=a, for=10.1.1.1;proto=http;host=b"),
            told("1.1.1.1", "https", "a")
        );
        assert_eq!(standard("for=1.1.1.1 ; by=_x ; secret=\"y,;\""), told("1.1.1.1", "http", "named"));
        assert_eq!(standard("for=6.6.6.6, for=unknown;proto=https, for=10.1.1.1"), told("unknown", "https", "named"));
        assert_eq!(standard("for=_hidden"), told("unknown", "http", "named"));
        assert_eq!(standard("proto=https"), told("unknown", "https", "named"));
    }

    #[test]
    fn lists_may_stand_in_several_lines() {
        let fields = [("X-Forwarded-For", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1"), ("X-FORWARDED-FOR", "10.1.1.1")];
        assert_eq!(origin(&Peer::Unix, &fields).0, "1.1.1.1");
        assert_eq!(origin(&Peer::Unix, &[]).0, "unknown");
    }

    #[test]
    fn scheme_and_host_come_from_the_clients_hop_or_the_nearest_proxy() {
        let fields = [("X-Forwarded-For", "6.6.6.6, 1.1.1.1, 10.1.1.1"), ("X-Forwarded-Proto", "http, https, http")];
        assert_eq!(origin(&peer("10.0.0.1"), &fields).1, "https");
        let fields = [
            ("X-Forwarded-For", "6.6.6.6, 1.1.1.1"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "evil, a, b:80"),
        ];
        assert_eq!(origin(&peer("10.0.0.1"), &fields), ("1.1.1.1".to_owned(), "https", "b".to_owned()));
        let fields = [("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Host", "u@a")];
        assert_eq!(origin(&peer("10.0.0.1"), &fields), ("10.0.0.1".to_owned(), "http", "named".to_owned()));
    }

    #[test]
    fn of_two_families_only_what_both_say_is_believed() {
        let told = |standard, customary| {
            origin(
                &peer("10.0.0.1"),
                &[("Forwarded", standard), ("X-Forwarded-For", customary), ("X-Forwarded-Proto", "https")],
            )
        };
        assert_eq!(told("for=6.6.6.6;proto=https", "1.1.1.1"), ("unknown".to_owned(), "http", "named".to_owned()));
        assert_eq!(told("for=\"", "1.1.1.1"), ("unknown".to_owned(), "http", "named".to_owned()));
        assert_eq!(told("proto=https", "1.1.1.1"), ("unknown".to_owned(), "http", "named".to_owned()));
        assert_eq!(told("for=1.1.1.1;host=evil", "1.1.1.1"), ("1.1.1.1".to_owned(), "http", "named".to_owned()));
        assert_eq!(
            told("for=1.1.1.1;host=evil;proto=https", "1.1.1.1"),
            ("1.1.1.1".to_owned(), "https", "named".to_owned())
        );
    }

    #[test]
    fn forwarding_fields_are_known_by_name() {
        for name in [
            "Forwarded",
            "FORWARDED",
            "X-Forwarded-For",
            "x-forwarded-proto",
            "X-Forwarded-Prefix",
            "X-Real-IP",
            "CF-Connecting-IP",
        ] {
            assert!(is_forwarding_field(name), "{name}");
        }
        for name in ["Forward", "X-Forwarded", "X-Forward-For", "Host", "X-\u{e9}"] {
            assert!(!is_forwarding_field(name), "{name}");
        }
    }

    #[test]
    fn words_that_are_no_proxies_are_refused_by_name() {
        for word in ["", "10.0.0.0/33", "proxy.example", "10.0.0.0/8,unix", "UNIX"] {
            let error = TrustedProxies::parse(&[word]).expect_err("not valid").to_string();
            assert!(error.contains(&format!("`{word}`")), "{error}");
        }
    }

    #[test]
    fn no_client_can_make_itself_the_proxy() {
        let doubtful = ["for=\"", "for=unknown", "for=6.6.6.6", "for=10.0.0.1", &"for=6.6.6.6,".repeat(70)];
        for standard in doubtful {
            let fields = [("Forwarded", standard), ("X-Forwarded-For", "1.1.1.1")];
            assert_eq!(origin(&peer("10.0.0.1"), &fields).0, "unknown", "{standard}");
            let appended = format!("{standard}, for=1.1.1.1");
            let client = origin(&peer("10.0.0.1"), &[("Forwarded", &appended)]).0;
            assert!(["unknown", "1.1.1.1"].contains(&client.as_str()), "{appended}: {client}");
        }
        let silent = origin(&peer("10.0.0.1"), &[("X-Forwarded-Proto", "https")]);
        assert_eq!(silent.0, "10.0.0.1", "where nobody speaks of a client, the peer is the client");
    }

    /// Small random numbers, the same for the same seed.
    fn random(state: &mut u64, bound: usize) -> usize {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as usize % bound
    }

    /// A client may begin the list with anything that is grammatical; what trusted proxies append decides.
    #[test]
    fn no_client_can_choose_its_address() {
        let seed = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |time| u64::from(time.subsec_nanos()));
        println!("seed {seed}");
        let mut state = seed;
        for _ in 0..5_000 {
            let mut entries: Vec<String> = Vec::new();
            for _ in 0..random(&mut state, 4) {
                entries.push(["6.6.6.6", "10.6.6.6", "fd00::6", "unknown", "_x"][random(&mut state, 5)].to_owned());
            }
            let client = format!("1.1.1.{}", random(&mut state, 256));
            entries.push(client.clone());
            for _ in 0..random(&mut state, 4) {
                entries.push(format!("10.0.0.{}", random(&mut state, 256)));
            }
            let customary = entries.join(", ");
            let standard: Vec<_> = entries.iter().map(|entry| format!("for={}", quoted(entry))).collect();
            for fields in [[("X-Forwarded-For", customary.as_str())], [("Forwarded", standard.join(",").as_str())]] {
                assert_eq!(origin(&Peer::Unix, &fields).0, client, "seed {seed}: {fields:?}");
            }
        }
    }

    fn quoted(entry: &str) -> String {
        if entry.contains(':') { format!("\"[{entry}]\"") } else { entry.to_owned() }
    }

    #[test]
    fn random_octets_never_panic() {
        let mut state = 7;
        for _ in 0..20_000 {
            let alphabet = b"for=;,\"\\[]:.1a _-xproto";
            let value: String =
                (0..random(&mut state, 30)).map(|_| char::from(alphabet[random(&mut state, alphabet.len())])).collect();
            standard(&value);
            client(&value);
        }
    }
}
