//! Names of requests: sixteen hexadecimal digits that a client sees with an error and an operator finds in the log.
//!
//! Requests are numbered, and a name is its number enciphered with a key of the process. So names are unique, and yet two
//! of them do not tell a tenant how many requests its neighbours had in between, nor which name comes next.

use crate::error::Error;
use std::fmt;

/// One request's name; unique in a process, and between processes as far as 64 random bits go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    number: u64,
    key: Key,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.key.encipher(self.number))
    }
}

/// Draws the names of one I/O thread's requests. A name costs an addition; its digits are made only when shown, which
/// most never are.
#[derive(Debug)]
pub struct RequestIds {
    next: u64,
    step: u64,
    key: Key,
}

impl RequestIds {
    /// One generator for each of so many threads; their sequences never meet.
    pub fn for_threads(threads: usize) -> Result<Vec<RequestIds>, Error> {
        let key = Key::random()?;
        Ok((0..threads as u64).map(|next| RequestIds { next, step: threads as u64, key }).collect())
    }

    /// The next request's name.
    pub fn draw(&mut self) -> RequestId {
        self.next = self.next.wrapping_add(self.step);
        RequestId { number: self.next, key: self.key }
    }
}

/// Key of Speck64/128: a permutation of 64 bits that nobody without the key can follow, in twenty lines and under 0.1 us.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key([u32; 4]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// Rounds of Speck with a block of 64 and a key of 128 bits.
    const ROUNDS: u32 = 27;

    fn random() -> Result<Key, Error> {
        let mut octets = [0; 16];
        // getrandom(2) gives up to 256 octets at once.
        rustix::rand::getrandom(&mut octets, rustix::rand::GetRandomFlags::empty())
            .map_err(|errno| Error::io("cannot draw random octets", errno))?;
        let all = u128::from_ne_bytes(octets);
        Ok(Key([0, 32, 64, 96].map(|shift| (all >> shift) as u32)))
    }

    fn encipher(self, block: u64) -> u64 {
        let Key([mut round_key, mut next @ ..]) = self;
        let mut halves = ((block >> 32) as u32, block as u32);
        for number in 0..Key::ROUNDS {
            halves = round(halves, round_key);
            let place = number as usize % next.len();
            (next[place], round_key) = round((next[place], round_key), number);
        }
        u64::from(halves.0) << 32 | u64::from(halves.1)
    }
}

fn round((high, low): (u32, u32), key: u32) -> (u32, u32) {
    let high = high.rotate_right(8).wrapping_add(low) ^ key;
    (high, low.rotate_left(3) ^ high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn threads_never_draw_the_same_name() {
        let mut threads = RequestIds::for_threads(3).expect("random octets");
        let names = threads.iter_mut().flat_map(|ids| (0..1000).map(|_| ids.draw().to_string()));
        assert_eq!(names.collect::<HashSet<_>>().len(), 3000);
    }

    /// The published test vector of Speck64/128.
    #[test]
    fn the_cipher_is_the_published_one() {
        let key = Key([0x0302_0100, 0x0b0a_0908, 0x1312_1110, 0x1b1a_1918]);
        assert_eq!(key.encipher(0x3b72_6574_7475_432d), 0x8c6f_a548_454e_028b);
    }

    #[test]
    fn names_do_not_tell_how_many_came_between() {
        let mut ids = RequestIds::for_threads(1).expect("random octets").remove(0);
        let names: Vec<u64> = (0..1000).map(|_| ids.draw()).map(|id| id.key.encipher(id.number)).collect();
        let steps: HashSet<u64> = names.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
        assert_eq!(steps.len(), 999, "no two steps are alike");
    }

    #[test]
    fn a_name_has_sixteen_digits_and_shows_no_key() {
        let id = RequestIds::for_threads(1).expect("random octets")[0].draw();
        assert_eq!(id.to_string().len(), 16);
        assert!(format!("{id:?}").contains("Key(..)"));
    }
}
