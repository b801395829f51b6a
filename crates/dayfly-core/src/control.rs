//! Messages between a supervisor and its worker: JSON behind its length, over one stream socket; some with descriptors.

use crate::error::Error;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, recvmsg, send as send_some,
};
use serde::Serialize;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

/// Octets of a message to the supervisor. The largest are the log, at most 8 MiB of text of which each octet may take six, and
/// the counters of all tenants, some 400 octets each.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Octets of an order. The largest is one tenant with 200 secrets of 64 KiB and a canary with as many, of which each octet may
/// take six: 150 MiB, and its hosts.
pub const ORDER_BYTES_MAX: usize = 256 << 20;
/// Descriptors that may come with one message, and the kernel's own bound.
const DESCRIPTORS_MAX: usize = 253;
/// One read.
const READ_BYTES: usize = 64 << 10;
const LENGTH_BYTES: usize = size_of::<u32>();

/// The end at which messages arrive.
#[derive(Debug)]
pub struct Inbox {
    socket: Arc<OwnedFd>,
    octets: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

/// The end into which messages are put; any thread may do so.
#[derive(Clone, Debug)]
pub struct Outbox {
    socket: Arc<OwnedFd>,
    turn: Arc<Mutex<()>>,
}

/// Both ends of one side of a connected pair of stream sockets.
pub fn channel(socket: OwnedFd) -> (Inbox, Outbox) {
    let socket = Arc::new(socket);
    let inbox = Inbox { socket: socket.clone(), octets: Vec::new(), descriptors: Vec::new() };
    (inbox, Outbox { socket, turn: Arc::default() })
}

impl Inbox {
    /// The next message; None when the other side is gone. Blocks. Takes no more memory than octets have come.
    ///
    /// # Errors
    /// `Invalid` for a message that is too long or comes with too many descriptors, `Io` if the system refuses to read: the
    /// channel cannot be used any more.
    pub fn receive(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            if let Some(length) = self.octets.first_chunk::<LENGTH_BYTES>() {
                let end = LENGTH_BYTES + u32::from_le_bytes(*length) as usize;
                if end - LENGTH_BYTES > ORDER_BYTES_MAX {
                    return Err(Error::Invalid("a control message is too long".to_owned()));
                }
                if self.octets.len() >= end {
                    let message = self.octets[LENGTH_BYTES..end].to_vec();
                    self.octets.drain(..end);
                    return Ok(Some(message));
                }
            }
            if self.read()? == 0 {
                return Ok(None);
            }
        }
    }

    /// The descriptors that came since they were last taken.
    pub fn take_descriptors(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.descriptors)
    }

    fn read(&mut self) -> Result<usize, Error> {
        let mut octets = vec![0; READ_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = retry_on_intr(|| {
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut octets)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        });
        let received = match received {
            // With something unread at its end, the other side is as gone as without.
            Err(Errno::CONNRESET) => return Ok(0),
            other => other.map_err(|errno| Error::io("cannot read a control message", errno))?,
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        if self.descriptors.len() > DESCRIPTORS_MAX || received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(Error::Invalid("a control message has too many descriptors".to_owned()));
        }
        self.octets.extend_from_slice(&octets[..received.bytes]);
        Ok(received.bytes)
    }
}

impl Outbox {
    /// Sends a message; blocks while the other side does not read.
    ///
    /// # Errors
    /// `Io` if the other side is gone, `Internal` if the message is too long.
    pub fn send(&self, message: &impl Serialize) -> Result<(), Error> {
        let json = serde_json::to_vec(message).map_err(|error| Error::Internal(error.to_string()))?;
        if json.len() > MESSAGE_BYTES_MAX {
            return Err(Error::Internal("a control message is too long".to_owned()));
        }
        let mut octets = (json.len() as u32).to_le_bytes().to_vec();
        octets.extend(json);
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = octets.as_slice();
        while !rest.is_empty() {
            let sent = retry_on_intr(|| send_some(&self.socket, rest, SendFlags::NOSIGNAL));
            rest = &rest[sent.map_err(|errno| Error::io("cannot send a control message", errno))?..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn pair() -> (UnixStream, Inbox, Outbox) {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        let (inbox, outbox) = channel(theirs.into());
        (ours, inbox, outbox)
    }

    #[test]
    fn messages_arrive_whole_however_they_are_cut() {
        let (mut ours, mut inbox, _) = pair();
        let sender = std::thread::spawn(move || {
            for octet in b"\x03\0\0\0abc\0\0\0\0\x02\0\0\0de" {
                ours.write_all(&[*octet]).expect("somebody reads");
            }
        });
        for expected in [b"abc".as_slice(), b"", b"de"] {
            assert_eq!(inbox.receive().expect("a sound channel").as_deref(), Some(expected));
        }
        assert_eq!(inbox.receive().expect("a sound channel"), None);
        sender.join().expect("it ends well");
    }

    #[test]
    fn half_a_message_is_the_end() {
        let (mut ours, mut inbox, _) = pair();
        ours.write_all(b"\x09\0\0\0abc").expect("room");
        drop(ours);
        assert_eq!(inbox.receive().expect("a sound channel"), None);
    }

    #[test]
    fn a_length_that_cannot_be_is_refused_before_its_octets_come() {
        let (mut ours, mut inbox, _) = pair();
        ours.write_all(&u32::MAX.to_le_bytes()).expect("room");
        assert!(matches!(inbox.receive(), Err(Error::Invalid(_))));
    }

    #[test]
    fn a_side_that_is_gone_is_an_error_and_no_signal() {
        let (ours, _, outbox) = pair();
        drop(ours);
        assert!(matches!(outbox.send(&"anything"), Err(Error::Io { .. })));
    }
}
