//! A server whose handler answers a constant: what the event loop and the HTTP/1.1 machine cost without a sandbox.
//!
//! `constant --port 8080 [--threads 1] [--spin auto|MICROSECONDS]`, one line when ready.

use std::net::SocketAddr;
use std::time::Duration;

use dayfly_core::error::Error;
use dayfly_core::event_loop::{EventLoop, Options, Spin, StopHandle};
use dayfly_core::listener::{self, Listener};
use dayfly_http1::{Answered, Handler, Head, Peer, Refusal, Request, Respond, Ticket};

const PAGE: &[u8] = b"\tthis is a very\n\tlong string if I had the\n\tenergy to type more and more ...\n";

struct Constant;

impl Handler for Constant {
    type Late = ();

    fn admit(&mut self, _: &Head<'_>, _: &Peer) -> Result<u64, Refusal> {
        Ok(1 << 20)
    }

    fn call(&mut self, _: &Request<'_>, _: &Peer, _: Ticket, respond: Respond<'_>) -> Answered {
        respond.send(200, b"Content-Type: text/plain\r\n", PAGE)
    }

    fn settle(&mut self, (): (), _: Ticket, respond: Respond<'_>) -> Answered {
        respond.send(500, b"", b"")
    }

    fn abandon(&mut self, (): ()) {}
}

fn option(name: &str, default: &str) -> String {
    let arguments: Vec<String> = std::env::args().collect();
    let place = arguments.iter().position(|argument| argument == name);
    place.and_then(|place| arguments.get(place + 1)).cloned().unwrap_or_else(|| default.to_owned())
}

fn number(name: &str, default: &str) -> Result<u64, Error> {
    option(name, default).parse().map_err(|_| Error::Invalid(format!("`{name}` needs a number")))
}

fn serve(listener: Listener, options: Options, stop: StopHandle) -> Result<(), Error> {
    EventLoop::new(options, stop)?.run(vec![listener], &mut Constant)
}

fn main() -> Result<(), Error> {
    let address = SocketAddr::from(([127, 0, 0, 1], number("--port", "8080")? as u16));
    let threads = number("--threads", "1")? as usize;
    let spin = match option("--spin", "auto").as_str() {
        "auto" => Spin::Auto,
        _ => Spin::For(Duration::from_micros(number("--spin", "0")?)),
    };
    let options = Options { spin, ..Options::default() };
    let stop = StopHandle::new()?;
    let mut listeners = listener::tcp(address, threads)?;
    println!("serving http://{}", listeners[0].address().unwrap_or(address));
    let first = listeners.remove(0);
    for listener in listeners {
        let stop = stop.clone();
        std::thread::spawn(move || serve(listener, options, stop));
    }
    serve(first, options, stop)
}
