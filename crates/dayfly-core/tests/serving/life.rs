//! Servers and tenants that come and go.

use crate::support::{Bed, Client, PAGE, Scratch, core, guest, publish, serve, spec};
use dayfly_core::core::{Core, CoreOptions, ServerOptions};
use dayfly_core::error::Error;
use dayfly_core::limits::Limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn a_tenant_is_replaced_while_it_is_served() {
    let bed = Bed::new(&["hello"]);
    let replaced = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = bed.connect();
                let mut seen_new = false;
                while !seen_new {
                    // Asked before the request: what is published by then must answer it.
                    let must_be_new = replaced.load(Ordering::Acquire);
                    let answer = client.get("/hello");
                    assert_eq!(answer.status, 200);
                    let new = answer.text() != PAGE;
                    assert!(new || !must_be_new, "the old release answers a request that came after the swap");
                    seen_new = new && must_be_new;
                }
            });
        }
        for _ in 0..20 {
            bed.publish("hello", "counter", Limits::default());
            bed.publish("hello", "hello", Limits::default());
        }
        bed.publish("hello", "counter", Limits::default());
        replaced.store(true, Ordering::Release);
    });
    assert_eq!(bed.get("/hello").text(), "1\n1\n");
    assert_eq!(bed.tenant("hello").count("trap"), 0);
}

#[test]
fn a_request_in_flight_keeps_its_release() {
    let bed = Bed::new(&["sleep"]);
    let mut client = bed.connect();
    client.send("/sleep?300");
    bed.until(|stats| stats.tenants["sleep"].elsewhere == 1);
    bed.publish("sleep", "hello", Limits::default());
    assert_eq!(bed.get("/sleep").text(), PAGE);
    assert_eq!(client.receive().text(), "slept\n");
}

#[test]
fn reloads_do_not_pile_up_slots() {
    let bed = Bed::with(1, &ServerOptions::default(), &["hello"]);
    let mut client = bed.connect();
    for _ in 0..50 {
        bed.publish("hello", "hello", Limits::default());
        assert_eq!(client.get("/hello").text(), PAGE);
    }
    bed.until(|stats| stats.sandboxes.slots <= 2);
}

#[test]
fn a_retired_tenant_is_gone_and_its_counts_are_kept() {
    let bed = Bed::new(&["hello"]);
    assert_eq!(bed.get("/hello").status, 200);
    bed.core.retire("hello").expect("it is published");
    bed.get("/hello").check_problem(404, None);
    assert!(matches!(bed.core.retire("hello"), Err(Error::Invalid(_))));
    let stats = bed.stats();
    assert!(stats.tenants.is_empty());
    assert_eq!(stats.retired.count("ok"), 1);
    bed.publish("other", "trap", Limits::default());
    bed.get("/other").check_problem(500, Some("trap"));
}

#[test]
fn hosts_and_paths_belong_to_one_tenant() {
    let bed = Bed::new(&["hello"]);
    let snapshot = bed.core.freeze(&guest("trap"), &Limits::default()).expect("it freezes");
    let mut other = spec("other", Limits::default());
    other.paths = vec!["/hello".to_owned()];
    let error = bed.core.publish_snapshot(&other, &snapshot).expect_err("taken");
    assert_eq!(error.to_string(), "path `/hello` already belongs to `hello`");
    assert_eq!(bed.get("/hello").text(), PAGE);
    assert_eq!(bed.stats().tenants.len(), 1);
}

#[test]
fn stopping_finishes_what_is_in_flight() {
    let mut bed = Bed::new(&["hello", "busy", "sleep"]);
    let mut idle = bed.connect();
    assert_eq!(idle.get("/hello").status, 200);
    let mut busy: Vec<Client> = ["/busy?40", "/sleep?300", "/sleep?300"]
        .into_iter()
        .map(|path| {
            let mut client = bed.connect();
            client.send(path);
            client
        })
        .collect();
    bed.until(|stats| stats.tenants.values().map(|tenant| tenant.elsewhere).sum::<u64>() == 3);
    bed.stop().expect("serving ends well");
    for client in &mut busy {
        assert_eq!(client.receive().status, 200);
    }
    assert!(idle.at_end());
}

#[test]
fn a_core_serves_again_after_it_has_stopped() {
    let scratch = Scratch::new();
    let core = Arc::new(core(2, &scratch));
    publish(&core, "busy", "busy", Limits::default());
    for round in 1..=3 {
        let (address, served) = serve(&core, &ServerOptions::default());
        assert_eq!(Client::connect(address).get("/busy?5").status, 200);
        core.stop();
        served.join().expect("no panic").expect("serving ends well");
        assert_eq!(core.stats().tenants["busy"].count("ok"), round);
    }
}

#[test]
fn a_core_that_was_stopped_before_serving_does_not_serve() {
    let core = core(1, &Scratch::new());
    core.stop();
    core.serve(&ServerOptions { port: 0, ..ServerOptions::default() }, |_| {}).expect("it ends at once");
}

#[test]
fn a_core_serves_once_at_a_time_and_an_address_too() {
    let bed = Bed::new(&["hello"]);
    let again = bed.core.serve(&ServerOptions::default(), |_| panic!("it is not ready"));
    assert!(matches!(again, Err(Error::Invalid(_))), "{again:?}");
    let other = core(2, &Scratch::new());
    let options = ServerOptions { port: bed.address.port(), ..ServerOptions::default() };
    let refused = other.serve(&options, |_| panic!("it is not ready"));
    assert!(matches!(refused, Err(Error::AddressInUse(_))), "{refused:?}");
    assert_eq!(bed.get("/hello").text(), PAGE);
}

#[test]
fn two_cores_in_a_process_do_not_know_each_other() {
    let (one, two) = (Bed::new(&["hello", "spin"]), Bed::new(&["trap"]));
    thread::scope(|scope| {
        scope.spawn(|| (0..5).for_each(|_| one.get("/spin").check_problem(504, Some("cpu"))));
        for _ in 0..200 {
            assert_eq!(one.get("/hello").text(), PAGE);
            two.get("/trap").check_problem(500, Some("trap"));
            two.get("/hello").check_problem(404, None);
        }
    });
    assert_eq!(one.tenant("hello").count("ok"), 200);
    assert_eq!(two.tenant("trap").count("trap"), 200);
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let scratch = Scratch::new();
    for options in [
        CoreOptions { threads: 1000, ..CoreOptions::new(scratch.0.clone()) },
        CoreOptions { overflow_threads: 1000, ..CoreOptions::new(scratch.0.clone()) },
    ] {
        let error = Core::new(options).map(|_| ()).expect_err("too many").to_string();
        assert!(error.contains("threads` cannot be 1000"), "{error}");
    }
    let core = core(1, &scratch);
    let proxies = ServerOptions { trusted_proxies: vec!["proxy".to_owned()], ..ServerOptions::default() };
    let path = ServerOptions { baseline_path: Some("plain".to_owned()), ..ServerOptions::default() };
    for (options, name) in [(proxies, "`proxy`"), (path, "`plain`")] {
        let error = core.serve(&ServerOptions { port: 0, ..options }, |_| {}).expect_err("not valid").to_string();
        assert!(error.contains(name), "{error}");
    }
}
