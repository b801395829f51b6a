//! The clients of one I/O thread: a socket, its connection's state, and a place in a table.

use std::os::fd::OwnedFd;

use dayfly_http1::{Connection, Context, Handler, Peer};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

/// One client and what is known of its socket, which is waited for edge-triggered.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) connection: Connection,
    pub(crate) socket: OwnedFd,
    pub(crate) peer: Peer,
    pub(crate) signs: Signs,
    /// What the connection held when it was last looked at.
    pub(crate) held_bytes: usize,
}

/// What the kernel said of a socket, and what was done about it.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "five independent signs, no states")]
pub(crate) struct Signs {
    /// The socket may take more.
    pub(crate) writable: bool,
    /// There may be octets to receive.
    pub(crate) readable: bool,
    /// The peer ended its side or is gone: no further event will say that there is something to receive.
    pub(crate) ended: bool,
    /// Our side is ended.
    pub(crate) shut: bool,
    /// It stands in the list of clients that have more to do.
    pub(crate) queued: bool,
}

/// Octets sent for one client before others get their turn: 50 to 200 µs. A fast reader takes megabytes at once.
const SEND_BYTES: usize = 256 << 10;

/// How far sending went.
struct Sent {
    bytes: usize,
    /// The socket may take more: no event will say so.
    writable: bool,
}

/// What a read has brought.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Read {
    /// So many octets, in the buffer.
    Octets(usize),
    /// The peer has ended its side.
    End,
    /// Nothing for now.
    Nothing,
}

/// The connection is lost, with whatever was still to be sent.
#[derive(Debug)]
pub(crate) struct Lost;

impl Client {
    /// One step after something happened: sends, takes its turn or receives, sends. `out` is empty before and after.
    pub(crate) fn go_on<H: Handler>(
        &mut self,
        input: &mut [u8],
        out: &mut Vec<u8>,
        context: &mut Context<'_, H>,
    ) -> Result<(), Lost> {
        self.flush(out)?;
        if self.connection.wants_turn() {
            self.connection.resume(out, context);
        } else if self.signs.readable && self.connection.wants_input() {
            self.receive(input, out, context)?;
        }
        self.complete(out)
    }

    /// There is more to do though no event will say so.
    pub(crate) fn has_more(&self) -> bool {
        self.connection.wants_turn()
            || (self.signs.readable && self.connection.wants_input())
            || (self.signs.writable && !self.connection.unsent().is_empty())
    }

    fn receive<H: Handler>(
        &mut self,
        input: &mut [u8],
        out: &mut Vec<u8>,
        context: &mut Context<'_, H>,
    ) -> Result<(), Lost> {
        let read = self.read(input)?;
        self.take(read, input, out, context);
        Ok(())
    }

    /// Whether it waits for nothing but octets, and some have come: it may stand in a batch.
    pub(crate) fn may_read(&self) -> bool {
        self.signs.readable && self.connection.wants_input() && !self.connection.wants_turn()
    }

    /// One read. If it did not fill the buffer there is no need to see `EAGAIN`: the next octet is an event.
    pub(crate) fn read(&mut self, input: &mut [u8]) -> Result<Read, Lost> {
        match recv(&self.socket, &mut *input, RecvFlags::empty()) {
            Ok((0, _)) => {
                self.signs.readable = false;
                Ok(Read::End)
            }
            Ok((bytes, _)) => {
                // In a Unix socket a read also ends where descriptors were sent along.
                self.signs.readable = bytes == input.len() || self.signs.ended || self.peer == Peer::Unix;
                Ok(Read::Octets(bytes))
            }
            Err(Errno::AGAIN) => {
                self.signs.readable = false;
                Ok(Read::Nothing)
            }
            Err(Errno::INTR) => Ok(Read::Nothing),
            Err(_) => Err(Lost),
        }
    }

    /// Gives the connection what was read into `input`.
    pub(crate) fn take<H: Handler>(
        &mut self,
        read: Read,
        input: &[u8],
        out: &mut Vec<u8>,
        context: &mut Context<'_, H>,
    ) {
        match read {
            Read::Octets(bytes) => self.connection.receive(&input[..bytes], out, context),
            Read::End => self.connection.end(out, context),
            Read::Nothing => {}
        }
    }

    /// Sends what a step has answered, and ends our side after the last answer.
    pub(crate) fn complete(&mut self, out: &mut Vec<u8>) -> Result<(), Lost> {
        self.flush(out)?;
        if self.connection.is_finished() { self.finish() } else { Ok(()) }
    }

    /// Sends what is left from before and then `out`, as far as the socket takes it and the turn allows; the connection
    /// keeps the rest. Nothing stays in `out`, whatever becomes of the connection: the buffer is somebody else's next.
    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), Lost> {
        let sent = self.send_all(out);
        out.clear();
        sent
    }

    fn send_all(&mut self, out: &mut Vec<u8>) -> Result<(), Lost> {
        let kept = self.send(self.connection.unsent())?;
        self.signs.writable = kept.writable;
        self.connection.advance(kept.bytes);
        let mut sent = 0;
        if self.connection.unsent().is_empty() && !out.is_empty() {
            let new = self.send(out)?;
            self.signs.writable = new.writable;
            sent = new.bytes;
        }
        self.connection.keep_output(out, sent);
        Ok(())
    }

    fn send(&self, octets: &[u8]) -> Result<Sent, Lost> {
        let octets = &octets[..octets.len().min(SEND_BYTES)];
        let mut bytes = 0;
        while bytes < octets.len() {
            match send(&self.socket, &octets[bytes..], SendFlags::NOSIGNAL) {
                Ok(more) => bytes += more,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Sent { bytes, writable: false }),
                Err(_) => return Err(Lost),
            }
        }
        Ok(Sent { bytes, writable: true })
    }

    /// Ends our side after the last answer; the connection is over when the peer has ended too (RFC 9112 section 9.6).
    fn finish(&mut self) -> Result<(), Lost> {
        if self.connection.peer_has_ended() {
            return Err(Lost);
        }
        if !self.signs.shut {
            self.signs.shut = true;
            shutdown(&self.socket, Shutdown::Write).map_err(|_| Lost)?;
        }
        Ok(())
    }
}

/// All clients of a thread. A place is used again; its generation tells its clients apart.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    places: Vec<Place>,
    free: Vec<u32>,
}

/// Deadlines stand here and not in the boxes, so that looking through all of them reads 16 octets a client.
#[derive(Debug)]
struct Place {
    generation: u32,
    deadline: u32,
    client: Option<Box<Client>>,
}

/// Names a client, past ones included; fits an epoll event's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl Key {
    pub(crate) fn to_u64(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub(crate) fn from_u64(data: u64) -> Key {
        Key { index: data as u32, generation: (data >> 32) as u32 }
    }
}

impl Clients {
    /// Clients now.
    pub(crate) fn count(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Places, empty ones included: the bound of all indexes.
    pub(crate) fn places(&self) -> u32 {
        self.places.len() as u32
    }

    /// The key that the next client will have.
    pub(crate) fn next_key(&mut self) -> Key {
        if self.free.is_empty() {
            self.free.push(self.places.len() as u32);
            self.places.push(Place { generation: 0, deadline: u32::MAX, client: None });
        }
        let index = self.free[self.free.len() - 1];
        Key { index, generation: self.places[index as usize].generation }
    }

    /// Puts a client where `next_key` said.
    pub(crate) fn insert(&mut self, client: Client) {
        let key = self.next_key();
        self.free.pop();
        let place = &mut self.places[key.index as usize];
        place.deadline = client.connection.deadline();
        place.client = Some(Box::new(client));
    }

    /// The client of this place and its key.
    pub(crate) fn at(&mut self, index: u32) -> Option<(Key, &mut Client)> {
        let place = self.places.get_mut(index as usize)?;
        Some((Key { index, generation: place.generation }, place.client.as_deref_mut()?))
    }

    /// The client with this key, if it is still there.
    pub(crate) fn get(&mut self, key: Key) -> Option<&mut Client> {
        self.at(key.index).and_then(|(found, client)| (found == key).then_some(client))
    }

    pub(crate) fn deadline(&self, index: u32) -> u32 {
        self.places[index as usize].deadline
    }

    pub(crate) fn set_deadline(&mut self, index: u32, deadline: u32) {
        self.places[index as usize].deadline = deadline;
    }

    /// Empties a place; nothing that names the client finds it any more.
    pub(crate) fn remove(&mut self, index: u32) -> Option<Box<Client>> {
        let place = self.places.get_mut(index as usize)?;
        let client = place.client.take()?;
        place.generation = next_generation(place.generation);
        place.deadline = u32::MAX;
        self.free.push(index);
        Some(client)
    }
}

/// The highest bit stays clear: those keys name no client.
fn next_generation(generation: u32) -> u32 {
    (generation + 1) & (u32::MAX >> 1)
}
