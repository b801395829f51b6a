//! Names of requests: sixteen hexadecimal digits that a client sees with an error and an operator finds in the log.

use crate::error::Error;
use std::fmt;

/// One request's name; unique in a process, and between processes as far as 64 random bits go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Draws the names of one I/O thread's requests. A name costs an addition; its digits are written only when shown.
#[derive(Debug)]
pub struct RequestIds {
    next: u64,
    step: u64,
}

impl RequestIds {
    /// One generator for each of so many threads; their sequences never meet.
    pub fn for_threads(threads: usize) -> Result<Vec<RequestIds>, Error> {
        let mut start = [0; 8];
        // getrandom(2) gives up to 256 octets at once.
        rustix::rand::getrandom(&mut start, rustix::rand::GetRandomFlags::empty())
            .map_err(|errno| Error::io("cannot draw random octets", errno))?;
        let start = u64::from_ne_bytes(start);
        Ok((0..threads as u64).map(|n| RequestIds { next: start.wrapping_add(n), step: threads as u64 }).collect())
    }

    /// The next request's name.
    pub fn draw(&mut self) -> RequestId {
        self.next = self.next.wrapping_add(self.step);
        RequestId(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn threads_never_draw_the_same_name() {
        let mut threads = RequestIds::for_threads(3).expect("random octets");
        let ids: HashSet<RequestId> = threads.iter_mut().flat_map(|ids| (0..1000).map(|_| ids.draw())).collect();
        assert_eq!(ids.len(), 3000);
    }

    #[test]
    fn a_name_has_sixteen_digits() {
        assert_eq!(RequestId(255).to_string(), "00000000000000ff");
    }
}
