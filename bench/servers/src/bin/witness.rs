//! Asks without pause and checks every answer, while releases come and go: for `dayfly bench reload` and `bench kill`.
//!
//! `witness --port N --host NAME --bytes N [--keep-alive N] [--pipelining N] [--depth N] [--new N]`: so many clients of three
//! kinds, each a thread. Standard input has the number of the release that is live, a line each time it rises, and its end
//! is that of the clients. Standard output has the number of answers so far, a line each 10 ms, and at last a JSON object.
//!
//! A body has its release's number, eight digits, at its start, in its middle and at its end. An answer is *stale* if its number
//! is lower than the one that was live when its request was sent, *mixed* if the three differ, *failed* if it is none with
//! status 200. A request is *lost* if its connection ends without its whole answer; a connection is *closed* if the server ends
//! it though nobody asked for that, and *refused* if there is none.

use std::collections::VecDeque;
use std::io::{BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const STAMP_BYTES: usize = 8;
const HEAD_BYTES_MAX: usize = 16 << 10;
const READ_BYTES: usize = 64 << 10;
/// Longer than any deploy may keep a request waiting.
const TIMEOUT: Duration = Duration::from_secs(10);
const REPORT_EVERY: Duration = Duration::from_millis(10);

#[derive(Clone)]
struct Options {
    address: SocketAddr,
    host: String,
    bytes: usize,
    keep_alive: usize,
    pipelining: usize,
    depth: usize,
    new: usize,
}

#[derive(Default)]
struct Counts {
    answers: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
    closed: AtomicU64,
    refused: AtomicU64,
    mixed: AtomicU64,
    stale: AtomicU64,
}

#[derive(Default)]
struct Shared {
    live: AtomicU64,
    ended: AtomicBool,
    counts: Counts,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// How the server left a connection.
#[derive(PartialEq)]
enum Left {
    Open,
    /// It ended it after an answer that said so: what was sent after that request is to be asked again (RFC 9112 section 9.6).
    Told,
    Closed,
}

struct Client {
    options: Options,
    shared: Arc<Shared>,
    /// Requests on their way: the number that was live when each was sent.
    sent: VecDeque<u64>,
    received: Vec<u8>,
}

impl Client {
    fn run(mut self, depth: usize, new: bool) {
        let close = if new { "Connection: close\r\n" } else { "" };
        let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n{close}\r\n", self.options.host).into_bytes();
        while !self.ended() {
            let Ok(mut stream) = self.connect() else {
                if !self.ended() {
                    count(&self.shared.counts.refused);
                    thread::sleep(Duration::from_millis(1));
                }
                continue;
            };
            let kept = self.talk(&mut stream, &request, depth);
            if kept == Left::Closed {
                self.shared.counts.lost.fetch_add(self.sent.len() as u64, Ordering::Relaxed);
            }
            if !new && kept != Left::Open {
                count(&self.shared.counts.closed);
            }
            self.sent.clear();
            self.received.clear();
        }
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.options.address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(stream)
    }

    /// Until the clients are to end or the server closes, as it is asked to on a connection for one request.
    fn talk(&mut self, stream: &mut TcpStream, request: &[u8], depth: usize) -> Left {
        loop {
            if !self.ended() {
                let room = depth - self.sent.len();
                let live = self.shared.live.load(Ordering::Acquire);
                if stream.write_all(&request.repeat(room)).is_err() {
                    self.sent.extend(std::iter::repeat_n(live, room));
                    return Left::Closed;
                }
                self.sent.extend(std::iter::repeat_n(live, room));
            } else if self.sent.is_empty() {
                return Left::Open;
            }
            // Half of those in flight, so that requests and answers overlap.
            for _ in 0..self.sent.len().div_ceil(2) {
                match self.answer(stream) {
                    Some(Left::Open) => {}
                    other => return other.unwrap_or(Left::Closed),
                }
            }
        }
    }

    /// The next answer; None if the connection ends or what comes is no answer.
    fn answer(&mut self, stream: &mut TcpStream) -> Option<Left> {
        let head_bytes = loop {
            if let Some(at) = self.received.windows(4).position(|octets| octets == b"\r\n\r\n") {
                break at + 4;
            }
            if self.received.len() > HEAD_BYTES_MAX || !self.read(stream) {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&self.received[..head_bytes]).to_ascii_lowercase();
        let field = |name: &str| head.split("\r\n").find_map(|line| line.strip_prefix(name)).map(str::trim);
        let length: usize = field("content-length:").and_then(|length| length.parse().ok())?;
        while self.received.len() < head_bytes + length {
            if !self.read(stream) {
                return None;
            }
        }
        let live = self.sent.pop_front()?;
        let body = &self.received[head_bytes..head_bytes + length];
        let counts = &self.shared.counts;
        if head.starts_with("http/1.1 200 ") && length == self.options.bytes {
            let stamp = |at: usize| std::str::from_utf8(&body[at..at + STAMP_BYTES]).ok()?.parse::<u64>().ok();
            let stamps = [stamp(0), stamp(length / 2), stamp(length - STAMP_BYTES)];
            match stamps[0] {
                Some(number) if stamps == [Some(number); 3] && number >= live => {}
                Some(number) if stamps == [Some(number); 3] => count(&counts.stale),
                _ => count(&counts.mixed),
            }
        } else {
            count(&counts.failed);
        }
        count(&counts.answers);
        self.received.drain(..head_bytes + length);
        Some(if field("connection:") == Some("close") { Left::Told } else { Left::Open })
    }

    fn read(&mut self, stream: &mut TcpStream) -> bool {
        let before = self.received.len();
        self.received.resize(before + READ_BYTES, 0);
        let read = stream.read(&mut self.received[before..]).unwrap_or(0);
        self.received.truncate(before + read);
        read > 0
    }

    fn ended(&self) -> bool {
        self.shared.ended.load(Ordering::Relaxed)
    }
}

fn main() {
    let options = options().unwrap_or_else(|wrong| {
        eprintln!("witness: {wrong}");
        std::process::exit(2);
    });
    let shared = Arc::<Shared>::default();
    let mut clients = Vec::new();
    let kinds = [(options.keep_alive, 1, false), (options.pipelining, options.depth, false), (options.new, 1, true)];
    for (number, depth, new) in kinds {
        for _ in 0..number {
            let (options, shared) = (options.clone(), shared.clone());
            let client = Client { options, shared, sent: VecDeque::new(), received: Vec::new() };
            clients.push(thread::spawn(move || client.run(depth, new)));
        }
    }
    let reporting = shared.clone();
    let reporter = thread::spawn(move || {
        while !reporting.ended.load(Ordering::Relaxed) {
            println!("{}", reporting.counts.answers.load(Ordering::Relaxed));
            thread::sleep(REPORT_EVERY);
        }
    });
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if let Ok(live) = line.trim().parse() {
            shared.live.store(live, Ordering::Release);
        }
    }
    shared.ended.store(true, Ordering::Relaxed);
    for thread in clients.into_iter().chain([reporter]) {
        thread.join().expect("no client panics");
    }
    let counts = &shared.counts;
    let [answers, failed, lost, closed, refused, mixed, stale] = [
        &counts.answers,
        &counts.failed,
        &counts.lost,
        &counts.closed,
        &counts.refused,
        &counts.mixed,
        &counts.stale,
    ]
    .map(|counter| counter.load(Ordering::Relaxed));
    println!(
        "{{\"answers\": {answers}, \"failed\": {failed}, \"lost\": {lost}, \"closed\": {closed}, \"refused\": {refused}, \
         \"mixed\": {mixed}, \"stale\": {stale}}}"
    );
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        host: String::new(),
        bytes: 64 << 10,
        keep_alive: 8,
        pipelining: 4,
        depth: 8,
        new: 4,
    };
    let words: Vec<String> = std::env::args().skip(1).collect();
    for pair in words.chunks(2) {
        let [name, value] = pair else { return Err(format!("`{}` has no value", pair[0])) };
        let number = || value.parse::<usize>().map_err(|_| format!("{name} cannot be `{value}`"));
        match name.as_str() {
            "--port" => options.address.set_port(number()?.try_into().map_err(|_| "no such port".to_owned())?),
            "--host" => options.host.clone_from(value),
            "--bytes" => options.bytes = number()?.max(4 * STAMP_BYTES),
            "--keep-alive" => options.keep_alive = number()?,
            "--pipelining" => options.pipelining = number()?,
            "--depth" => options.depth = number()?.max(1),
            "--new" => options.new = number()?,
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    Ok(options)
}
