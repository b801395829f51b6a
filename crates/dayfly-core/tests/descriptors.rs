//! Out of descriptors. Alone in its program, since the limit holds for a whole process.
#![allow(missing_docs, reason = "tests")]

mod wire;

use std::os::fd::AsRawFd;
use std::time::Duration;

use dayfly_core::event_loop::{Options, Spin};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wire::{Server, get};

#[test]
fn a_server_out_of_descriptors_rests_and_goes_on_when_there_are_some() {
    let server = Server::start(Options { spin: Spin::For(Duration::ZERO), ..Options::default() });
    let mut first = server.connect();
    first.send(get("/1").as_bytes());
    assert_eq!(first.answer().text(), "/1");

    // Connected while there are descriptors for the client's end and none for the server's.
    let before = getrlimit(Resource::Nofile);
    let waiting = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let last = u64::try_from(waiting.as_raw_fd()).expect("not negative");
    drop(waiting);
    setrlimit(Resource::Nofile, Rlimit { current: Some(last + 1), ..before }).expect("a lower limit");
    let mut second = server.connect();
    second.send(get("/2").as_bytes());
    first.send(get("/1").as_bytes());
    assert_eq!(first.answer().text(), "/1");
    // Nothing is waited for: had the server gone on trying, it would have used this time.
    std::thread::sleep(Duration::from_millis(500));
    second.stream.set_nonblocking(true).expect("a socket");
    assert!(second.stream.peek(&mut [0]).is_err(), "there is no descriptor for it");
    second.stream.set_nonblocking(false).expect("a socket");

    setrlimit(Resource::Nofile, before).expect("the limit that was");
    assert_eq!(second.answer().text(), "/2");
    drop((first, second));
    server.stop.stop();
    let cpu = server.join();
    assert!(cpu < Duration::from_millis(100), "{cpu:?}");
}
