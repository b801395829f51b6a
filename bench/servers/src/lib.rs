//! What both reference servers share: the page, the port and the socket.

use std::net::{SocketAddr, TcpListener};

use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};

/// The page of the seed program, which every server of the benchmark answers with.
pub const PAGE: &[u8] = b"\tthis is a very\n\tlong string if I had the\n\tenergy to type more and more ...\n";

/// A non-blocking listener on the port that `--port` names; prints the one line that says it is there.
///
/// # Panics
/// If the port is not given or not free.
pub fn listener() -> TcpListener {
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let port = port.and_then(|port| port.parse().ok()).expect("usage: --port NUMBER");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    sockopt::set_socket_reuseaddr(&socket, true).expect("an option that exists");
    sockopt::set_tcp_nodelay(&socket, true).expect("an option that exists");
    bind(&socket, &address).expect("a free port");
    listen(&socket, 4096).expect("a bound socket");
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true).expect("a socket");
    println!("serving http://{}", listener.local_addr().expect("a bound socket"));
    listener
}
