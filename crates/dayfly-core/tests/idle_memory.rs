//! What an idle connection costs. Alone in its program, since the figure is the process's resident memory.
#![allow(missing_docs, reason = "tests")]

mod wire;

use dayfly_core::event_loop::Options;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wire::{Server, get};

/// Fewer where the hard limit of descriptors is low: each takes two.
const CONNECTIONS_MAX: usize = 4000;

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * rustix::param::page_size()
}

#[test]
fn an_idle_connection_takes_at_most_one_kibibyte() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("the hard limit is allowed");
    let connections = limit.maximum.map_or(CONNECTIONS_MAX, |limit| CONNECTIONS_MAX.min(limit as usize / 2 - 50));
    let server = Server::start(Options::default());
    // The first ones fill the shared buffers.
    let mut clients = Vec::with_capacity(connections);
    clients.extend((0..100).map(|_| server.connect()));
    let ask = |client: &mut wire::Client<std::net::TcpStream>| {
        client.send(get("/x").as_bytes());
        assert_eq!(client.answer().text(), "/x");
        client.kept = Vec::new();
    };
    clients.iter_mut().for_each(ask);
    let before = resident_bytes();

    while clients.len() < connections {
        let mut client = server.connect();
        ask(&mut client);
        clients.push(client);
    }

    let each = (resident_bytes() - before) / (connections - 100);
    println!("{each} octets an idle connection");
    assert!(each <= 1024, "{each} octets");
}
