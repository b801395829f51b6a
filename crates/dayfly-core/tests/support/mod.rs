//! Real guests under a real engine, for the tests beside this directory.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::missing_panics_doc, clippy::must_use_candidate)]

use dayfly_core::code_cache::CodeCache;
use dayfly_core::engine::{Engine, EngineOptions, Paranoid, Protection};
use dayfly_core::error::Stop;
use dayfly_core::freeze::{Snapshot, freeze};
use dayfly_core::limits::Limits;
use dayfly_core::message::{Answer, Request};
use dayfly_core::release::{Manifest, Release};
use dayfly_core::sandbox::{Allowance, Lane, Sandbox};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The page that the guest `hello` answers.
pub const PAGE: &str = "\tthis is a very\n\tlong string if I had the\n\tenergy to type more and more ...\n";
/// Plenty for a test, and an end to one that hangs.
pub const CPU_NS: u64 = 5_000_000_000;

/// Both protections, where the kernel allows both.
pub fn protections() -> Vec<Protection> {
    let all = [Protection::Userfault, Protection::Mprotect];
    all.into_iter().filter(|protection| protection.resolve().is_ok()).collect()
}

/// A directory that goes with the value.
pub struct TemporaryDirectory(pub PathBuf);

impl TemporaryDirectory {
    pub fn new() -> TemporaryDirectory {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("dayfly-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("the directory is new");
        TemporaryDirectory(path)
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// An engine and its code cache.
pub struct Bench {
    pub engine: Engine,
    pub cache: CodeCache,
    pub directory: TemporaryDirectory,
}

impl Bench {
    pub fn new(protection: Protection) -> Bench {
        Bench::with(&EngineOptions { protection, paranoid: Paranoid::Every(1), ..EngineOptions::default() })
    }

    pub fn with(options: &EngineOptions) -> Bench {
        let directory = TemporaryDirectory::new();
        let engine = Engine::new(options).expect("an engine");
        let cache = CodeCache::open(&directory.0.join("code")).expect("a cache");
        Bench { engine, cache, directory }
    }

    pub fn freeze(&self, wasm: &[u8], limits: &Limits) -> Result<Snapshot, dayfly_core::error::Error> {
        freeze(&self.engine, &self.cache, wasm, limits)
    }

    pub fn release_of(&self, wasm: &[u8], limits: &Limits) -> Arc<Release> {
        let snapshot = self.freeze(wasm, limits).expect("it freezes");
        Release::from_snapshot(&self.engine, &self.cache, &snapshot, limits).expect("it loads")
    }

    /// A release of one of `guests/`.
    pub fn release(&self, guest: &str) -> Arc<Release> {
        self.release_of(&wasm(guest), &Limits::default())
    }

    /// A release of a module in text.
    pub fn release_of_text(&self, text: &str) -> Arc<Release> {
        self.release_of(&wat::parse_str(text).expect("valid text"), &Limits::default())
    }
}

/// One of `guests/`.
pub fn wasm(guest: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../guests").join(format!("{guest}.wat"));
    wat::parse_file(path).expect("a guest")
}

/// A request for `/` with a query.
pub fn request(query: &str) -> Request<'_> {
    Request { query, host: "guest.localhost", ..Request::PLAIN }
}

pub fn allowance(lane: Lane) -> Allowance {
    Allowance { lane, cpu_ns_max: CPU_NS, wall_deadline: None }
}

/// Calls with a query; gives the body as text.
pub fn ask(sandbox: &mut Sandbox, query: &str) -> Result<String, Stop> {
    let mut answer = Answer::default();
    sandbox.call(&request(query), &allowance(Lane::Overflow), &mut answer)?;
    Ok(String::from_utf8_lossy(&answer.reply.body).into_owned())
}

/// Numbers that look random and are the same for the same seed (xorshift64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

pub fn sha256(octets: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(octets).iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").expect("text grows");
        text
    })
}

/// Writes a release as the registry does.
pub fn record(bench: &Bench, snapshot: &Snapshot, change: impl FnOnce(&mut Manifest)) -> PathBuf {
    record_with(bench, snapshot, &Limits::default(), change)
}

pub fn record_with(bench: &Bench, snapshot: &Snapshot, limits: &Limits, change: impl FnOnce(&mut Manifest)) -> PathBuf {
    let mut manifest = Manifest {
        abi: 1,
        tier: "wasm".to_owned(),
        parent: snapshot.parent.clone(),
        code_sha256: snapshot.parent.is_none().then(|| sha256(&snapshot.code)),
        image_sha256: sha256(&snapshot.image),
        layout: snapshot.layout,
        takes: snapshot.takes,
        fresh: snapshot.fresh,
        limits: *limits,
        source_sha256: sha256(b""),
        writes: snapshot.writes.clone(),
    };
    change(&mut manifest);
    let manifest = serde_json::to_vec(&manifest).expect("a manifest is JSON");
    let directory = bench.directory.0.join("releases").join(sha256(&manifest));
    fs::create_dir_all(&directory).expect("a directory");
    fs::write(directory.join("manifest.json"), &manifest).expect("a file");
    fs::write(directory.join("code.wasm"), &snapshot.code).expect("a file");
    fs::write(directory.join("image"), &snapshot.image).expect("a file");
    directory
}
