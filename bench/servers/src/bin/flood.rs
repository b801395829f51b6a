//! A client that costs less than any server: it sends one constant request on each connection again and again, and looks
//! at an answer no longer than to see that it is whole and good. `wrk`, which parses and times every answer, leaves the
//! server waiting for a sixth of its time, and what a request costs then includes falling asleep and waking up.
//!
//! `flood --port NUMBER --host NAME --path PATH --connections NUMBER --seconds NUMBER`, prints one JSON object.

use rustix::event::epoll::{self, EventData, EventFlags};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// More than an answer of the benchmark.
const BUFFER_BYTES: usize = 64 << 10;

fn main() {
    let (connections, seconds): (usize, f64) = (argument("connections"), argument("seconds"));
    let address = SocketAddr::from(([127, 0, 0, 1], argument("port")));
    let (path, host): (String, String) = (argument("path"), argument("host"));
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();

    let mut clients: Vec<Client> = (0..connections).map(|_| Client::new(address)).collect();
    let answer_bytes = clients[0].measure(&request);
    let waiting = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll instance");
    for (index, client) in clients.iter_mut().enumerate() {
        client.stream.set_nonblocking(true).expect("a socket");
        epoll::add(&waiting, &client.stream, EventData::new_u64(index as u64), EventFlags::IN).expect("a new socket");
        client.send(&request);
    }

    let (began, end) = (Instant::now(), Duration::from_secs_f64(seconds));
    let mut answers = 0_u64;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut events = Vec::with_capacity(connections);
    while began.elapsed() < end {
        epoll::wait(&waiting, rustix::buffer::spare_capacity(&mut events), None).expect("events");
        for event in events.drain(..) {
            let client = &mut clients[event.data.u64() as usize];
            if client.receive(&mut buffer, answer_bytes) {
                answers += 1;
                client.send(&request);
            }
        }
    }
    println!("{{\"requests\": {answers}, \"seconds\": {}}}", began.elapsed().as_secs_f64());
}

/// One connection with one request in flight.
struct Client {
    stream: TcpStream,
    received: usize,
}

impl Client {
    fn new(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("a server on the port");
        stream.set_nodelay(true).expect("a socket");
        Client { stream, received: 0 }
    }

    /// How long an answer is, head and content: of this constant request all answers are as long.
    fn measure(&mut self, request: &[u8]) -> usize {
        self.send(request);
        let mut answer = Vec::new();
        loop {
            let mut octet = [0];
            self.stream.read_exact(&mut octet).expect("an answer");
            answer.push(octet[0]);
            if answer.ends_with(b"\r\n\r\n") {
                break;
            }
        }
        let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let mut content = vec![0; length.parse().expect("a number")];
        self.stream.read_exact(&mut content).expect("the content");
        answer.len() + content.len()
    }

    fn send(&mut self, request: &[u8]) {
        let sent = self.stream.write(request).expect("the server listens");
        assert_eq!(sent, request.len(), "a request fits into the socket");
    }

    /// Takes what is there; whether the answer is whole.
    fn receive(&mut self, buffer: &mut [u8], answer_bytes: usize) -> bool {
        let count = self.stream.read(buffer).expect("the server answers");
        assert!(count > 0, "the server keeps the connection");
        assert!(self.received > 0 || buffer.starts_with(b"HTTP/1.1 200 "), "the server answers well");
        self.received += count;
        assert!(self.received <= answer_bytes, "all answers are as long as the first");
        let whole = self.received == answer_bytes;
        if whole {
            self.received = 0;
        }
        whole
    }
}

fn argument<T: FromStr>(name: &str) -> T {
    let value = std::env::args().skip_while(|argument| argument[..] != format!("--{name}")[..]).nth(1);
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("usage: --{name} VALUE"))
}
