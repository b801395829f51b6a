//! The core as a whole: releases on disk, published, asked over sockets.

mod support;
mod wire;

use dayfly_core::core::{Core, CoreOptions, ServerOptions, TenantSpec};
use dayfly_core::engine::EngineOptions;
use dayfly_core::limits::Limits;
use dayfly_core::secrets::Secrets;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use support::{Bench, PAGE, TemporaryDirectory, record};
use wire::{Answer, Client, PATIENCE};

/// Octets of the large program's data: reading them from disk takes some milliseconds, answering some microseconds.
const LARGE_BYTES: usize = 8 << 20;

/// Releases on disk, as long as the first value lives: the guest `hello`, with much data that it never looks at.
fn large(count: usize) -> (Bench, Vec<PathBuf>) {
    let hello = include_str!("../../../guests/hello.wat").replace("\"memory\") 1)", "\"memory\") 200)");
    let (head, _) = hello.rsplit_once(')').expect("the module's end");
    let text = format!("{head} (data (i32.const 65536) \"{}\"))", "x".repeat(LARGE_BYTES));
    let bench = Bench::with(&EngineOptions::default());
    let snapshot = bench.freeze(&wat::parse_str(text).expect("valid text"), &Limits::default()).expect("it freezes");
    let record = |number| record(&bench, &snapshot, |manifest| manifest.tier = format!("number {number}"));
    let directories = (0..count).map(record).collect();
    (bench, directories)
}

/// A core of one I/O thread that keeps nothing in memory but what is used, and what was used last.
struct Served {
    core: Arc<Core>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
    _cache: TemporaryDirectory,
}

impl Served {
    fn start(tenants: &[(&str, &PathBuf)]) -> Served {
        let cache = TemporaryDirectory::new();
        let options = CoreOptions { threads: 1, resident_bytes_max: 1, ..CoreOptions::new(cache.0.join("code")) };
        let core = Arc::new(Core::new(options).expect("a core"));
        for (name, directory) in tenants {
            core.publish(&spec(name), directory).expect("it is published");
        }
        let (ready, address) = channel();
        let serving = core.clone();
        let thread = std::thread::spawn(move || {
            let options = ServerOptions { port: 0, ..ServerOptions::default() };
            serving.serve(&options, |address| ready.send(address).expect("the test waits")).expect("it serves");
        });
        let address = address.recv_timeout(PATIENCE).expect("it listens");
        Served { core, address, thread: Some(thread), _cache: cache }
    }

    fn get(&self, tenant: &str) -> Answer {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut client = Client { stream, kept: Vec::new() };
        client.send(format!("GET / HTTP/1.1\r\nHost: {tenant}\r\n\r\n").as_bytes());
        client.answer()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.core.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it ends well");
        }
    }
}

fn spec(name: &str) -> TenantSpec {
    let (name, hosts) = (name.to_owned(), vec![name.to_owned()]);
    TenantSpec { name, hosts, paths: Vec::new(), limits: Limits::default(), secrets: Secrets::default(), canary: None }
}

#[test]
fn a_rehearsed_release_is_published_without_being_loaded_again() {
    let (_disk, directories) = large(1);
    let served = Served::start(&[]);
    let secrets: Secrets = serde_json::from_str(r#"{"KEY": "value"}"#).expect("a map");
    let loaded = || served.core.stats().releases.loaded;
    served.core.rehearse(&directories[0], &[], &secrets).expect("it is rehearsed");
    let with_secrets = TenantSpec { secrets, ..spec("rehearsed") };
    served.core.publish(&spec("other"), &directories[0]).expect("it is published");
    assert_eq!(loaded(), 2, "the secrets are others");
    served.core.publish(&with_secrets, &directories[0]).expect("it is published");
    assert_eq!(loaded(), 2 + 1, "it had left memory for the other one");

    served.core.rehearse(&directories[0], &[], &with_secrets.secrets).expect("it is rehearsed");
    let before = loaded();
    served.core.publish(&with_secrets, &directories[0]).expect("it is published");
    assert_eq!(loaded(), before);
    served.core.publish(&with_secrets, &directories[0]).expect("it is published");
    assert_eq!(loaded(), before + 1, "once only");
    assert_eq!((served.get("rehearsed").text(), served.get("other").text()), (PAGE, PAGE));
}

#[test]
fn a_cold_start_does_not_make_a_program_slow() {
    let (_disk, directories) = large(2);
    let served = Served::start(&[("cold", &directories[0]), ("other", &directories[1])]);
    for _ in 0..2 {
        assert_eq!(served.get("cold").text(), PAGE);
    }
    let stats = served.core.stats();
    assert_eq!((stats.releases.cold_requests, stats.threads[0].direct), (1, 0), "{:?}", stats.tenants);
}
