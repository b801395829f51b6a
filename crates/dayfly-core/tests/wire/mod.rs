//! An event loop on a thread of its own, and clients with plain sockets.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses a part of it")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dayfly_core::event_loop::{EventLoop, Mailbox, Options, StopHandle};
use dayfly_core::listener::{self, Listener};
use dayfly_http1::{Answered, Handler, Head, Peer, Refusal, Request, Respond, Ticket};

/// Nothing here takes this long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What the handler tells the test.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    Asked(Ticket),
    Left(Ticket),
    Abandoned(String),
}

/// Shows each way to answer, by path.
struct Application {
    mailbox: Mailbox<String>,
    stop: StopHandle,
    /// The last request that waits for a late answer.
    asked: Option<Ticket>,
    told: Sender<Told>,
}

impl Application {
    fn tell(&self, told: Told) {
        let _ = self.told.send(told);
    }
}

impl Handler for Application {
    type Late = String;

    fn admit(&mut self, _: &Head<'_>, _: &Peer) -> Result<u64, Refusal> {
        Ok(1 << 20)
    }

    fn call(&mut self, request: &Request<'_>, peer: &Peer, ticket: Ticket, respond: Respond<'_>) -> Answered {
        let number = |text: &str| text.parse().expect("the test's own number");
        let mut parts = request.head.path.splitn(3, '/').skip(1);
        match (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) {
            ("later", _) => {
                self.asked = Some(ticket);
                self.tell(Told::Asked(ticket));
                respond.later()
            }
            ("stop", _) => {
                self.stop.stop();
                self.asked.into_iter().for_each(|asked| self.mailbox.send(asked, "after the stop".to_owned()));
                respond.send(200, b"", b"")
            }
            ("delayed", milliseconds) => {
                let delay = Duration::from_millis(number(milliseconds) as u64);
                self.mailbox.send_after(delay, ticket, format!("after {milliseconds}"));
                respond.later()
            }
            ("large", bytes) => respond.send(200, b"", &vec![b'x'; number(bytes)]),
            ("peer", _) => respond.send(200, b"", format!("{peer:?}").as_bytes()),
            ("panic", _) => panic!("as the path says"),
            _ => respond.send(200, b"", &[request.head.path.as_bytes(), request.content].concat()),
        }
    }

    fn settle(&mut self, late: String, _: Ticket, respond: Respond<'_>) -> Answered {
        respond.send(200, b"", late.as_bytes())
    }

    fn abandon(&mut self, late: String) {
        self.tell(Told::Abandoned(late));
    }

    fn left(&mut self, ticket: Ticket) {
        self.tell(Told::Left(ticket));
    }
}

/// A server that stops when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub mailbox: Mailbox<String>,
    pub told: Receiver<Told>,
    pub stop: StopHandle,
    thread: Option<JoinHandle<Duration>>,
}

impl Server {
    pub fn start(options: Options) -> Server {
        let listener = listener::tcp(SocketAddr::from(([127, 0, 0, 1], 0)), 1).expect("a free port").remove(0);
        Server::on(listener, options)
    }

    pub fn on(listener: Listener, options: Options) -> Server {
        let address = listener.address().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
        let stop = StopHandle::new().expect("a descriptor");
        let event_loop = EventLoop::new(options, stop.clone()).expect("a descriptor");
        let mailbox = event_loop.mailbox();
        let (tell, told) = channel();
        let mut application = Application { mailbox: mailbox.clone(), stop: stop.clone(), asked: None, told: tell };
        let thread = std::thread::spawn(move || {
            event_loop.run(vec![listener], &mut application).expect("the loop runs to its end");
            thread_cpu_time()
        });
        Server { address, mailbox, told, stop, thread: Some(thread) }
    }

    pub fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Client { stream, kept: Vec::new() }
    }

    /// One request on a connection of its own.
    pub fn get(&self, path: &str) -> Answer {
        let mut client = self.connect();
        client.send(get(path).as_bytes());
        client.answer()
    }

    pub fn told(&self) -> Told {
        self.told.recv_timeout(PATIENCE).expect("the handler tells")
    }

    /// The ticket of the next request that waits for a late answer.
    pub fn asked(&self) -> Ticket {
        match self.told() {
            Told::Asked(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the end of a loop that was stopped; the CPU time of its thread.
    pub fn join(mut self) -> Duration {
        self.thread.take().map_or(Duration::ZERO, |thread| thread.join().expect("the thread lives"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.stop();
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned() as u32)
}

pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// One answer as the client sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub closes: bool,
    pub content: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.content).expect("text")
    }
}

/// A client that reads whole answers.
pub struct Client<S> {
    pub stream: S,
    pub kept: Vec<u8>,
}

impl<S: Read + Write> Client<S> {
    pub fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).expect("the server takes it");
    }

    /// The next answer.
    pub fn answer(&mut self) -> Answer {
        let head_bytes =
            self.read_until(|kept| kept.windows(4).position(|window| window == b"\r\n\r\n").map(|place| place + 4));
        let head = String::from_utf8(self.kept.drain(..head_bytes).collect()).expect("our heads are ASCII");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
        self.read_until(|kept| (kept.len() >= length).then_some(length));
        Answer {
            status: head[9..12].parse().expect("a status"),
            closes: head.contains("\r\nConnection: close\r\n"),
            content: self.kept.drain(..length).collect(),
        }
    }

    fn read_until(&mut self, found: impl Fn(&[u8]) -> Option<usize>) -> usize {
        loop {
            if let Some(found) = found(&self.kept) {
                return found;
            }
            let mut buffer = [0; 4096];
            let bytes = self.stream.read(&mut buffer).expect("an answer in time");
            assert!(bytes > 0, "the server closed after {:?}", String::from_utf8_lossy(&self.kept));
            self.kept.extend_from_slice(&buffer[..bytes]);
        }
    }

    /// Waits until the server ends the connection, in order or not; what came before that.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.kept);
        let began = Instant::now();
        let _ = self.stream.read_to_end(&mut rest);
        assert!(began.elapsed() < PATIENCE, "the server keeps the connection");
        rest
    }
}

impl Client<TcpStream> {
    pub fn end(&self) {
        self.stream.shutdown(Shutdown::Write).expect("a connected socket");
    }
}
