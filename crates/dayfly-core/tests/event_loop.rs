//! The event loop over real sockets.
#![allow(missing_docs, reason = "tests")]

mod wire;

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use dayfly_core::event_loop::{Options, Spin};
use dayfly_core::listener;
use dayfly_http1::Deadlines;
use wire::{Client, PATIENCE, Server, Told, get};

fn start() -> Server {
    Server::start(Options::default())
}

#[test]
fn requests_are_answered_one_by_one_and_pipelined() {
    let server = start();
    let mut client = server.connect();
    client.send(get("/1").as_bytes());
    assert_eq!(client.answer().text(), "/1");
    client.send(["/2", "/3", "/4"].map(get).concat().as_bytes());
    for path in ["/2", "/3", "/4"] {
        assert_eq!(client.answer().text(), path);
    }
}

#[test]
fn requests_that_come_together_get_each_its_own_answer() {
    let server = start();
    for round in 0..20 {
        // Enough for several batches; in each some that leave, fail, or need more than one read.
        let mut clients: Vec<Client<_>> = (0..100).map(|_| server.connect()).collect();
        let content = vec![b'c'; 40_000];
        for (number, client) in clients.iter_mut().enumerate() {
            let path = format!("/{round}-{number}");
            match number % 5 {
                0 => client.send(get(&path).as_bytes()),
                1 => client.send((get(&path) + &get("/second")).as_bytes()),
                2 => client.send(get("/panic").as_bytes()),
                3 => {
                    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", content.len());
                    client.send(&[head.as_bytes(), &content].concat());
                }
                _ => {
                    client.send(get(&path).as_bytes());
                    client.end();
                }
            }
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let path = format!("/{round}-{number}");
            let answer = client.answer();
            match number % 5 {
                2 => assert_eq!(answer.status, 500),
                3 => assert!(answer.content == [path.as_bytes(), &content].concat()),
                _ => assert_eq!(answer.text(), path),
            }
            if number % 5 == 1 {
                assert_eq!(client.answer().text(), "/second");
            }
        }
    }
}

/// The kernel hands over what a client has sent before it tells that the client is gone: sending to it fails.
#[test]
fn nobody_gets_the_answer_of_a_client_that_is_gone() {
    let server = start();
    for round in 0..2000 {
        let mut gone = server.connect();
        gone.send(get(&format!("/gone-{round}")).as_bytes());
        reset(gone.stream);
        let mut client = server.connect();
        client.send(get("/mine").as_bytes());
        assert_eq!(client.answer().text(), "/mine", "round {round}");
    }
}

#[test]
fn nobody_gets_the_answer_of_a_process_that_is_gone() {
    let path = std::env::temp_dir().join(format!("dayfly-gone-{}", std::process::id()));
    let listener = listener::unix(&path, 1).expect("a new path").remove(0);
    let _server = Server::on(listener, Options::default());
    for round in 0..500 {
        let mut gone = UnixStream::connect(&path).expect("the server listens");
        gone.write_all(get(&format!("/gone-{round}")).as_bytes()).expect("the server reads");
        drop(gone);
        let mut client = Client { stream: UnixStream::connect(&path).expect("the server listens"), kept: Vec::new() };
        client.send(get("/mine").as_bytes());
        assert_eq!(client.answer().text(), "/mine", "round {round}");
    }
}

#[test]
fn every_way_of_waiting_answers() {
    for spin in [Spin::Auto, Spin::For(Duration::ZERO), Spin::For(Duration::from_micros(50))] {
        let server = Server::start(Options { spin, ..Options::default() });
        let mut client = server.connect();
        for round in 0..200 {
            client.send(get("/x").as_bytes());
            assert_eq!(client.answer().text(), "/x", "round {round}");
        }
        client.send(get("/later").as_bytes());
        server.mailbox.send(server.asked(), "late".to_owned());
        assert_eq!(client.answer().text(), "late");
    }
}

#[test]
fn a_half_closed_client_gets_all_its_answers() {
    let server = start();
    let mut client = server.connect();
    client.send((get("/1") + &get("/later") + &get("/3")).as_bytes());
    client.end();
    assert_eq!(client.answer().text(), "/1");
    server.mailbox.send(server.asked(), "2".to_owned());
    assert_eq!((client.answer().text(), client.answer().text()), ("2", "/3"));
    assert!(client.rest().is_empty());
}

#[test]
fn late_answers_from_many_threads_all_arrive() {
    let server = start();
    let mut clients: Vec<_> = (0..16).map(|_| server.connect()).collect();
    for round in 0..50 {
        for client in &mut clients {
            client.send(get("/later").as_bytes());
        }
        let tickets: Vec<_> = clients.iter().map(|_| server.asked()).collect();
        std::thread::scope(|scope| {
            for ticket in tickets {
                let mailbox = server.mailbox.clone();
                scope.spawn(move || mailbox.send(ticket, format!("{round}")));
            }
        });
        for client in &mut clients {
            assert_eq!(client.answer().text(), format!("{round}"));
        }
    }
}

#[test]
fn a_delayed_answer_comes_when_it_is_due_and_holds_up_nobody() {
    let server = start();
    let (mut slow, mut fast) = (server.connect(), server.connect());
    let began = Instant::now();
    slow.send(get("/delayed/300").as_bytes());
    fast.send(get("/delayed/50").as_bytes());
    assert_eq!(server.get("/x").text(), "/x");
    assert_eq!(fast.answer().text(), "after 50");
    assert!(
        (Duration::from_millis(50)..Duration::from_millis(290)).contains(&began.elapsed()),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(slow.answer().text(), "after 300");
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_client_that_left_is_told_of_and_its_answer_abandoned() {
    let server = start();
    let mut client = server.connect();
    client.send(get("/later").as_bytes());
    let ticket = server.asked();
    reset(client.stream);
    assert_eq!(server.told(), Told::Left(ticket));

    // The next client takes the same place; the answer does not find it.
    let mut next = server.connect();
    next.send(get("/later").as_bytes());
    let other = server.asked();
    assert_eq!((other.connection, other.generation == ticket.generation), (ticket.connection, false));
    server.mailbox.send(ticket, "lost".to_owned());
    assert_eq!(server.told(), Told::Abandoned("lost".to_owned()));
    server.mailbox.send(other, "found".to_owned());
    assert_eq!(next.answer().text(), "found");
}

/// Closes a socket with a reset.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("a socket");
    drop(stream);
}

#[test]
fn a_panic_costs_one_answer_and_one_connection() {
    let server = start();
    let (mut bystander, mut client) = (server.connect(), server.connect());
    bystander.send(get("/later").as_bytes());
    client.send((get("/1") + &get("/panic") + &get("/3")).as_bytes());
    assert_eq!(client.answer().text(), "/1");
    let answer = client.answer();
    assert_eq!((answer.status, answer.closes), (500, true));
    assert!(client.rest().is_empty());
    server.mailbox.send(server.asked(), "unharmed".to_owned());
    assert_eq!(bystander.answer().text(), "unharmed");
}

#[test]
fn a_refusal_outlives_content_that_nobody_reads() {
    let server = start();
    for _ in 0..20 {
        let mut client = server.connect();
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
        // More than the socket buffers hold: a reset would destroy the answer.
        for _ in 0..30 {
            if client.stream.write_all(&vec![b'z'; 100_000]).is_err() {
                break;
            }
        }
        client.end();
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes), (413, true));
        assert!(client.rest().is_empty());
    }
}

#[test]
fn a_reader_that_lags_gets_everything_and_holds_up_nobody() {
    const ANSWERS: usize = 200;
    const BYTES: usize = 100_000;
    let server = start();
    let mut client = server.connect();
    let mut writer = client.stream.try_clone().expect("a socket");
    let requests = get(&format!("/large/{BYTES}")).repeat(ANSWERS);
    std::thread::scope(|scope| {
        scope.spawn(move || writer.write_all(requests.as_bytes()).expect("the server takes it"));
        assert_eq!(server.get("/x").text(), "/x");
        for _ in 0..ANSWERS {
            assert_eq!(client.answer().content.len(), BYTES);
        }
    });
    client.send(get("/large/20000000").as_bytes());
    assert_eq!(server.get("/x").text(), "/x");
    assert_eq!(client.answer().content.len(), 20_000_000);
}

#[test]
fn large_content_arrives_whole() {
    let server = start();
    let mut client = server.connect();
    let content: Vec<u8> = (0..1u32 << 18).flat_map(u32::to_le_bytes).collect();
    let head = format!("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", content.len());
    for _ in 0..3 {
        client.send(&[head.as_bytes(), &content].concat());
        assert!(client.answer().content == [b"/p", &content[..]].concat());
    }
    client.send(b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in content.chunks(50_000) {
        client.send(&[format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    client.send(b"0\r\n\r\n");
    assert!(client.answer().content == [b"/p", &content[..]].concat());
}

#[test]
fn one_client_cannot_keep_the_thread() {
    let server = start();
    let mut greedy = server.connect();
    let mut writer = greedy.stream.try_clone().expect("a socket");
    let requests = get("/x").repeat(20_000);
    std::thread::scope(|scope| {
        scope.spawn(move || writer.write_all(requests.as_bytes()).expect("the server takes it"));
        for _ in 0..20 {
            assert_eq!(server.get("/y").text(), "/y");
        }
        for _ in 0..20_000 {
            assert_eq!(greedy.answer().text(), "/x");
        }
    });
}

#[test]
fn deadlines_end_what_does_not_go_on() {
    let deadlines =
        Deadlines { head_seconds: 2, content_seconds: 2, write_seconds: 2, idle_seconds: 3, linger_seconds: 1 };
    let server = Server::start(Options { deadlines, ..Options::default() });
    let began = Instant::now();
    let status = |octets: &[u8]| {
        let mut client = server.connect();
        client.send(octets);
        client
    };
    let mut head = status(b"GET / HT");
    let mut content = status(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab");
    let mut idle = status(get("/x").as_bytes());
    let mut fresh = status(b"");
    let reader = status(get("/large/50000000").as_bytes());

    assert_eq!(head.answer().status, 408);
    assert_eq!(content.answer().status, 408);
    assert!((1..=3).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(idle.answer().text(), "/x");
    assert!(idle.rest().is_empty() && fresh.rest().is_empty());
    assert!((2..=4).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    // The reader took nothing for longer than it may; by now the server has given up, and what it had sent is all there is.
    let mut reader = Client { stream: reader.stream, kept: Vec::new() };
    assert!(reader.rest().len() < 50_000_000);
    assert_eq!(server.get("/x").text(), "/x");
}

#[test]
fn what_all_clients_hold_together_has_a_limit() {
    let server = Server::start(Options { held_bytes_max: 3 << 20, ..Options::default() });
    let upload = |server: &Server| {
        let mut client = server.connect();
        client.send(b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
        client.send(&vec![b'z'; 900_000]);
        client
    };
    let mut clients: Vec<_> = (0..5).map(|_| upload(&server)).collect();
    // Small requests go on; those that hold the room get their answer, the others are told why not.
    assert_eq!(server.get("/x").text(), "/x");
    for client in &mut clients {
        // The refused ones may be closed by now.
        let _ = client.stream.write_all(&vec![b'z'; 100_000]);
    }
    let statuses: Vec<_> = clients.iter_mut().map(|client| client.answer().status).collect();
    assert!(statuses.contains(&200) && statuses.contains(&503), "{statuses:?}");

    // Answers that nobody reads are held too, and cut.
    let mut readers: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for reader in &mut readers {
        reader.send(get("/large/8000000").as_bytes());
    }
    assert_eq!(server.get("/x").text(), "/x");
    let whole = readers.iter_mut().map(|reader| {
        reader.end();
        reader.rest().len() > 8_000_000
    });
    assert!(whole.filter(|whole| *whole).count() < 8);
}

#[test]
fn connections_beyond_the_limit_wait_their_turn() {
    let server = Server::start(Options { connections_max: 2, ..Options::default() });
    let (mut first, mut second) = (server.connect(), server.connect());
    first.send(get("/1").as_bytes());
    second.send(get("/2").as_bytes());
    assert_eq!((first.answer().text(), second.answer().text()), ("/1", "/2"));

    // Both wait for a late answer: a third has no place until one of them is between requests.
    first.send(get("/later").as_bytes());
    second.send(get("/later").as_bytes());
    let tickets = [server.asked(), server.asked()];
    let mut third = server.connect();
    third.send(get("/3").as_bytes());
    server.mailbox.send(tickets[0], "1".to_owned());
    assert_eq!(first.answer().text(), "1");
    assert_eq!(third.answer().text(), "/3");
    server.mailbox.send(tickets[1], "2".to_owned());
    assert_eq!(second.answer().text(), "2");
}

#[test]
fn silent_connections_keep_nobody_out() {
    let server = Server::start(Options { connections_max: 8, ..Options::default() });
    let held: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for _ in 0..20 {
        assert_eq!(server.get("/x").text(), "/x");
    }
    drop(held);
}

#[test]
fn a_stopping_server_finishes_what_is_in_flight() {
    let server = start();
    let mut idle = server.connect();
    idle.send(get("/x").as_bytes());
    assert_eq!(idle.answer().text(), "/x");
    let mut waiting = server.connect();
    waiting.send(get("/later").as_bytes());
    let ticket = server.asked();
    let mut sending = server.connect();
    sending.send(b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
    assert_eq!(server.get("/seen").text(), "/seen");

    server.stop.stop();

    assert!(idle.rest().is_empty());
    assert!(TcpStream::connect(server.address).is_err(), "nothing is accepted any more");
    sending.send(b"b");
    let answer = sending.answer();
    assert_eq!((answer.text(), answer.closes), ("/pab", true));
    server.mailbox.send(ticket, "late".to_owned());
    let answer = waiting.answer();
    assert_eq!((answer.text(), answer.closes), ("late", true));
    drop((waiting, sending));
    server.join();
}

#[test]
fn a_connection_made_just_before_the_stop_is_served() {
    let server = start();
    for _ in 0..2 {
        server.get("/x");
    }
    let mut client = server.connect();
    server.stop.stop();
    client.send(get("/y").as_bytes());
    let answer = client.answer();
    assert_eq!((answer.text(), answer.closes), ("/y", true));
    drop(client);
    server.join();
}

#[test]
fn what_is_answered_after_the_stop_ends_its_connection_though_the_loop_has_not_seen_it() {
    let server = start();
    let (mut waiting, mut stopping) = (server.connect(), server.connect());
    waiting.send(get("/later").as_bytes());
    server.asked();
    stopping.send(get("/stop").as_bytes());
    let answer = waiting.answer();
    assert_eq!((answer.text(), answer.closes), ("after the stop", true));
    server.join();
}

#[test]
fn stopping_has_a_deadline_and_a_second_word_ends_at_once() {
    let server = Server::start(Options { drain_seconds: 1, ..Options::default() });
    let mut client = server.connect();
    client.send(get("/later").as_bytes());
    let ticket = server.asked();
    server.stop.stop();
    assert!(client.rest().is_empty());
    server.mailbox.send(ticket, "too late".to_owned());
    server.join();

    let server = start();
    let mut client = server.connect();
    client.send(get("/later").as_bytes());
    server.asked();
    let began = Instant::now();
    server.stop.stop();
    server.stop.stop();
    server.join();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(client.rest().is_empty());
}

#[test]
fn a_unix_socket_is_served_like_any_other() {
    let path = std::env::temp_dir().join(format!("dayfly-loop-{}", std::process::id()));
    let mut listeners = listener::unix(&path, 2).expect("a free path");
    let servers: Vec<_> = listeners.drain(..).map(|listener| Server::on(listener, Options::default())).collect();
    for _ in 0..20 {
        let stream = UnixStream::connect(&path).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut client = Client { stream, kept: Vec::new() };
        client.send(get("/peer").as_bytes());
        assert_eq!(client.answer().text(), "Unix");
    }
    drop(servers);
    assert!(!path.exists());
}

#[test]
fn urgent_octets_end_their_connection() {
    let server = start();
    for _ in 0..20 {
        let mut client = server.connect();
        client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n");
        rustix::net::send(&client.stream, b"!", rustix::net::SendFlags::OOB).expect("the server takes it");
        assert!(client.rest().is_empty());
    }
    assert_eq!(server.get("/x").text(), "/x");
}

#[test]
fn an_idle_server_uses_no_cpu() {
    for spin in [Spin::Auto, Spin::For(Duration::ZERO)] {
        let server = Server::start(Options { spin, ..Options::default() });
        let mut clients: Vec<_> = (0..50).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.send(get("/x").as_bytes());
            client.answer();
        }
        // Nothing is waited for here: the time itself is what is measured.
        std::thread::sleep(Duration::from_millis(500));
        drop(clients);
        server.stop.stop();
        let cpu = server.join();
        assert!(cpu < Duration::from_millis(100), "{cpu:?}");
    }
}
