//! Finds the ends of lines in octets that arrive bit by bit, and goes on where it stopped.
//!
//! Every check here fires at a fixed place in the stream, so the verdict never depends on how the octets were split.

use memchr::memchr2;

use crate::Rule;

/// Looks for the end of one line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line {
    scanned: usize,
}

/// What `Line::end` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The line with its CRLF takes so many octets.
    End(usize),
    /// Its end is not there yet.
    Open,
    /// It is longer than allowed.
    TooLong,
}

impl Line {
    /// RFC 9112 section 2.2: a line ends in CRLF; a CR or LF of its own is refused, not mended.
    pub(crate) fn end(&mut self, octets: &[u8], bytes_max: usize) -> Result<Found, Rule> {
        let place = memchr2(b'\r', b'\n', &octets[self.scanned..]).map(|distance| self.scanned + distance);
        self.scanned = place.unwrap_or(octets.len());
        // How many octets it takes to know, and what is known then.
        let (known_at, verdict) = match (place, octets.get(self.scanned + 1)) {
            (Some(cr), Some(b'\n')) if octets[cr] == b'\r' => (cr + 2, Ok(Found::End(cr + 2))),
            (Some(cr), Some(_)) if octets[cr] == b'\r' => (cr + 2, Err(Rule::BareCr)),
            (Some(lf), _) if octets[lf] == b'\n' => (lf + 1, Err(Rule::BareLf)),
            _ => (octets.len(), Ok(Found::Open)),
        };
        if known_at > bytes_max { Ok(Found::TooLong) } else { verdict }
    }
}

/// Bounds of a section of field lines, and the rules that say so.
pub(crate) struct Bounds {
    pub(crate) bytes_max: usize,
    pub(crate) lines_max: usize,
    pub(crate) too_long: Rule,
    pub(crate) too_many: Rule,
}

/// Looks for the empty line that ends a section of field lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Section {
    start: usize,
    line: Line,
    /// Lines found so far, without the empty one.
    pub(crate) lines: usize,
}

impl Section {
    /// The octets that the section takes with its empty line, once that is there. `octets` begin with the section.
    pub(crate) fn end(&mut self, octets: &[u8], bounds: &Bounds) -> Result<Option<usize>, Rule> {
        loop {
            match self.line.end(&octets[self.start..], bounds.bytes_max - self.start)? {
                Found::Open => return Ok(None),
                Found::TooLong => return Err(bounds.too_long),
                Found::End(2) => return Ok(Some(self.start + 2)),
                Found::End(bytes) => {
                    self.start += bytes;
                    self.line = Line::default();
                    self.lines += 1;
                    if self.lines > bounds.lines_max {
                        return Err(bounds.too_many);
                    }
                }
            }
        }
    }
}
