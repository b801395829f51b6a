//! The floor: one epoll loop that answers each empty line with a constant and knows no HTTP. `floor --port NUMBER`

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use memchr::memmem;
use reference_servers::{PAGE, listener};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

const LISTENER: u64 = u64::MAX;

fn main() {
    let listener = listener();
    let epoll = epoll::create(CreateFlags::empty()).expect("an epoll instance");
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN).expect("a fresh socket");
    let answer = answer();
    let mut clients: Vec<Option<TcpStream>> = Vec::new();
    let mut events: Vec<Event> = Vec::with_capacity(256);
    let (mut input, mut output) = (vec![0; 64 << 10], Vec::new());
    loop {
        let _ = epoll::wait(&epoll, spare_capacity(&mut events), None);
        for event in events.drain(..) {
            let place = event.data.u64();
            if place == LISTENER {
                while let Ok((client, _)) = listener.accept() {
                    client.set_nonblocking(true).expect("a socket");
                    let place = client.as_raw_fd() as usize;
                    epoll::add(&epoll, &client, EventData::new_u64(place as u64), EventFlags::IN)
                        .expect("a fresh socket");
                    clients.resize_with(clients.len().max(place + 1), || None);
                    clients[place] = Some(client);
                }
            } else if let Some(client) = &mut clients[place as usize] {
                let bytes = client.read(&mut input).unwrap_or(0);
                let requests = memmem::find_iter(&input[..bytes], b"\r\n\r\n").count();
                output.clear();
                (0..requests).for_each(|_| output.extend_from_slice(&answer));
                if bytes == 0 || client.write_all(&output).is_err() {
                    clients[place as usize] = None;
                }
            }
        }
    }
}

/// As long as the product's answer.
fn answer() -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 76\r\nContent-Type: text/plain\r\n\r\n";
    [head.as_bytes(), PAGE].concat()
}
