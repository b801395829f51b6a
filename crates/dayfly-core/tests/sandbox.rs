//! A sandbox answers, is restored, and knows nothing of the request before; what goes wrong has a name.

mod support;

use dayfly_core::engine::EngineOptions;
use dayfly_core::error::Stop;
use dayfly_core::message::{Answer, Field, Request};
use dayfly_core::sandbox::{Allowance, Lane, Restored, Sandbox};
use std::time::{Duration, Instant};
use support::{Bench, PAGE, allowance, ask, protections, request};

#[track_caller]
fn assert_no_difference(bench: &Bench) {
    let counters = bench.engine.counters().snapshot();
    assert_eq!(counters.paranoid_differences, 0, "{counters:?}");
    assert!(counters.paranoid_checks > 0, "{counters:?}");
}

#[test]
fn every_guest_answers_the_same_before_and_after_a_restore() {
    let guests = [
        ("hello", ""),
        ("echo", "x=1"),
        ("grow", "3"),
        ("scribble", "7"),
        ("touch", "100"),
        ("throw", "5"),
        ("counter", ""),
        ("log", ""),
        ("busy", "1"),
        ("badreply", "0"),
    ];
    for protection in protections() {
        let bench = Bench::new(protection);
        for (guest, query) in guests {
            let mut sandbox = Sandbox::new(&bench.release(guest)).expect("a sandbox");
            let first = ask(&mut sandbox, query);
            assert!(first.is_ok(), "{guest}: {first:?}");
            for round in 0..200 {
                assert_eq!(sandbox.restore(), Restored::Clean, "{guest}, {protection:?}, round {round}");
                assert_eq!(ask(&mut sandbox, query), first, "{guest}, {protection:?}, round {round}");
            }
            assert_eq!(sandbox.restore(), Restored::Clean);
            assert!(sandbox.equals_image(), "{guest}, {protection:?}");
        }
        assert_no_difference(&bench);
    }
}

#[test]
fn a_request_changes_with_the_request_and_not_with_the_one_before() {
    for protection in protections() {
        let bench = Bench::new(protection);
        let mut sandbox = Sandbox::new(&bench.release("touch")).expect("a sandbox");
        for pages in [1, 1000, 2, 500, 3, 1984, 1] {
            ask(&mut sandbox, &pages.to_string()).expect("an answer");
            assert_eq!(sandbox.restore(), Restored::Clean, "{protection:?}, {pages} pages");
            assert!(sandbox.equals_image(), "{protection:?}, {pages} pages");
        }
        assert_no_difference(&bench);
    }
}

#[test]
fn hello_writes_nothing_and_costs_no_page() {
    for protection in protections() {
        let bench = Bench::new(protection);
        let mut sandbox = Sandbox::new(&bench.release("hello")).expect("a sandbox");
        for _ in 0..100 {
            assert_eq!(ask(&mut sandbox, ""), Ok(PAGE.to_owned()));
            assert_eq!(sandbox.restore(), Restored::Clean);
        }
        assert_eq!(sandbox.hot_pages(), 0);
    }
}

#[test]
fn growth_is_undone_and_reaches_the_limit_each_time() {
    for protection in protections() {
        let bench = Bench::new(protection);
        let mut sandbox = Sandbox::new(&bench.release("grow")).expect("a sandbox");
        for _ in 0..20 {
            assert_eq!(ask(&mut sandbox, "1").as_deref(), Ok("256\n"));
            assert_eq!(sandbox.restore(), Restored::Clean);
        }
        assert!(sandbox.equals_image());
        assert_no_difference(&bench);
    }
}

#[test]
fn stops_have_their_causes() {
    for protection in protections() {
        let bench = Bench::new(protection);
        let stop = |guest: &str, query: &str, cpu_ns_max: u64| {
            let mut sandbox = Sandbox::new(&bench.release(guest)).expect("a sandbox");
            let allowance = Allowance { lane: Lane::Overflow, cpu_ns_max, wall_deadline: None };
            let mut answer = Answer::default();
            let stop = sandbox.call(&request(query), &allowance, &mut answer).expect_err("no answer");
            assert_eq!(sandbox.restore(), Restored::Spent, "{guest}");
            stop
        };
        assert_eq!(stop("spin", "", 5_000_000), Stop::Cpu);
        assert_eq!(stop("bulk", "", 20_000_000), Stop::Cpu);
        assert!(matches!(stop("hog", "", support::CPU_NS), Stop::Memory(_)));
        assert!(matches!(stop("trap", "", support::CPU_NS), Stop::Trap(text) if text.contains("unreachable")));
        assert!(matches!(stop("recurse", "", support::CPU_NS), Stop::Trap(text) if text.contains("stack")));
        assert!(matches!(stop("throw", "u", support::CPU_NS), Stop::Trap(text) if text.contains("exception")));
        assert_eq!(stop("sleep", "1", support::CPU_NS), Stop::Blocks);
        assert_eq!(bench.engine.counters().snapshot().discards, 7);
    }
}

#[test]
fn a_run_past_its_wall_deadline_is_stopped() {
    let bench = Bench::new(protections()[0]);
    let call = |guest: &str, lane: Lane, query: &str| {
        let mut sandbox = Sandbox::new(&bench.release(guest)).expect("a sandbox");
        let wall_deadline = Some(Instant::now() + Duration::from_millis(5));
        let allowance = Allowance { lane, cpu_ns_max: support::CPU_NS, wall_deadline };
        sandbox.call(&request(query), &allowance, &mut Answer::default())
    };
    assert_eq!(call("spin", Lane::Inline, ""), Err(Stop::Wall));
    assert_eq!(call("spin", Lane::Overflow, ""), Err(Stop::Wall));
    assert_eq!(call("sleep", Lane::Blocking, "100000"), Err(Stop::Wall));
}

#[test]
fn blocking_is_for_the_blocking_lane() {
    let bench = Bench::new(protections()[0]);
    let mut sandbox = Sandbox::new(&bench.release("sleep")).expect("a sandbox");
    let mut answer = Answer::default();
    assert_eq!(sandbox.call(&request("1"), &allowance(Lane::Blocking), &mut answer), Ok(()));
    assert!(sandbox.blocked());
    assert_eq!(sandbox.restore(), Restored::Clean);
    assert_eq!(sandbox.call(&request("1"), &allowance(Lane::Inline), &mut answer), Err(Stop::Blocks));
}

#[test]
fn cpu_time_is_told() {
    let bench = Bench::new(protections()[0]);
    let mut sandbox = Sandbox::new(&bench.release("busy")).expect("a sandbox");
    ask(&mut sandbox, "5").expect("an answer");
    // The guest's clock ticks in whole milliseconds, and other threads may run meanwhile.
    assert!(sandbox.cpu_ns() > 0);
    let mut hello = Sandbox::new(&bench.release("hello")).expect("a sandbox");
    hello.call(&request(""), &allowance(Lane::Inline), &mut Answer::default()).expect("an answer");
    assert!(hello.cpu_ns() < 1_000_000_000);
}

#[test]
fn the_log_of_a_run_is_told_even_if_it_is_stopped() {
    let bench = Bench::new(protections()[0]);
    let release = bench.release_of_text(
        r#"(module
            (import "dayfly" "log" (func $log (param i32 i32 i32)))
            (memory (export "memory") 1)
            (data (i32.const 8) "last words")
            (func (export "dayfly_handle") (param i32) (result i32)
                (call $log (i32.const 3) (i32.const 8) (i32.const 10))
                unreachable))"#,
    );
    let mut answer = Answer::default();
    for _ in 0..3 {
        let mut sandbox = Sandbox::new(&release).expect("a sandbox");
        sandbox.call(&request(""), &allowance(Lane::Inline), &mut answer).expect_err("it traps");
        assert_eq!(answer.log.lines, [(3, "last words".to_owned())]);
    }
    let mut sandbox = Sandbox::new(&bench.release("hello")).expect("a sandbox");
    sandbox.call(&request(""), &allowance(Lane::Inline), &mut answer).expect("an answer");
    assert!(answer.log.is_empty(), "a log belongs to one run");
}

#[test]
fn a_run_logs_no_more_than_it_may() {
    let bench = Bench::new(protections()[0]);
    let mut sandbox = Sandbox::new(&bench.release("log")).expect("a sandbox");
    let mut answer = Answer::default();
    for lines in [100, 3] {
        let query = lines.to_string();
        sandbox.call(&request(&query), &allowance(Lane::Inline), &mut answer).expect("an answer");
        assert_eq!(answer.log.lines.len(), lines.min(64));
        assert_eq!(answer.log.cut as usize, lines.saturating_sub(64));
        assert_eq!(sandbox.restore(), Restored::Clean);
    }
}

#[test]
fn the_whole_request_reaches_the_program() {
    let bench = Bench::new(protections()[0]);
    let mut sandbox = Sandbox::new(&bench.release("echo")).expect("a sandbox");
    let mut answer = Answer::default();
    let fields = [Field { name: "accept", value: b"*/*" }, Field { name: "x-empty", value: b"" }];
    for bytes in [0, 1, 4096, 8192, 8193, 100_000, 1_000_000] {
        let body: Vec<u8> = (0..bytes).map(|at: usize| (at % 251) as u8).collect();
        let request =
            Request { method: "PUT", path: "/a%20b", query: "x=1", fields: &fields, body: &body, ..request("") };
        sandbox.call(&request, &allowance(Lane::Overflow), &mut answer).expect("an answer");
        let head = b"PUT /a%20b?x=1\naccept: */*\nx-empty: \n\n";
        assert!(answer.reply.body.starts_with(head) && answer.reply.body[head.len()..] == body, "{bytes} octets");
        assert_eq!(sandbox.restore(), Restored::Clean);
    }
    assert_no_difference(&bench);
}

#[test]
fn bad_replies_are_refused_and_the_sandbox_goes_on() {
    for protection in protections() {
        let bench = Bench::new(protection);
        let mut sandbox = Sandbox::new(&bench.release("badreply")).expect("a sandbox");
        for case in 0..28 {
            let answered = ask(&mut sandbox, &case.to_string());
            match case {
                // Good; a dropped `connection`; content that a 204 loses.
                0 | 24 => assert_eq!(answered.as_deref(), Ok("ok\n"), "{case}"),
                27 => assert_eq!(answered.as_deref(), Ok("")),
                3 => assert_eq!(answered, Err(Stop::Trap("out of good luck".to_owned()))),
                4 => assert_eq!(answered, Err(Stop::Trap(String::new()))),
                _ => assert!(matches!(answered, Err(Stop::BadResponse(_))), "{case}: {answered:?}"),
            }
            assert_eq!(sandbox.restore(), Restored::Clean, "{case}");
        }
        assert_no_difference(&bench);
    }
}

#[test]
fn random_numbers_differ_from_request_to_request() {
    let bench = Bench::new(protections()[0]);
    let mut sandbox = Sandbox::new(&bench.release("random")).expect("a sandbox");
    let first = ask(&mut sandbox, "").expect("an answer");
    assert_eq!(sandbox.restore(), Restored::Clean);
    assert_ne!(ask(&mut sandbox, "").expect("an answer"), first);
}

#[test]
fn a_program_with_state_outside_memory_gets_a_new_instance() {
    let bench = Bench::new(protections()[0]);
    // Answers with the status that a table's entry gives, then replaces the entry.
    let release = bench.release_of_text(
        r#"(module
            (memory (export "memory") 1)
            (table 1 funcref)
            (elem (i32.const 0) $first)
            (elem declare func $second)
            (type $status (func (result i32)))
            (func $first (result i32) (i32.const 201))
            (func $second (result i32) (i32.const 202))
            (func (export "dayfly_takes") (result i32) (i32.const 4))
            (func (export "dayfly_handle") (param $frame i32) (result i32)
                (i32.store (i32.const 0) (call_indirect (type $status) (i32.const 0)))
                (if (i32.load offset=20 (local.get $frame))
                    (then (table.set (i32.const 0) (ref.func $second))))
                (i32.const 0)))"#,
    );
    assert!(release.fresh().is_some());
    let mut sandbox = Sandbox::new(&release).expect("a sandbox");
    let mut answer = Answer::default();
    for (query, restored) in [("", Restored::Clean), ("change", Restored::Spent), ("", Restored::Clean)] {
        sandbox.call(&request(query), &allowance(Lane::Inline), &mut answer).expect("an answer");
        assert_eq!(answer.reply.status, 201);
        assert_eq!(sandbox.restore(), restored);
        if restored == Restored::Spent {
            sandbox = Sandbox::new(&release).expect("a sandbox");
        }
    }
}

#[test]
fn exceptions_that_are_kept_are_memory() {
    let bench = Bench::new(protections()[0]);
    // Each level of the recursion holds on to an exception.
    let release = bench.release_of_text(
        r#"(module
            (memory (export "memory") 1)
            (tag $oops (param i64 i64 i64 i64))
            (func $keep (param $depth i32) (result exnref)
                (local $caught exnref)
                (local.set $caught
                    (block $handler (result exnref)
                        (try_table (catch_all_ref $handler)
                            (throw $oops (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)))
                        unreachable))
                (if (local.get $depth)
                    (then (drop (call $keep (i32.sub (local.get $depth) (i32.const 1))))))
                (local.get $caught))
            (func (export "dayfly_takes") (result i32) (i32.const 4))
            (func (export "dayfly_handle") (param $frame i32) (result i32)
                (drop (call $keep (select (i32.const 3000) (i32.const 3)
                    (i32.load offset=20 (local.get $frame)))))
                (i32.store (i32.const 0) (i32.const 200))
                (i32.const 0)))"#,
    );
    let mut sandbox = Sandbox::new(&release).expect("a sandbox");
    for _ in 0..100 {
        assert_eq!(ask(&mut sandbox, "").as_deref(), Ok(""));
        assert_eq!(sandbox.restore(), Restored::Clean);
    }
    let many = ask(&mut sandbox, "many");
    assert!(many.is_ok() || matches!(many, Err(Stop::Memory(_) | Stop::Trap(_))), "{many:?}");
    assert_eq!(sandbox.restore(), Restored::Spent, "the heap has grown");
}

#[test]
fn a_failure_after_a_refused_growth_is_a_lack_of_memory_however_it_ends() {
    let program = |end: &str| {
        format!(
            r#"(module (memory (export "memory") 1)
                (func (export "dayfly_takes") (result i32) (i32.const 4))
                (func (export "dayfly_handle") (param $frame i32) (result i32)
                    (if (i32.load offset=20 (local.get $frame))
                        (then (drop (memory.grow (i32.const 60000)))))
                    {end}))"#
        )
    };
    let bench = Bench::new(protections()[0]);
    // Status 0, which says why, and a trap.
    let failed = r"(i32.store offset=28 (i32.const 1024) (i32.const 2048))
        (i32.store offset=32 (i32.const 1024) (i32.const 4)) (i32.store (i32.const 2048) (i32.const 0x6d6f6f72))
        (i32.const 1024)";
    for (end, text) in [(failed, "room"), ("(unreachable)", "unreachable")] {
        let mut sandbox = Sandbox::new(&bench.release_of_text(&program(end))).expect("a sandbox");
        let stop = ask(&mut sandbox, "grow").expect_err("it fails");
        assert!(matches!(&stop, Stop::Memory(said) if said.contains(text)), "{stop:?}");
        let mut sandbox = Sandbox::new(&bench.release_of_text(&program(end))).expect("a sandbox");
        assert!(matches!(ask(&mut sandbox, ""), Err(Stop::Trap(_))), "{end}");
    }
}

#[test]
fn content_beside_a_long_head_arrives_whole() {
    // Replies with what is inline and what is not, one behind the other.
    let bench = Bench::new(protections()[0]);
    let release = bench.release_of_text(
        r#"(module (import "dayfly" "body_read" (func $read (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 1024) (i32 200 0 0 0 0 2048 0 0 0))
            (func (export "dayfly_takes") (result i32) (i32.const 24))
            (func (export "dayfly_handle") (param $frame i32) (result i32) (local $inline i32)
                (local.set $inline (i32.load offset=36 (local.get $frame)))
                (memory.copy (i32.const 2048) (i32.load offset=32 (local.get $frame)) (local.get $inline))
                (i32.store (i32.const 1048) (i32.add (local.get $inline)
                    (call $read (local.get $inline) (i32.add (i32.const 2048) (local.get $inline)) (i32.const 20000))))
                (i32.const 1024)))"#,
    );
    let mut sandbox = Sandbox::new(&release).expect("a sandbox");
    let mut answer = Answer::default();
    let body: Vec<u8> = (0..9000_u32).map(|index| (index % 251) as u8).collect();
    for head_bytes in [0, 50_000, 53_000, 56_000, 57_000] {
        let value = vec![b'v'; head_bytes];
        for body_bytes in [0, 1, 100, 4000, 4096, 8192, 9000] {
            let fields = [Field { name: "long", value: &value }];
            let request = Request { fields: &fields, body: &body[..body_bytes], ..request("") };
            sandbox.call(&request, &allowance(Lane::Inline), &mut answer).expect("an answer");
            assert!(answer.reply.body == body[..body_bytes], "{head_bytes} {body_bytes}");
            assert_eq!(sandbox.restore(), Restored::Clean);
        }
    }
}

/// As a count of references does that goes up and down again.
const PUTS_BACK: &str = r#"(module
    (memory (export "memory") 4)
    (data (i32.const 1024) "\c8")
    (func $touch (param $at i32)
        (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
        (i32.store (local.get $at) (i32.sub (i32.load (local.get $at)) (i32.const 1))))
    (func (export "dayfly_takes") (result i32) (i32.const 4))
    (func (export "dayfly_handle") (param $frame i32) (result i32)
        (i32.store (i32.const 8192) (i32.const 1))
        (call $touch (i32.const 65536))
        (call $touch (i32.const 131072))
        (i32.const 1024)))"#;

#[test]
fn pages_that_come_out_unchanged_are_not_closed_again_and_again() {
    const REQUESTS: u64 = 20_000;
    for protection in protections() {
        let options = EngineOptions { protection, ..EngineOptions::default() };
        let bench = Bench::with(&options);
        let mut sandbox = Sandbox::new(&bench.release_of_text(PUTS_BACK)).expect("a sandbox");
        for _ in 0..REQUESTS {
            ask(&mut sandbox, "").expect("an answer");
            assert_eq!(sandbox.restore(), Restored::Clean);
        }
        drop(sandbox);
        let faults = bench.engine.counters().snapshot().faults;
        assert!(faults < 40, "{protection:?}: {faults} faults in {REQUESTS} requests");
    }
}
