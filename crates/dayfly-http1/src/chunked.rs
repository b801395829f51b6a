//! The chunked transfer coding (RFC 9112 section 7.1), decoded bit by bit into one buffer of content.

use crate::Rule;
use crate::lines::{Bounds, Found, Line, Section};
use crate::octets::is_token;
use crate::request::parse_fields;

/// Octets of one chunk-size line: a size of 16 digits and a signature as extension (the longest in use) fit three times.
const LINE_BYTES_MAX: usize = 256;
/// Octets of all chunk extensions of a message, so that tiny chunks cannot carry megabytes that nobody counts.
const EXTENSION_BYTES_MAX: usize = 4 << 10;
/// Digits of a chunk size: what 64 bits hold.
const SIZE_DIGITS_MAX: usize = 16;
const TRAILER_FIELDS_MAX: usize = 32;
const TRAILERS: Bounds = Bounds {
    bytes_max: 8 << 10,
    lines_max: TRAILER_FIELDS_MAX,
    too_long: Rule::TrailersTooLong,
    too_many: Rule::TrailersTooLong,
};
/// Fields that would change framing or routing after the fact (RFC 9110 section 6.5.1).
const TRAILERS_REFUSED: [&str; 4] = ["content-length", "transfer-encoding", "host", "trailer"];

/// A message's content on its way out of the coding.
#[derive(Debug)]
pub(crate) struct Chunked {
    place: Place,
    extension_bytes: usize,
    content_bytes_max: u64,
}

/// Where in the coding the next octet stands.
#[derive(Debug)]
enum Place {
    Size(Line),
    Data { bytes_left: u64 },
    DataEnd,
    Trailers(Section),
}

impl Chunked {
    pub(crate) fn new(content_bytes_max: u64) -> Chunked {
        Chunked { place: Place::Size(Line::default()), extension_bytes: 0, content_bytes_max }
    }

    /// Decodes what is there. Returns the octets used up, and whether the message is whole; octets not used up must be
    /// given again, followed by new ones.
    pub(crate) fn decode(&mut self, octets: &[u8], content: &mut Vec<u8>) -> Result<(usize, bool), Rule> {
        let mut used = 0;
        loop {
            let rest = &octets[used..];
            match &mut self.place {
                Place::Size(line) => match line.end(rest, LINE_BYTES_MAX)? {
                    Found::Open => return Ok((used, false)),
                    Found::TooLong => return Err(Rule::ChunkExtensionTooLong),
                    Found::End(bytes) => {
                        self.begin_chunk(&rest[..bytes - 2], content.len() as u64)?;
                        used += bytes;
                    }
                },
                Place::Data { bytes_left } => {
                    let bytes = usize::try_from(*bytes_left).map_or(rest.len(), |left| left.min(rest.len()));
                    content.extend_from_slice(&rest[..bytes]);
                    used += bytes;
                    *bytes_left -= bytes as u64;
                    if *bytes_left > 0 {
                        return Ok((used, false));
                    }
                    self.place = Place::DataEnd;
                }
                Place::DataEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        used += 2;
                        self.place = Place::Size(Line::default());
                    }
                    [] | [b'\r'] => return Ok((used, false)),
                    _ => return Err(Rule::ChunkEnd),
                },
                Place::Trailers(section) => {
                    let Some(bytes) = section.end(rest, &TRAILERS)? else { return Ok((used, false)) };
                    check_trailers(&rest[..bytes])?;
                    return Ok((used + bytes, true));
                }
            }
        }
    }

    /// Reads a chunk-size line without its end.
    fn begin_chunk(&mut self, line: &[u8], content_bytes: u64) -> Result<(), Rule> {
        let digits = line.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
        if digits == 0 || digits > SIZE_DIGITS_MAX {
            return Err(Rule::ChunkSize);
        }
        let (size, extensions) = line.split_at(digits);
        if !are_extensions(extensions) {
            return Err(Rule::ChunkExtension);
        }
        self.extension_bytes += extensions.len();
        if self.extension_bytes > EXTENSION_BYTES_MAX {
            return Err(Rule::ChunkExtensionTooLong);
        }
        let bytes = size.iter().fold(0u64, |sum, &digit| sum << 4 | u64::from(hex_value(digit)));
        if bytes > self.content_bytes_max - content_bytes {
            return Err(Rule::ContentTooLarge);
        }
        self.place = if bytes == 0 { Place::Trailers(Section::default()) } else { Place::Data { bytes_left: bytes } };
        Ok(())
    }
}

/// The value of a hexadecimal digit.
fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// RFC 9112 section 7.1.1: `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`. Valid ones are ignored.
fn are_extensions(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        match skip_extension(rest) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

fn skip_extension(octets: &[u8]) -> Option<&[u8]> {
    let name = skip_white_space(octets).strip_prefix(b";")?;
    let after_name = skip_token(skip_white_space(name))?;
    let Some(value) = skip_white_space(after_name).strip_prefix(b"=") else { return Some(after_name) };
    let value = skip_white_space(value);
    value.strip_prefix(b"\"").map_or_else(|| skip_token(value), skip_quoted)
}

fn skip_white_space(octets: &[u8]) -> &[u8] {
    &octets[octets.iter().take_while(|&&octet| octet == b' ' || octet == b'\t').count()..]
}

fn skip_token(octets: &[u8]) -> Option<&[u8]> {
    let bytes = octets.iter().take_while(|&&octet| is_token(octet)).count();
    (bytes > 0).then(|| &octets[bytes..])
}

/// RFC 9110 section 5.6.4, after the opening quote.
fn skip_quoted(mut octets: &[u8]) -> Option<&[u8]> {
    loop {
        octets = match octets {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'\t' | b' '..=b'~' | 0x80.., rest @ ..]
            | [b'\t' | b' '..=b'[' | b']'..=b'~' | 0x80.., rest @ ..] => rest,
            _ => return None,
        };
    }
}

/// Trailer fields are checked and dropped (RFC 9110 section 6.5.1).
fn check_trailers(section: &[u8]) -> Result<(), Rule> {
    let mut slots = [httparse::EMPTY_HEADER; TRAILER_FIELDS_MAX];
    let fields = parse_fields(section, &mut slots)?;
    let refused = |name: &str| TRAILERS_REFUSED.iter().any(|refused| refused.eq_ignore_ascii_case(name));
    if fields.iter().any(|field| refused(field.name)) { Err(Rule::TrailerRefused) } else { Ok(()) }
}
