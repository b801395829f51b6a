//! Every way a request can end.

use crate::support::{Bed, Client, PAGE};
use dayfly_core::core::ServerOptions;
use dayfly_core::limits::Limits;

const MS: u64 = 1_000_000;

#[test]
fn a_program_answers_at_its_path_and_at_its_host() {
    let bed = Bed::new(&["hello"]);
    let response = bed.get("/hello");
    assert_eq!((response.status, response.text().as_str()), (200, PAGE));
    assert_eq!(response.field("Content-Type"), Some("text/plain"));
    let mut client = bed.connect();
    client.write(b"GET /any/path HTTP/1.1\r\nHost: HELLO.localhost:8080\r\n\r\n");
    assert_eq!(client.receive().text(), PAGE);
    assert_eq!(bed.tenant("hello").count("ok"), 2);
}

#[test]
fn a_program_sees_the_request_below_its_mount() {
    let bed = Bed::new(&["echo"]);
    let mut client = bed.connect();
    client.write(
        b"POST /echo/a%20b?c=d HTTP/1.1\r\nHost: any\r\nX-Forwarded-For: 6.6.6.6\r\nAccept: */*\r\nContent-Length: 3\r\n\r\nabc",
    );
    let text = client.receive().text();
    assert!(text.starts_with("POST /a%20b?c=d\n"), "{text}");
    assert!(text.contains("Accept: */*\n") && text.ends_with("\n\nabc"), "{text}");
    assert!(!text.contains("6.6.6.6"), "{text}");
}

#[test]
fn a_program_sees_what_the_host_decided() {
    let bed = Bed::new(&["echo"]);
    let mut client = bed.connect();
    client.write(
        b"POST http://echo.localhost:80/x HTTP/1.1\r\nHost: evil\r\nX_Forwarded_For: 6.6.6.6\r\nProxy: evil\r\n\
          Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    let text = client.receive().text();
    assert!(text.contains("\nHost: echo.localhost:80\n") && text.contains("\nContent-Length: 3\n"), "{text}");
    assert!(!text.contains("evil") && !text.contains("6.6.6.6") && !text.contains("chunked"), "{text}");
}

#[test]
fn the_longest_head_fits_beside_its_host() {
    let bed = Bed::new(&["echo"]);
    let mut client = bed.connect();
    let host = "h".repeat(255);
    let head = format!("GET /echo/{} HTTP/1.1\r\nHost: {host}\r\n", "p".repeat((16 << 10) - 6));
    let fields: Vec<_> = (0..98).map(|n| format!("F{n}: {}\r\n", "v".repeat(320))).collect();
    client.write((head + &fields.concat() + "\r\n").as_bytes());
    assert_eq!(client.receive().status, 200);
    client.write(format!("GET /echo HTTP/1.1\r\nHost: {host}h\r\n\r\n").as_bytes());
    assert_eq!(client.receive().status, 400);
}

#[test]
fn content_of_any_size_up_to_the_limit_reaches_the_program() {
    let bed = Bed::new(&["echo"]);
    let mut client = bed.connect();
    for bytes in [0u32, 1, 4095, 8192, 100_000, 1 << 20] {
        let body: Vec<u8> = (0..bytes).map(|n| b'a' + (n % 23) as u8).collect();
        client.write(format!("PUT /echo HTTP/1.1\r\nHost: any\r\nContent-Length: {bytes}\r\n\r\n").as_bytes());
        client.write(&body);
        let response = client.receive();
        assert!(response.status == 200 && response.body.ends_with(&body), "{bytes}: {}", response.status);
    }
}

#[test]
fn head_is_answered_without_content() {
    let bed = Bed::new(&["hello"]);
    let mut client = bed.connect();
    client.write(b"HEAD /hello HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n");
    let head = client.head();
    assert_eq!((head.status, head.field("Content-Length")), (200, Some(PAGE.len().to_string().as_str())));
    assert!(client.at_end());
}

#[test]
fn a_trap_is_500() {
    let bed = Bed::new(&["trap"]);
    bed.get("/trap").check_problem(500, Some("trap"));
    assert_eq!(bed.tenant("trap").count("trap"), 1);
    let logs = bed.core.logs();
    assert!(logs.iter().any(|record| &*record.tenant == "trap" && record.level == 3), "{logs:?}");
}

#[test]
fn an_endless_loop_is_504_cpu() {
    let bed = Bed::new(&["spin"]);
    bed.get("/spin").check_problem(504, Some("cpu"));
    let tenant = bed.tenant("spin");
    assert_eq!((tenant.count("cpu"), tenant.reruns), (1, 1));
    assert!(tenant.cpu_ns >= 50 * MS && tenant.rerun_cpu_ns > 0, "{tenant:?}");
}

#[test]
fn filling_memory_without_end_is_504_cpu() {
    let bed = Bed::new(&["bulk"]);
    bed.get("/bulk").check_problem(504, Some("cpu"));
}

#[test]
fn sleeping_beyond_the_wall_limit_is_504_wall() {
    let bed = Bed::new(&["sleep"]);
    bed.publish("sleep", "sleep", Limits { wall_ns_max: 20 * MS, ..Limits::default() });
    bed.get("/sleep?60000").check_problem(504, Some("wall"));
}

#[test]
fn sleeping_within_it_is_answered() {
    let bed = Bed::new(&["sleep"]);
    assert_eq!(bed.get("/sleep?5").text(), "slept\n");
    let stats = bed.stats();
    assert_eq!((stats.blocking.runs, stats.overflow.runs), (1, 0));
    assert_eq!(stats.tenants["sleep"].requests[0].lane, "blocking");
}

#[test]
fn dying_of_refused_memory_is_507() {
    let bed = Bed::new(&["grow"]);
    // Touching all of its memory takes its time on a machine that has other work.
    bed.publish("hog", "hog", Limits { cpu_ns_max: 5_000_000_000, ..Limits::default() });
    bed.get("/hog").check_problem(507, Some("memory"));
    assert_eq!(bed.get("/grow").status, 200, "a program that copes is answered");
}

#[test]
fn a_reply_that_breaks_a_rule_is_502() {
    let bed = Bed::new(&["badreply"]);
    assert_eq!(bed.get("/badreply?0").status, 200);
    for which in [1, 2].into_iter().chain(6..=21) {
        bed.get(&format!("/badreply?{which}")).check_problem(502, Some("bad_response"));
    }
    bed.core.logs();
    bed.get("/badreply?3").check_problem(500, Some("trap"));
    let logs = bed.core.logs();
    assert_eq!((logs.len(), logs[0].text.as_str()), (1, "out of good luck"), "a reason is for the tenant's log only");
}

#[test]
fn an_exception_that_nobody_catches_is_500() {
    let bed = Bed::new(&["throw"]);
    bed.get("/throw?uncaught").check_problem(500, Some("trap"));
    assert_eq!(bed.get("/throw").text(), "caught\n");
}

#[test]
fn an_unknown_host_or_path_is_404() {
    let bed = Bed::new(&["hello"]);
    for path in ["/", "/helloo", "/unknown"] {
        bed.get(path).check_problem(404, None);
    }
    let mut client = bed.connect();
    client.write(b"POST / HTTP/1.1\r\nHost: unknown.localhost\r\nContent-Length: 1000000\r\n\r\n");
    client.receive().check_problem(404, None);
    assert!(client.at_end());
    assert_eq!(bed.stats().threads.iter().map(|thread| thread.unknown).sum::<u64>(), 4);
}

#[test]
fn content_beyond_the_tenants_limit_is_413() {
    let bed = Bed::new(&["echo"]);
    bed.publish("echo", "echo", Limits { request_body_bytes_max: 10, ..Limits::default() });
    let ask = |bytes: usize| {
        let mut client = bed.connect();
        client.write(format!("POST /echo HTTP/1.1\r\nHost: any\r\nContent-Length: {bytes}\r\n\r\n").as_bytes());
        client.write(&b"0123456789a"[..bytes]);
        client.receive()
    };
    assert_eq!(ask(10).status, 200);
    ask(11).check_problem(413, None);
    let mut client = bed.connect();
    client
        .write(b"POST /echo HTTP/1.1\r\nHost: any\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n");
    assert_eq!(client.receive().status, 413);
}

#[test]
fn a_full_queue_is_503_and_tells_when_to_come_back() {
    let bed = Bed::new(&[]);
    // Much wall time: on a busy machine two seconds of CPU time at low priority can take a minute.
    let limits = Limits { queue_max: 1, cpu_ns_max: 2_000 * MS, wall_ns_max: 120_000 * MS, ..Limits::default() };
    bed.publish("spin", "spin", limits);
    let mut first = bed.connect();
    first.send("/spin");
    bed.until(|stats| stats.tenants["spin"].elsewhere == 1);
    bed.get("/spin").check_problem(503, Some("overload"));
    first.receive().check_problem(504, Some("cpu"));
    assert_eq!(bed.tenant("spin").count("overload"), 1);
}

#[test]
fn the_baseline_path_is_answered_without_a_tenant() {
    // The one field that only a tenant's answer has.
    let options = ServerOptions {
        release_header: false,
        baseline_path: Some("/plain".to_owned()),
        baseline_body: PAGE.to_owned(),
        ..ServerOptions::default()
    };
    let bed = Bed::with(1, &options, &["hello"]);
    let (plain, sandboxed) = (bed.get("/plain"), bed.get("/hello"));
    assert_eq!(plain.body, sandboxed.body);
    let names = |fields: &[(String, String)]| fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&plain.fields), names(&sandboxed.fields));
    assert_eq!(bed.stats().threads[0].baseline, 1);
    bed.get("/plain/x").check_problem(404, None);
    let mut client = bed.connect();
    client.write(b"POST /plain HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(client.receive().status, 200);
    assert_eq!(bed.stats().threads[0].baseline, 1, "a tenant's own host is wholly its tenant's");
}

#[test]
fn log_lines_come_from_the_run_that_answers() {
    let bed = Bed::new(&["log"]);
    let mut client: Client = bed.connect();
    for _ in 0..3 {
        assert_eq!(client.get("/log?2").status, 200);
    }
    let logs = bed.core.logs();
    assert_eq!(logs.len(), 6, "{logs:?}");
    assert!(logs.iter().all(|record| &*record.tenant == "log" && record.release.len() == 64));
}
