//! Tenants beside each other. Counts only: how fast things are is measured elsewhere.

use crate::support::{Bed, Client, PAGE, spec};
use dayfly_core::core::ServerOptions;
use dayfly_core::limits::Limits;
use dayfly_core::stats::TenantStats;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const MS: u64 = 1_000_000;

#[test]
fn late_answers_keep_the_order_of_a_pipeline() {
    let bed = Bed::new(&["hello", "busy", "sleep", "trap"]);
    let mut client = bed.connect();
    let paths = ["/hello", "/busy?5", "/hello", "/sleep?3", "/trap", "/busy?3", "/hello"];
    for _ in 0..3 {
        for path in paths {
            client.send(path);
        }
        let answers: Vec<String> = paths.iter().map(|_| client.receive().text()).collect();
        assert_eq!([&*answers[0], &*answers[2], &*answers[6]], [PAGE; 3]);
        assert_eq!([&*answers[1], &*answers[3], &*answers[5]], ["busy\n", "slept\n", "busy\n"]);
        assert!(answers[4].contains("trap"), "{}", answers[4]);
    }
}

#[test]
fn hello_is_answered_beside_tenants_that_take_all_they_can() {
    let bed = &Bed::new(&["hello", "spin", "busy", "bulk"]);
    thread::scope(|scope| {
        for path in ["/spin", "/busy?5", "/bulk"] {
            for _ in 0..4 {
                scope.spawn(move || {
                    let mut client = bed.connect();
                    for _ in 0..5 {
                        let answer = client.get(path);
                        let fits = if path == "/busy?5" { answer.status == 200 } else { answer.cause() == Some("cpu") };
                        assert!(fits, "{path}: {answer:?}");
                    }
                });
            }
        }
        let mut client = bed.connect();
        for _ in 0..2000 {
            assert_eq!(client.get("/hello").text(), PAGE);
        }
    });
    let stats = bed.stats();
    let hello = &stats.tenants["hello"];
    assert_eq!((hello.count("ok"), hello.reruns), (2000, 0), "{hello:?}");
    assert_eq!(stats.tenants["spin"].count("cpu"), 20);
    assert_eq!(stats.tenants["bulk"].count("cpu"), 20);
    assert_eq!(stats.tenants["busy"].count("ok"), 20);
}

#[test]
fn a_slow_tenant_is_not_tried_inline_again_and_again() {
    let bed = Bed::new(&["busy"]);
    let mut client = bed.connect();
    for _ in 0..50 {
        assert_eq!(client.get("/busy?5").status, 200);
    }
    let stats = bed.stats();
    let overruns: u64 = stats.threads.iter().map(|thread| thread.overruns).sum();
    assert!(overruns <= 2, "{overruns} overruns");
    assert_eq!(stats.tenants["busy"].reruns, overruns);
}

/// Answers after so many rounds of a loop.
fn rounds(count: u32) -> Vec<u8> {
    let text = format!(
        r#"(module
          (memory (export "memory") 1)
          (data (i32.const 1024) (i32 200 0 0 0 0 2048 5 0 0))
          (data (i32.const 2048) "done\n")
          (func (export "dayfly_handle") (param i32) (result i32)
            (local $left i32)
            (local.set $left (i32.const {count}))
            (loop $again (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
            (i32.const 1024)))"#
    );
    wat::parse_str(text).expect("a module")
}

#[test]
fn runs_that_are_long_only_together_leave_the_thread_to_others() {
    let bed = &Bed::with(1, &ServerOptions::default(), &["hello"]);
    let limits = Limits::default();
    // Some 0.2 ms: well within what one run may take.
    let snapshot = bed.core.freeze(&rounds(400_000), &limits).expect("it can be frozen");
    bed.core.publish_snapshot(&spec("steady", limits), &snapshot).expect("no conflict");
    let moved = &AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = bed.connect();
                while !moved.load(Ordering::Relaxed) {
                    (0..16).for_each(|_| client.send("/steady"));
                    (0..16).for_each(|_| assert_eq!(client.receive().text(), "done\n"));
                }
            });
        }
        let mut client = bed.connect();
        let elsewhere = |stats: &TenantStats| {
            stats.requests.iter().find(|line| line.lane == "overflow").map_or(0, |line| line.count)
        };
        bed.until(|stats| {
            assert_eq!(client.get("/hello").text(), PAGE);
            elsewhere(&stats.tenants["steady"]) > 200
        });
        moved.store(true, Ordering::Relaxed);
    });
    assert_eq!(bed.tenant("hello").reruns, 0);
}

#[test]
fn a_tenant_that_became_fast_runs_inline_again() {
    let bed = Bed::new(&["busy"]);
    let mut client = bed.connect();
    let inline = || bed.tenant("busy").requests.iter().find(|line| line.lane == "inline").map_or(0, |line| line.count);
    client.get("/busy?5");
    let before = inline();
    let again = (0..10_000).any(|_| {
        assert_eq!(client.get("/busy?0").status, 200);
        inline() > before
    });
    assert!(again, "{:?}", bed.tenant("busy"));
}

#[test]
fn a_run_that_is_thrown_away_leaves_nothing() {
    let bed = &Bed::new(&["counter", "scribble", "touch"]);
    thread::scope(|scope| {
        for path in ["/counter", "/scribble", "/touch?1500", "/touch?8"] {
            scope.spawn(move || {
                let mut client = bed.connect();
                let first = client.get(path).text();
                for _ in 0..30 {
                    assert_eq!(client.get(path).text(), first);
                }
            });
        }
    });
    assert_eq!(bed.get("/counter").text(), "1\n1\n");
}

#[test]
fn nothing_is_run_for_a_client_that_has_left() {
    let bed = Bed::new(&[]);
    bed.publish("spin", "spin", Limits { cpu_ns_max: 500 * MS, ..Limits::default() });
    let mut first = bed.connect();
    first.send("/spin");
    bed.until(|stats| stats.tenants["spin"].elsewhere == 1);
    let mut others: Vec<_> = (0..20).map(|_| bed.connect()).collect();
    for client in &mut others {
        client.send("/spin");
    }
    bed.until(|stats| stats.tenants["spin"].elsewhere == 21);
    others.into_iter().for_each(Client::vanish);
    first.receive().check_problem(504, Some("cpu"));
    bed.until(|stats| stats.tenants["spin"].count("left") == 20);
    let stats = bed.stats();
    assert!(stats.overflow.skipped >= 15, "{:?}", stats.overflow);
    assert_eq!(stats.tenants["spin"].elsewhere, 0);
}

#[test]
fn what_waits_beyond_its_wall_time_is_not_run() {
    let bed = Bed::new(&[]);
    bed.publish("spin", "spin", Limits { cpu_ns_max: 400 * MS, wall_ns_max: 200 * MS, ..Limits::default() });
    let mut clients: Vec<_> = (0..10).map(|_| bed.connect()).collect();
    for client in &mut clients {
        client.send("/spin");
    }
    for client in &mut clients {
        client.receive().check_problem(504, Some("wall"));
    }
    assert!(bed.stats().overflow.skipped >= 5, "{:?}", bed.stats().overflow);
}

#[test]
fn sleepers_do_not_hold_up_computation() {
    let bed = Bed::new(&["sleep", "busy"]);
    let mut sleepers: Vec<_> = (0..8).map(|_| bed.connect()).collect();
    for client in &mut sleepers {
        client.send("/sleep?2000");
    }
    bed.until(|stats| stats.tenants["sleep"].elsewhere == 8);
    assert_eq!(bed.get("/busy?5").status, 200);
    assert_eq!(bed.tenant("sleep").elsewhere, 8, "all of them still sleep");
    for client in &mut sleepers {
        assert_eq!(client.receive().text(), "slept\n");
    }
}
