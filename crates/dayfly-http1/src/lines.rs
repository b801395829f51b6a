//! Finds the ends of lines in octets that arrive bit by bit, and goes on where it stopped.
//!
//! Every check here fires at a fixed place in the stream, so the verdict never depends on how the octets were split.

use memchr::memchr;

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
    /// RFC 9112 section 2.2: a line ends in CRLF, and an LF without CR is refused, not mended.
    /// A CR without LF is refused by whoever reads the line, since no part of a message may have one.
    pub(crate) fn end(&mut self, octets: &[u8], bytes_max: usize) -> Result<Found, Rule> {
        let Some(distance) = memchr(b'\n', &octets[self.scanned..]) else {
            self.scanned = octets.len();
            return Ok(if octets.len() > bytes_max { Found::TooLong } else { Found::Open });
        };
        let lf = self.scanned + distance;
        if lf + 1 > bytes_max {
            return Ok(Found::TooLong);
        }
        if lf == 0 || octets[lf - 1] != b'\r' {
            return Err(Rule::BareLf);
        }
        Ok(Found::End(lf + 1))
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
