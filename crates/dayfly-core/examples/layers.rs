//! What each layer of a request costs, without sockets: the least of many short rounds, so that neighbours matter little.
//!
//! `layers [--rounds 60] [GUEST.wat]`

use dayfly_core::access::Watch;
use dayfly_core::code_cache::CodeCache;
use dayfly_core::engine::{Engine, EngineOptions};
use dayfly_core::error::Error;
use dayfly_core::event_loop::{EventLoop, Options, StopHandle};
use dayfly_core::forwarded::TrustedProxies;
use dayfly_core::freeze::freeze;
use dayfly_core::lanes::INLINE;
use dayfly_core::limits::Limits;
use dayfly_core::log::Log;
use dayfly_core::message::{Answer, Request};
use dayfly_core::overflow::{self, Overflow};
use dayfly_core::release::Release;
use dayfly_core::request_id::RequestIds;
use dayfly_core::router::{Mounts, Router};
use dayfly_core::sandbox::Lane;
use dayfly_core::server::{Baseline, Parts, Server, Shared};
use dayfly_core::slots::{Slots, SlotsOptions};
use dayfly_core::stats::ThreadCounters;
use dayfly_core::tenant::{Current, Tenant};
use dayfly_http1::{Clock, Connection, Context, Deadlines, Handler, Peer, Ticket};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const PAGE: &str = "\tthis is a very\n\tlong string if I had the\n\tenergy to type more and more ...\n";
const REQUESTS_A_ROUND: u32 = 5_000;

/// Nanoseconds a step, the least of all rounds.
fn least_ns(rounds: u32, mut step: impl FnMut()) -> f64 {
    let mut round = || {
        let began = Instant::now();
        (0..REQUESTS_A_ROUND).for_each(|_| step());
        began.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS_A_ROUND)
    };
    (0..rounds).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// A connection that is fed requests and whose answers go nowhere.
struct Feed<'h> {
    handler: &'h mut Server,
    connection: Connection,
    clock: Clock,
    out: Vec<u8>,
}

impl Feed<'_> {
    fn ask(&mut self, octets: &[u8]) {
        let peer = Peer::Ip(([127, 0, 0, 1], 1234).into());
        let deadlines = Deadlines::default();
        let ticket = Ticket { connection: 0, generation: 0, request: 0 };
        let mut context = Context {
            handler: &mut *self.handler,
            peer: &peer,
            ticket,
            clock: &self.clock,
            deadlines: &deadlines,
            draining: false,
        };
        self.out.clear();
        self.connection.receive(octets, &mut self.out, &mut context);
        assert!(self.out.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&self.out));
    }
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = arguments.iter().position(|argument| argument == "--rounds").and_then(|at| arguments.get(at + 1));
    let rounds = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(60);
    let guest = arguments.iter().find(|argument| Path::new(argument).extension().is_some_and(|kind| kind == "wat"));
    let guest = guest.map_or("guests/hello.wat", String::as_str);

    let engine = Engine::new(&EngineOptions::default())?;
    let cache = CodeCache::open(&std::env::temp_dir().join("dayfly-example-code"))?;
    let wasm = wat::parse_file(guest).map_err(|error| Error::Refused(error.to_string()))?;
    let limits = Limits::default();
    let release = Release::from_snapshot(&engine, &cache, &freeze(&engine, &cache, &wasm, &limits)?, &limits)?;
    let tenant = Arc::new(Tenant::new("guest", 1, 0, 1));
    let current = Arc::new(Current::new(tenant, release, limits));
    let router = Arc::new(Router::default());
    let mounts = Mounts { hosts: vec!["guest.localhost".to_owned()], paths: vec!["/z".to_owned()] };
    router.publish(&"guest".into(), &mounts, current.clone())?;

    let log = Arc::new(Log::default());
    let lanes = overflow::Options { io_threads: 1, processors: 1, threads: 1 };
    let baseline = Baseline {
        path: "/plain".to_owned(),
        body: PAGE.as_bytes().to_vec(),
        field_lines: b"Content-Type: text/plain\r\n".to_vec(),
    };
    let overflow = Overflow::start(lanes, &engine, &log)?;
    let (trusted_proxies, watch) = (TrustedProxies::default(), Watch::default());
    let shared = Shared { overflow, log, trusted_proxies, baseline: Some(baseline), watch, release_header: true };
    let event_loop = EventLoop::new(Options::default(), StopHandle::new()?)?;
    let mut handler = Server::new(Parts {
        thread: 0,
        shared: Arc::new(shared),
        counters: Arc::new(ThreadCounters::default()),
        routes: router.view(),
        engine: engine.clone(),
        slots: SlotsOptions::of_lane(Lane::Inline, 1),
        ids: RequestIds::for_threads(1)?.remove(0),
        mailbox: event_loop.mailbox(),
    });

    handler.begin_turn();
    let clock = Clock::new(0, 0);
    let connection = Connection::new(&clock, &Deadlines::default());
    let mut feed = Feed { handler: &mut handler, connection, clock, out: Vec::new() };
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
    let (plain, mounted) = (ask("/plain"), ask("/z"));
    let hosted = "GET / HTTP/1.1\r\nHost: guest.localhost:8080\r\n\r\n";
    let baseline_ns = least_ns(rounds, || feed.ask(plain.as_bytes()));
    let by_path_ns = least_ns(rounds, || feed.ask(mounted.as_bytes()));
    let by_host_ns = least_ns(rounds, || feed.ask(hosted.as_bytes()));

    let request = Request { mount: "/z", ..Request::PLAIN };
    let (mut slots, mut answer) = (Slots::new(&engine, SlotsOptions::of_lane(Lane::Inline, 1)), Answer::default());
    let sandbox_ns = least_ns(rounds, || {
        let mut sandbox = slots.take(&current).expect("a slot");
        sandbox.call(&request, &INLINE, &mut answer).expect("a reply");
    });
    let mut view = router.view();
    let route_ns = least_ns(rounds, || assert!(view.routes().find("127.0.0.1", "/z").is_some()));

    for (layer, ns) in [
        ("baseline: octets to octets", baseline_ns),
        ("sandboxed, found by its path", by_path_ns),
        ("sandboxed, found by its host", by_host_ns),
        ("of it: the sandbox alone", sandbox_ns),
        ("of it: the route alone", route_ns),
        ("of it: lanes, counters, reply", by_path_ns - baseline_ns - sandbox_ns - route_ns),
    ] {
        println!("{layer:32} {ns:7.1} ns");
    }
    Ok(())
}
