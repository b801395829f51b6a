//! Every rule of RFC 9110 and RFC 9112 that is decided here, as cases. Each is fed whole, octet by octet, and split in two
//! at every place; the answers must be the same.
#![allow(missing_docs, reason = "tests")]

mod support;

use std::collections::HashSet;

use dayfly_http1::{FIELD_BYTES_MAX, FIELDS_MAX, Rule, TARGET_BYTES_MAX};
use support::{expand, parts, whole};

/// Message, answers.
type Case = (&'static str, &'static str);

#[rustfmt::skip]
const REQUEST_LINE: &[Case] = &[
    // RFC 9112 section 3
    ("GET / HTTP/1.1~{H}~", "200 GET / a"),
    ("GET  / HTTP/1.1~{H}~", "400 target_octet!"),
    ("GET / HTTP/1.1 ~{H}~", "400 version_syntax!"),
    ("GET / HTTP/1.1\t~{H}~", "400 version_syntax!"),
    ("GET /a b HTTP/1.1~{H}~", "400 target_octet!"),
    ("GET\t/ HTTP/1.1~{H}~", "400 request_line!"),
    ("GET /~{H}~", "400 request_line!"),
    ("GET~{H}~", "400 request_line!"),
    ("GET / ~{H}~", "400 version_syntax!"),
    (" GET / HTTP/1.1~{H}~", "400 not_http!"),
    ("\tGET / HTTP/1.1~{H}~", "400 not_http!"),
    ("\x16\x03\x01\x02", "400 not_http!"),
    ("\rGET / HTTP/1.1~{H}~", "400 bare_cr!"),
    ("\nGET / HTTP/1.1~{H}~", "400 bare_lf!"),
    ("\0", "400 not_http!"),
    // RFC 9112 section 2.2
    ("~GET / HTTP/1.1~{H}~", "200 GET / a"),
    ("~~GET / HTTP/1.1~{H}~", "400 empty_lines!"),
    ("GET / HTTP/1.1~{H}~~GET /b HTTP/1.1~{H}~", "200 GET / a|200 GET /b a"),
    ("GET / HTTP/1.1~{H}~~~GET /b HTTP/1.1~{H}~", "200 GET / a|400 empty_lines!"),
    // RFC 9112 section 2.3, RFC 9110 section 2.5
    ("GET / HTTP/1.2~{H}~", "200 GET / a"),
    ("GET / HTTP/1.9~{H}~", "200 GET / a"),
    ("GET / HTTP/2.0~{H}~", "505 version_unsupported!"),
    ("PRI * HTTP/2.0~~SM~~", "505 version_unsupported!"),
    ("GET / HTTP/0.9~{H}~", "505 version_unsupported!"),
    ("GET / HTTP/3.1~{H}~", "505 version_unsupported!"),
    ("GET / http/1.1~{H}~", "400 version_syntax!"),
    ("GET / HTTP/1.10~{H}~", "400 version_syntax!"),
    ("GET / HTTP/01.1~{H}~", "400 version_syntax!"),
    ("GET / HTTP/1,1~{H}~", "400 version_syntax!"),
    ("GET / HTTP/1.~{H}~", "400 version_syntax!"),
    ("GET / HTTP/x.1~{H}~", "400 version_syntax!"),
    ("GET / HTTPS/1.1~{H}~", "400 version_syntax!"),
    ("GET / ICE/1.0~{H}~", "400 version_syntax!"),
];

#[rustfmt::skip]
const METHODS: &[Case] = &[
    // RFC 9110 section 9
    ("POST /p HTTP/1.1~{H}Content-Length: 1~~x", "200 POST /p a x"),
    ("PUT /p HTTP/1.1~{H}Content-Length: 1~~x", "200 PUT /p a x"),
    ("PATCH /p HTTP/1.1~{H}Content-Length: 1~~x", "200 PATCH /p a x"),
    ("DELETE /p HTTP/1.1~{H}~", "200 DELETE /p a"),
    ("OPTIONS /p HTTP/1.1~{H}~", "200 OPTIONS /p a"),
    ("HEAD / HTTP/1.1~{H}~GET / HTTP/1.1~{H}~", "200|200 GET / a"),
    ("BREW / HTTP/1.1~{H}~", "501 method_unknown!"),
    ("PROPFIND / HTTP/1.1~{H}~", "501 method_unknown!"),
    ("get / HTTP/1.1~{H}~", "501 method_unknown!"),
    ("GETS / HTTP/1.1~{H}~", "501 method_unknown!"),
    ("G(T / HTTP/1.1~{H}~", "400 method_syntax!"),
    ("G\u{e9}T / HTTP/1.1~{H}~", "400 method_syntax!"),
    ("GET\0 / HTTP/1.1~{H}~", "400 method_syntax!"),
    ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1~{H}~", "501 method_too_long!"),
    ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1~{H}~", "501 method_unknown!"),
    // RFC 9110 sections 9.3.6 and 9.3.8
    ("TRACE / HTTP/1.1~{H}~", "405 method_refused!"),
    ("TRACE x HTTP/1.1~{H}~", "400 target_form!"),
    ("CONNECT a:80 HTTP/1.1~{H}~", "405 method_refused!"),
    ("CONNECT a HTTP/1.1~{H}~", "400 target_form!"),
    ("CONNECT a: HTTP/1.1~{H}~", "400 target_form!"),
    ("CONNECT / HTTP/1.1~{H}~", "400 target_form!"),
    ("CONNECT http://a:80/ HTTP/1.1~{H}~", "400 target_form!"),
];

#[rustfmt::skip]
const TARGETS: &[Case] = &[
    // RFC 9112 section 3.2.1
    ("GET /a/../b//c;d?e=f&g?h HTTP/1.1~{H}~", "200 GET /a/../b//c;d?e=f&g?h a"),
    ("GET //b/c HTTP/1.1~{H}~", "200 GET //b/c a"),
    ("GET /? HTTP/1.1~{H}~", "200 GET / a"),
    ("GET /%zz?q={|}&r=[1]^`\\ HTTP/1.1~{H}~", "200 GET /%zz?q={|}&r=[1]^`\\ a"),
    ("GET /a#b HTTP/1.1~{H}~", "400 target_octet!"),
    ("GET /\u{e9} HTTP/1.1~{H}~", "400 target_octet!"),
    ("GET /\0 HTTP/1.1~{H}~", "400 target_octet!"),
    ("GET /\x7f HTTP/1.1~{H}~", "400 target_octet!"),
    ("GET /<a> HTTP/1.1~{H}~", "400 target_octet!"),
    ("GET /\"a\" HTTP/1.1~{H}~", "400 target_octet!"),
    ("GET /\ra HTTP/1.1~{H}~", "400 bare_cr!"),
    ("GET a/b HTTP/1.1~{H}~", "400 target_form!"),
    ("GET ?a HTTP/1.1~{H}~", "400 target_form!"),
    // RFC 9112 section 3.2.2: the authority of the target, not the Host field, names the host
    ("GET http://b/x?y HTTP/1.1~{H}~", "200 GET /x?y b"),
    ("GET HTTPS://b:443 HTTP/1.1~{H}~", "200 GET / b:443"),
    ("GET http://b?y HTTP/1.1~{H}~", "200 GET /?y b"),
    ("GET http://b/x HTTP/1.1~~", "400 host_missing!"),
    ("GET ftp://b/ HTTP/1.1~{H}~", "400 target_form!"),
    ("GET http:/b HTTP/1.1~{H}~", "400 target_form!"),
    ("GET http:///x HTTP/1.1~{H}~", "400 host_invalid!"),
    ("GET http://u@b/ HTTP/1.1~{H}~", "400 host_invalid!"),
    ("GET http://b:x/ HTTP/1.1~{H}~", "400 host_invalid!"),
    // RFC 9112 section 3.2.3: for CONNECT only
    ("GET b:80 HTTP/1.1~{H}~", "400 target_form!"),
    // RFC 9112 section 3.2.4: for OPTIONS only, and it asks the server, not a tenant (RFC 9110 section 9.3.7)
    ("OPTIONS * HTTP/1.1~{H}~GET / HTTP/1.1~{H}~", "204|200 GET / a"),
    ("OPTIONS * HTTP/1.1~{H}Content-Length: 1~~x", "413 content_too_large!"),
    ("OPTIONS * HTTP/1.1~{H}Transfer-Encoding: chunked~~0~~", "204"),
    ("OPTIONS *a HTTP/1.1~{H}~", "400 target_form!"),
    ("GET * HTTP/1.1~{H}~", "400 target_form!"),
];

#[rustfmt::skip]
const HOSTS: &[Case] = &[
    // RFC 9112 section 3.2, RFC 9110 section 7.2
    ("GET / HTTP/1.1~~", "400 host_missing!"),
    ("GET / HTTP/1.1~X: y~~", "400 host_missing!"),
    ("GET / HTTP/1.1~Host: a~Host: a~~", "400 host_repeated!"),
    ("GET / HTTP/1.1~Host: a~hOST: b~~", "400 host_repeated!"),
    ("GET / HTTP/1.1~Host: a, b~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: a,b~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: a b~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: u@a~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host:~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: a/b~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: a?b~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: a#b~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: http://a~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: \u{e9}~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: a_b.c-d.~~", "200 GET / a_b.c-d."),
    ("GET / HTTP/1.1~Host: 127.0.0.1~~", "200 GET / 127.0.0.1"),
    ("GET / HTTP/1.1~Host: a%20b~~", "200 GET / a%20b"),
    ("GET / HTTP/1.1~Host: a%2~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: a%2g~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: a:80~~", "200 GET / a:80"),
    ("GET / HTTP/1.1~Host: a:~~", "200 GET / a:"),
    ("GET / HTTP/1.1~Host: a:65535~~", "200 GET / a:65535"),
    ("GET / HTTP/1.1~Host: a:65536~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: a:000080~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: a:8x~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: a:-1~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: a:b:80~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: :80~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: [::1]:80~~", "200 GET / [::1]:80"),
    ("GET / HTTP/1.1~Host: [::ffff:1.2.3.4]~~", "200 GET / [::ffff:1.2.3.4]"),
    ("GET / HTTP/1.1~Host: [::1~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: ::1~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: [::g]~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: [::1]x~~", "400 host_invalid!"),
    ("GET / HTTP/1.1~Host: [fe80::1%25eth0]~~", "400 host_invalid!"),
    ("GET / HTTP/1.0~~", "200 GET /!"),
    ("GET / HTTP/1.0~{H}~", "200 GET / a!"),
    ("GET / HTTP/1.0~Host: a~Host: a~~", "400 host_repeated!"),
    ("GET / HTTP/1.0~Host: a b~~", "400 host_invalid!"),
];

#[rustfmt::skip]
const FIELDS: &[Case] = &[
    // RFC 9112 section 5, RFC 9110 section 5
    ("GET / HTTP/1.1~{H}X: a\tb \u{e9}~~", "200 GET / a"),
    ("GET / HTTP/1.1~{H}X:~~", "200 GET / a"),
    ("GET / HTTP/1.1~{H}X:a~~", "200 GET / a"),
    ("GET / HTTP/1.1~{H}X: \t a \t ~~", "200 GET / a"),
    ("GET / HTTP/1.1~{H}!#$%&'*+-.^_`|0: a~~", "200 GET / a"),
    ("GET / HTTP/1.1~{H}X : a~~", "400 field_name!"),
    ("GET / HTTP/1.1~{H}X\t: a~~", "400 field_name!"),
    ("GET / HTTP/1.1~{H}X~~", "400 field_name!"),
    ("GET / HTTP/1.1~{H}: a~~", "400 field_name!"),
    ("GET / HTTP/1.1~{H}X(: a~~", "400 field_name!"),
    ("GET / HTTP/1.1~{H}\u{e9}: a~~", "400 field_name!"),
    ("GET / HTTP/1.1~{H}X\0: a~~", "400 field_name!"),
    ("GET / HTTP/1.1~{H}X: a\0b~~", "400 field_value!"),
    ("GET / HTTP/1.1~{H}X: a\x01b~~", "400 field_value!"),
    ("GET / HTTP/1.1~{H}X: a\x0bb~~", "400 field_value!"),
    ("GET / HTTP/1.1~{H}X: a\x1bb~~", "400 field_value!"),
    ("GET / HTTP/1.1~{H}X: a\x7fb~~", "400 field_value!"),
    // RFC 9112 section 5.2
    ("GET / HTTP/1.1~{H}X: a~ b~~", "400 field_folded!"),
    ("GET / HTTP/1.1~{H}X: a~\tb~~", "400 field_folded!"),
    ("GET / HTTP/1.1~{H}X: a~ ~~", "400 field_folded!"),
    ("GET / HTTP/1.1~ X: a~{H}~", "400 field_folded!"),
    ("GET / HTTP/1.1~ Host: a~~", "400 field_folded!"),
    // RFC 9112 section 2.2
    ("GET / HTTP/1.1~{H}X: a\rb~~", "400 bare_cr!"),
    ("GET / HTTP/1.1~{H}X: a\nY: b~~", "400 bare_lf!"),
    ("GET / HTTP/1.1~{H}X: a~\n", "400 bare_lf!"),
    ("GET / HTTP/1.1\nHost: a\n\n", "400 bare_lf!"),
    ("GET / HTTP/1.1\r\r\nHost: a~~", "400 bare_cr!"),
    ("GET / HTTP/1.1~Host: a\r\r\n~", "400 bare_cr!"),
    ("GET / HTTP/1.1~Host: a~\r\r\n", "400 bare_cr!"),
];

#[rustfmt::skip]
const LENGTHS: &[Case] = &[
    // RFC 9110 section 8.6, RFC 9112 section 6.3
    ("POST / HTTP/1.1~{H}Content-Length: 3~~abcGET / HTTP/1.1~{H}~", "200 POST / a abc|200 GET / a"),
    ("POST / HTTP/1.1~{H}content-LENGTH: 003~~abc", "200 POST / a abc"),
    ("GET / HTTP/1.1~{H}Content-Length: 1~~x", "200 GET / a x"),
    ("POST / HTTP/1.1~{H}Content-Length: 0~~GET / HTTP/1.1~{H}~", "200 POST / a|200 GET / a"),
    ("POST / HTTP/1.1~{H}~GET / HTTP/1.1~{H}~", "200 POST / a|200 GET / a"),
    ("POST / HTTP/1.1~{H}Content-Length: +3~~abc", "400 length_syntax!"),
    ("POST / HTTP/1.1~{H}Content-Length: 0x3~~abc", "400 length_syntax!"),
    ("POST / HTTP/1.1~{H}Content-Length: -1~~", "400 length_syntax!"),
    ("POST / HTTP/1.1~{H}Content-Length: 3.0~~abc", "400 length_syntax!"),
    ("POST / HTTP/1.1~{H}Content-Length: 3 3~~abc", "400 length_syntax!"),
    ("POST / HTTP/1.1~{H}Content-Length: 3_0~~abc", "400 length_syntax!"),
    ("POST / HTTP/1.1~{H}Content-Length: 3;~~abc", "400 length_syntax!"),
    ("POST / HTTP/1.1~{H}Content-Length: \u{ff15}~~", "400 length_syntax!"),
    ("POST / HTTP/1.1~{H}Content-Length:~~", "400 length_syntax!"),
    ("POST / HTTP/1.1~{H}Content-Length: 3, 3~~abc", "400 length_syntax!"),
    ("POST / HTTP/1.1~{H}Content-Length: 3~Content-Length: 3~~abc", "400 length_repeated!"),
    ("POST / HTTP/1.1~{H}Content-Length: 3~Content-Length: 4~~abc", "400 length_repeated!"),
    ("POST / HTTP/1.1~{H}Content-Length: 1048577~~", "413 content_too_large!"),
    ("POST / HTTP/1.1~{H}Content-Length: 18446744073709551619~~abc", "413 content_too_large!"),
    ("POST /small HTTP/1.1~{H}Content-Length: 8~~12345678", "200 POST /small a 12345678"),
    ("POST /small HTTP/1.1~{H}Content-Length: 9~~123456789", "413 content_too_large!"),
    ("POST / HTTP/1.1~{H}Content-Length: 3~Transfer-Encoding: chunked~~0~~", "400 length_and_coding!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: chunked~Content-Length: 3~~0~~", "400 length_and_coding!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: chunked~Content-Length: 0~~0~~", "400 length_and_coding!"),
];

#[rustfmt::skip]
const CODINGS: &[Case] = &[
    // RFC 9112 section 6.1
    ("POST / HTTP/1.1~{H}Transfer-Encoding: chunked~~3~abc~0~~GET / HTTP/1.1~{H}~", "200 POST / a abc|200 GET / a"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: CHUNKED~~3~abc~2~de~0~~", "200 POST / a abcde"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: chunked, chunked~~0~~", "400 coding_syntax!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: chunked~Transfer-Encoding: chunked~~0~~", "400 coding_syntax!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: gzip~Transfer-Encoding: chunked~~0~~", "400 coding_syntax!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: gzip, chunked~~0~~", "501 coding_unknown!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: chunked, gzip~~0~~", "400 coding_syntax!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: chunked, identity~~0~~", "400 coding_syntax!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: identity~~", "400 coding_syntax!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: gzip~~", "400 coding_syntax!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: \"chunked\"~~0~~", "400 coding_syntax!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: xchunked~~0~~", "400 coding_syntax!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: chunked;a=b~~0~~", "400 coding_syntax!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: chunked,~~0~~", "400 coding_syntax!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding:~~0~~", "400 coding_syntax!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: \x0bchunked~~0~~", "400 field_value!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding: ~ chunked~~0~~", "400 field_folded!"),
    ("POST / HTTP/1.1~{H}Transfer-Encoding : chunked~~0~~", "400 field_name!"),
    ("POST / HTTP/1.0~{H}Transfer-Encoding: chunked~~0~~", "400 coding_version!"),
    ("GET / HTTP/1.1~{H}Transfer-Encoding: chunked~~1~x~0~~", "200 GET / a x"),
];

#[rustfmt::skip]
const CHUNKS: &[Case] = &[
    // RFC 9112 section 7.1; each is content after `Transfer-Encoding: chunked`
    ("0003~abc~000~~", "200 POST / a abc"),
    ("A~0123456789~a~0123456789~0~~", "200 POST / a 01234567890123456789"),
    ("0~~", "200 POST / a"),
    ("0000000000000003~abc~0~~", "200 POST / a abc"),
    ("00000000000000003~abc~0~~", "400 chunk_size!"),
    ("3 ~abc~0~~", "400 chunk_extension!"),
    (" 3~abc~0~~", "400 chunk_size!"),
    ("0x3~abc~0~~", "400 chunk_extension!"),
    ("-1~abc~0~~", "400 chunk_size!"),
    ("+3~abc~0~~", "400 chunk_size!"),
    ("3_0~abc~0~~", "400 chunk_extension!"),
    ("g~abc~0~~", "400 chunk_size!"),
    ("~abc~0~~", "400 chunk_size!"),
    (";a~abc~0~~", "400 chunk_size!"),
    ("3\nabc~0~~", "400 bare_lf!"),
    ("3\rabc~0~~", "400 bare_cr!"),
    ("3\r\r\nabc~0~~", "400 bare_cr!"),
    ("3~abcd~0~~", "400 chunk_end!"),
    ("3~ab~0~~", "400 chunk_end!"),
    ("3~abc\n0~~", "400 chunk_end!"),
    ("3~abc\r\r\n0~~", "400 chunk_end!"),
    ("3~abc0~~", "400 chunk_end!"),
    ("100001~", "413 content_too_large!"),
    ("ffffffffffffffff~", "413 content_too_large!"),
    ("3~abc~ffffffffffffffff~", "413 content_too_large!"),
    ("3~abc~fffffffffffffffd~", "413 content_too_large!"),
    // RFC 9112 section 7.1.1
    ("3;x;y=z;q=\"a;\\\"b\"~abc~0;e~~", "200 POST / a abc"),
    ("3 ; x = y~abc~0 ; e~~", "200 POST / a abc"),
    ("3;~abc~0~~", "400 chunk_extension!"),
    ("3;=a~abc~0~~", "400 chunk_extension!"),
    ("3;x=~abc~0~~", "400 chunk_extension!"),
    ("3;x=\"a~abc~0~~", "400 chunk_extension!"),
    ("3;x=\"a\"b~abc~0~~", "400 chunk_extension!"),
    ("3;x ~abc~0~~", "400 chunk_extension!"),
    ("3;x=\"\0\"~abc~0~~", "400 chunk_extension!"),
    ("3;a\nb~abc~0~~", "400 bare_lf!"),
    // RFC 9112 section 7.1.2, RFC 9110 section 6.5.1
    ("3~abc~0~T: v~U: w~~GET / HTTP/1.1~{H}~", "200 POST / a abc|200 GET / a"),
    ("0~T : v~~", "400 field_name!"),
    ("0~T~~", "400 field_name!"),
    ("0~T: \0~~", "400 field_value!"),
    ("0~T: v~ w~~", "400 field_folded!"),
    ("0~T: a\nb~~", "400 bare_lf!"),
    ("0~T: a\rb~~", "400 bare_cr!"),
    ("0~Content-Length: 5~~", "400 trailer_refused!"),
    ("0~transfer-encoding: chunked~~", "400 trailer_refused!"),
    ("0~Host: b~~", "400 trailer_refused!"),
    ("0~Trailer: x~~", "400 trailer_refused!"),
];

#[rustfmt::skip]
const CONNECTIONS: &[Case] = &[
    // RFC 9112 section 9.3
    ("GET / HTTP/1.0~Connection: keep-alive~~GET / HTTP/1.0~~", "200 GET /|200 GET /!"),
    ("GET / HTTP/1.0~Connection: Keep-Alive, x~~", "200 GET /"),
    ("GET / HTTP/1.1~{H}Connection: close~~GET / HTTP/1.1~{H}~", "200 GET / a!"),
    ("GET / HTTP/1.1~{H}Connection: x, CLOSE~~", "200 GET / a!"),
    ("GET / HTTP/1.1~{H}Connection: close, keep-alive~~", "200 GET / a!"),
    ("GET / HTTP/1.1~{H}Connection: x~Connection: close~~", "200 GET / a!"),
    ("GET / HTTP/1.1~{H}Connection: closed~~", "200 GET / a"),
    ("GET /last HTTP/1.1~{H}~GET / HTTP/1.1~{H}~", "200 last!"),
    // RFC 9112 section 9.3.2: a bad message after good ones gets the one answer that is due, and nothing follows it
    ("GET / HTTP/1.1~{H}~BAD~~GET / HTTP/1.1~{H}~", "200 GET / a|400 request_line!"),
    ("POST / HTTP/1.1~{H}Content-Length: 1~~xGET /?GET / HTTP/1.1~{H}~", "200 POST / a x|400 target_octet!"),
    // RFC 9110 section 7.8: Upgrade is ignored
    ("GET / HTTP/1.1~{H}Connection: Upgrade, HTTP2-Settings~Upgrade: h2c~HTTP2-Settings: AA~~", "200 GET / a"),
    ("GET / HTTP/1.1~{H}Connection: Upgrade~Upgrade: websocket~~", "200 GET / a"),
    // RFC 9110 section 10.1.1
    ("POST / HTTP/1.1~{H}Content-Length: 3~Expect: 200-ok~~abc", "417 expectation!"),
    ("POST / HTTP/1.1~{H}Content-Length: 3~Expect: 100-continue, x~~abc", "417 expectation!"),
    ("POST / HTTP/1.0~Content-Length: 3~Expect: 100-continue~~abc", "200 POST /  abc!"),
    ("POST / HTTP/1.0~Content-Length: 3~Expect: x~~abc", "200 POST /  abc!"),
    ("GET / HTTP/1.1~{H}Expect: 100-continue~~", "200 GET / a"),
    ("POST /closed HTTP/1.1~{H}Content-Length: 3~Expect: 100-continue~~", "403 closed!"),
    ("POST /closed HTTP/1.1~{H}Content-Length: 3~~abc", "403 closed!"),
    ("POST /closed HTTP/1.1~{H}Transfer-Encoding: chunked~~0~~", "403 closed!"),
    ("GET /closed HTTP/1.1~{H}~", "200 GET /closed a"),
    // RFC 9110 section 15: answers without content
    ("GET /none HTTP/1.1~{H}~GET / HTTP/1.1~{H}~", "204|200 GET / a"),
    ("GET /reset HTTP/1.1~{H}~GET / HTTP/1.1~{H}~", "205|200 GET / a"),
    ("GET /same HTTP/1.1~{H}~GET / HTTP/1.1~{H}~", "304|200 GET / a"),
];

fn cases() -> Vec<(Vec<u8>, &'static str)> {
    let plain = [REQUEST_LINE, METHODS, TARGETS, HOSTS, FIELDS, LENGTHS, CODINGS, CONNECTIONS].concat();
    let chunked = CHUNKS.iter().map(|(content, answers)| {
        (expand(&format!("POST / HTTP/1.1~{{H}}Transfer-Encoding: chunked~~{content}")), *answers)
    });
    plain.into_iter().map(|(message, answers)| (expand(message), answers)).chain(chunked).collect()
}

#[test]
fn every_case_gets_its_answers_however_it_is_split() {
    let mut wrong = Vec::new();
    for (message, answers) in cases() {
        let mut check = |how: &str, got: String| {
            if got != answers {
                wrong.push(format!("{how}: {:?}\n  want {answers}\n  got  {got}", String::from_utf8_lossy(&message)));
            }
        };
        check("whole", whole(&message).answers());
        check("octets", parts(message.chunks(1)).answers());
        for place in 1..message.len() {
            check("halves", parts([&message[..place], &message[place..]]).answers());
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// What comes after the answer to a bad message is dropped, whatever it is.
#[test]
fn a_bad_message_gets_exactly_one_answer() {
    for (message, answers) in cases().into_iter().filter(|(_, answers)| answers.ends_with('!')) {
        let marked = [message.as_slice(), &expand("GET /marker HTTP/1.1~{H}~")].concat();
        let dialog = parts([&message[..], &marked[message.len()..]]);
        assert_eq!(dialog.answers(), answers);
        assert!(!dialog.connection.wants_turn());
    }
}

#[test]
fn every_rule_has_a_case() {
    // These need more octets or more time than a table row has; see `connection.rs`.
    let elsewhere = [
        Rule::TargetTooLong,
        Rule::FieldsTooLong,
        Rule::FieldsTooMany,
        Rule::ChunkExtensionTooLong,
        Rule::TrailersTooLong,
        Rule::Incomplete,
        Rule::NoRoom,
        Rule::HeadTimeout,
        Rule::ContentTimeout,
    ];
    let mut met: HashSet<Rule> = elsewhere.into();
    for (message, _) in cases() {
        met.extend(whole(&message).handler.rules);
    }
    let missing: Vec<_> = Rule::ALL.iter().filter(|rule| !met.contains(rule)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn rules_have_distinct_names_and_whole_facts() {
    let names: HashSet<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    assert_eq!(names.len(), Rule::ALL.len());
    for rule in Rule::ALL {
        assert!((400..600).contains(&rule.status()) && !dayfly_http1::reason(rule.status()).is_empty());
        assert!(rule.section().starts_with("RFC "));
        // It stands in JSON as it is.
        assert!(rule.text().chars().all(|character| character.is_ascii_graphic() || character == ' '));
        assert!(!rule.text().contains(['"', '\\']));
    }
    assert!(Rule::TargetTooLong.text().contains(&TARGET_BYTES_MAX.to_string()));
    assert!(Rule::FieldsTooLong.text().contains(&FIELD_BYTES_MAX.to_string()));
    assert!(Rule::FieldsTooMany.text().contains(&FIELDS_MAX.to_string()));
}
