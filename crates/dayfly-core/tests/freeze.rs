//! Freezing: start-up happens once, under limits, and what it may not do has a reason.

mod support;

use dayfly_core::error::Error;
use dayfly_core::limits::Limits;
use dayfly_core::sandbox::Sandbox;
use support::{Bench, ask, protections};

fn module(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (import "dayfly" "log" (func $log (param i32 i32 i32)))
            (import "dayfly" "random" (func $random (param i32 i32)))
            (import "dayfly" "sleep" (func $sleep (param i64)))
            (import "dayfly" "clock" (func $clock (param i32) (result i64)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\c8\00\00\00")
            (data (i32.const 100) "starting")
            (func (export "dayfly_handle") (param i32) (result i32) (i32.const 0))
            {body})"#
    );
    wat::parse_str(text).expect("valid text")
}

fn failure(body: &str) -> String {
    let bench = Bench::new(protections()[0]);
    let limits = Limits { init_cpu_ns_max: 20_000_000, ..Limits::default() };
    match bench.freeze(&module(body), &limits) {
        Err(Error::InitFailed(text) | Error::Refused(text)) => text,
        other => panic!("{other:?} should be refused"),
    }
}

#[test]
fn start_up_runs_once_in_order_and_its_state_is_kept() {
    let bench = Bench::new(protections()[0]);
    // Each step multiplies and adds, so that the order shows; the handler answers what it finds as its status.
    let text = r#"(module
        (memory (export "memory") 1)
        (global $state (mut i32) (i32.const 2))
        (func $step (param $add i32)
            (global.set $state (i32.add (i32.mul (global.get $state) (i32.const 5)) (local.get $add))))
        (func $start (call $step (i32.const 1)))
        (start $start)
        (func (export "_initialize") (call $step (i32.const 2)))
        (func (export "dayfly_init") (call $step (i32.const 3)))
        (func (export "dayfly_handle") (param i32) (result i32)
            (i32.store (i32.const 0) (global.get $state))
            (i32.const 0)))"#;
    let mut sandbox = Sandbox::new(&bench.release_of_text(text)).expect("a sandbox");
    let mut answer = dayfly_core::message::Answer::default();
    let allowance = support::allowance(dayfly_core::sandbox::Lane::Inline);
    sandbox.call(&support::request(""), &allowance, &mut answer).expect("an answer");
    assert_eq!(answer.reply.status, (((2 * 5 + 1) * 5) + 2) * 5 + 3);
}

#[test]
fn what_start_up_logs_is_kept_with_the_snapshot() {
    let bench = Bench::new(protections()[0]);
    let wasm = module(r#"(func (export "dayfly_init") (call $log (i32.const 1) (i32.const 100) (i32.const 8)))"#);
    let snapshot = bench.freeze(&wasm, &Limits::default()).expect("it freezes");
    assert_eq!(snapshot.init_log.lines, [(1, "starting".to_owned())]);
    let again = bench.freeze(&wasm, &Limits::default()).expect("it freezes");
    assert_eq!((again.code, again.image), (snapshot.code, snapshot.image), "the same program freezes the same");
}

#[test]
fn a_start_up_that_fails_says_how() {
    let text =
        failure(r#"(func (export "dayfly_init") (call $log (i32.const 1) (i32.const 100) (i32.const 8)) unreachable)"#);
    assert!(text.contains("dayfly_init") && text.contains("unreachable") && text.contains("starting"), "{text}");
}

#[test]
fn a_start_up_without_end_is_stopped() {
    for export in ["dayfly_init", "_initialize"] {
        let text = failure(&format!(r#"(func (export "{export}") (loop (br 0)))"#));
        assert!(text.contains("CPU time"), "{text}");
    }
    let text = failure(r#"(func (export "dayfly_takes") (result i32) (loop (br 0)) i32.const 0)"#);
    assert!(text.contains("CPU time"), "{text}");
    let text = failure("(func $start (loop (br 0))) (start $start)");
    assert!(text.contains("CPU time"), "{text}");
}

#[test]
fn a_start_up_that_wants_too_much_memory_says_so() {
    let text = failure(
        r#"(func (export "dayfly_init")
            (if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable)))"#,
    );
    assert!(text.contains("memory"), "{text}");
}

#[test]
fn nothing_that_differs_from_day_to_day_gets_into_a_snapshot() {
    let text = failure(r#"(func (export "dayfly_init") (call $random (i32.const 0) (i32.const 8)))"#);
    assert!(text.contains("random"), "{text}");
    let text = failure(r#"(func (export "dayfly_init") (call $sleep (i64.const 8)))"#);
    assert!(text.contains("sleep"), "{text}");
}

#[test]
fn hostcalls_with_wild_pointers_end_start_up() {
    for call in ["(call $log (i32.const 1) (i32.const -8) (i32.const 16))", "(drop (call $clock (i32.const 7)))"] {
        let text = failure(&format!(r#"(func (export "dayfly_init") {call})"#));
        assert!(text.contains("log") || text.contains("clock"), "{text}");
    }
}

#[test]
fn state_that_a_snapshot_cannot_keep_is_refused() {
    let text = failure(
        r#"(table 2 funcref) (elem declare func $f) (func $f)
           (func (export "dayfly_init") (table.set (i32.const 0) (ref.func $f)))"#,
    );
    assert!(text.contains("snapshot"), "{text}");
}

#[test]
fn programs_that_are_none_are_refused() {
    let bench = Bench::new(protections()[0]);
    let limits = Limits::default();
    let cases = [
        (b"".to_vec(), "module"),
        (b"\0asm".to_vec(), "module"),
        (module(r#"(func (export "dayfly_takes") (result i32) (i32.const 1024))"#), "unknown bits"),
        (module("(table 1000000 funcref)"), "table"),
        (module("(memory 1)"), "memor"),
    ];
    for (wasm, reason) in cases {
        match bench.freeze(&wasm, &limits) {
            Err(Error::Refused(text)) => assert!(text.contains(reason), "`{text}` should contain `{reason}`"),
            other => panic!("{other:?} should be refused: {reason}"),
        }
    }
}

#[test]
fn every_guest_freezes_and_answers_under_other_limits() {
    let bench = Bench::new(protections()[0]);
    for memory_bytes_max in [1 << 20, 64 << 20] {
        let limits = Limits { memory_bytes_max, ..Limits::default() };
        let mut sandbox = Sandbox::new(&bench.release_of(&support::wasm("grow"), &limits)).expect("a sandbox");
        assert_eq!(ask(&mut sandbox, "1"), Ok(format!("{}\n", memory_bytes_max >> 16)));
    }
}
