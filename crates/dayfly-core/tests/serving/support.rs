//! A core that serves on the loopback address, its tenants from `guests/`, and a client that knows just enough HTTP.

use dayfly_core::core::{Core, CoreOptions, ServerOptions, TenantSpec};
use dayfly_core::error::Error;
use dayfly_core::limits::Limits;
use dayfly_core::secrets::Secrets;
use dayfly_core::stats::{Stats, TenantStats};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub(crate) const PAGE: &str = "\tthis is a very\n\tlong string if I had the\n\tenergy to type more and more ...\n";

/// No answer takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_mins(1);

/// A directory of this test's own, removed at the end.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("dayfly-serving-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Scratch(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A program of `guests/`.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = format!("{}/../../guests/{name}.wat", env!("CARGO_MANIFEST_DIR"));
    wat::parse_file(path).expect("a guest")
}

pub(crate) fn core(threads: usize, scratch: &Scratch) -> Core {
    let options = CoreOptions { threads, paranoid_every: 1, ..CoreOptions::new(scratch.0.clone()) };
    Core::new(options).expect("a core")
}

/// A core that serves until it is dropped.
pub(crate) struct Bed {
    pub(crate) core: Arc<Core>,
    pub(crate) address: SocketAddr,
    served: Option<JoinHandle<Result<(), Error>>>,
    _scratch: Scratch,
}

impl Bed {
    /// Tenants named like their guests, each at `/<name>` and at `<name>.localhost`.
    pub(crate) fn new(guests: &[&str]) -> Bed {
        Bed::with(2, &ServerOptions::default(), guests)
    }

    pub(crate) fn with(threads: usize, options: &ServerOptions, guests: &[&str]) -> Bed {
        let scratch = Scratch::new();
        let core = Arc::new(core(threads, &scratch));
        for name in guests {
            publish(&core, name, name, Limits::default());
        }
        let (address, served) = serve(&core, options);
        Bed { core, address, served: Some(served), _scratch: scratch }
    }

    pub(crate) fn publish(&self, tenant: &str, guest: &str, limits: Limits) {
        publish(&self.core, tenant, guest, limits);
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// One request on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.connect().get(path)
    }

    pub(crate) fn stats(&self) -> Stats {
        self.core.stats()
    }

    pub(crate) fn tenant(&self, name: &str) -> TenantStats {
        self.stats().tenants.remove(name).expect("it is published")
    }

    /// Waits until the figures say so: for what happens after an answer.
    pub(crate) fn until(&self, mut what: impl FnMut(&Stats) -> bool) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while !what(&self.stats()) {
            assert!(std::time::Instant::now() < deadline, "{:#?}", self.stats());
            thread::yield_now();
        }
    }

    /// Stops gracefully and returns how serving ended.
    pub(crate) fn stop(&mut self) -> Result<(), Error> {
        self.core.stop();
        self.served.take().expect("it serves").join().expect("no panic")
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.core.stop();
        if let Some(served) = self.served.take() {
            served.join().expect("no panic").expect("serving ends well");
        }
        if !thread::panicking() {
            assert_eq!(self.core.stats().sandboxes.paranoid_differences, 0, "a request saw another one");
        }
    }
}

pub(crate) fn serve(core: &Arc<Core>, options: &ServerOptions) -> (SocketAddr, JoinHandle<Result<(), Error>>) {
    let (ready, address) = channel();
    let (core, options) = (core.clone(), ServerOptions { port: 0, ..options.clone() });
    let served = thread::spawn(move || core.serve(&options, |address| ready.send(address).expect("awaited")));
    let Ok(address) = address.recv() else { panic!("{:?}", served.join()) };
    (address, served)
}

pub(crate) fn spec(tenant: &str, limits: Limits) -> TenantSpec {
    let (hosts, paths) = (vec![format!("{tenant}.localhost")], vec![format!("/{tenant}")]);
    TenantSpec { name: tenant.to_owned(), hosts, paths, limits, secrets: Secrets::default(), canary: None }
}

pub(crate) fn publish(core: &Core, tenant: &str, name: &str, limits: Limits) {
    let snapshot = core.freeze(&guest(name), &limits).expect("guests can be frozen");
    core.publish_snapshot(&spec(tenant, limits), &snapshot).expect("no conflict");
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn cause(&self) -> Option<&str> {
        self.field("Dayfly-Cause")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// An error answer keeps the promises of every error answer.
    pub(crate) fn check_problem(&self, status: u16, cause: Option<&str>) {
        assert_eq!((self.status, self.cause()), (status, cause), "{self:?}");
        assert_eq!(self.field("Content-Type"), Some("application/problem+json"));
        let problem: serde_json::Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["cause"].as_str(), cause);
        assert_eq!(problem["request_id"].as_str(), self.field("Dayfly-Request-Id"));
        assert_eq!(self.field("Dayfly-Request-Id").map(str::len), Some(16));
        assert_eq!(self.field("Retry-After").is_some(), status == 503);
    }
}

/// One connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_nodelay(true).expect("a TCP socket");
        Client { stream: BufReader::new(stream) }
    }

    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.send(path);
        self.receive()
    }

    /// Sends a request and does not wait for its answer.
    pub(crate) fn send(&mut self, path: &str) {
        self.write(format!("GET {path} HTTP/1.1\r\nHost: any\r\n\r\n").as_bytes());
    }

    pub(crate) fn write(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).expect("the server reads");
    }

    pub(crate) fn receive(&mut self) -> Response {
        let mut response = self.head();
        let length = response.field("Content-Length").map_or(0, |length| length.parse().expect("a number"));
        response.body.resize(length, 0);
        self.stream.read_exact(&mut response.body).expect("a whole body");
        response
    }

    /// An answer without the content that it announces.
    pub(crate) fn head(&mut self) -> Response {
        let status = self.line().split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        let mut fields = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else { break };
            fields.push((name.to_owned(), value.to_owned()));
        }
        Response { status, fields, body: Vec::new() }
    }

    /// Leaves without a farewell. An orderly close would say no more than that nothing further is asked.
    pub(crate) fn vanish(self) {
        rustix::net::sockopt::set_socket_linger(self.stream.get_ref(), Some(Duration::ZERO)).expect("a socket");
    }

    /// Whether the server has closed the connection.
    pub(crate) fn at_end(&mut self) -> bool {
        self.stream.fill_buf().is_ok_and(<[u8]>::is_empty)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        line.trim_end_matches("\r\n").to_owned()
    }
}
