//! Nothing of a request is seen by another: not by the next one in its slot, not by another tenant, whatever it did.

mod support;

use dayfly_core::engine::Protection;
use dayfly_core::error::Stop;
use dayfly_core::message::Answer;
use dayfly_core::pool::{Pool, PoolOptions};
use dayfly_core::release::Release;
use dayfly_core::sandbox::{Allowance, Lane, Restored, Sandbox};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Bench, Numbers, PAGE, protections, request};

/// Requests of each of two threads; `DAYFLY_REQUESTS=1000000` for the long run.
fn requests() -> u32 {
    std::env::var("DAYFLY_REQUESTS").ok().and_then(|number| number.parse().ok()).unwrap_or(6_000)
}

/// Name of the guest, query, and how often it comes among the others.
const MIX: [(&str, &str, usize); 10] = [
    ("hello", "", 300),
    ("counter", "", 100),
    ("scribble", "3", 4),
    ("grow", "1", 4),
    ("touch", "40", 50),
    ("trap", "", 20),
    ("throw", "3", 40),
    ("throw", "u", 10),
    ("badreply", "17", 40),
    ("spin", "", 1),
];

fn choose(numbers: &mut Numbers) -> usize {
    let mut left = numbers.below(MIX.iter().map(|(_, _, weight)| weight).sum());
    MIX.iter()
        .position(|(_, _, weight)| {
            let here = left < *weight;
            left = left.saturating_sub(*weight);
            here
        })
        .expect("weights add up")
}

#[track_caller]
fn check(guest: &str, query: &str, outcome: &Result<(), Stop>, body: &[u8]) {
    let fits = match (guest, query) {
        ("hello", _) => outcome.is_ok() && body == PAGE.as_bytes(),
        ("counter", _) => outcome.is_ok() && body == b"1\n1\n",
        ("grow", _) => outcome.is_ok() && body == b"256\n",
        ("trap", _) | ("throw", "u") => matches!(outcome, Err(Stop::Trap(_))),
        ("badreply", _) => matches!(outcome, Err(Stop::BadResponse(_))),
        ("spin", _) => *outcome == Err(Stop::Cpu),
        _ => outcome.is_ok(),
    };
    assert!(fits, "{guest} {query}: {outcome:?}, {}", String::from_utf8_lossy(body));
}

fn serve(bench: &Bench, releases: &[Arc<Release>], seed: u64) {
    let (mut numbers, mut answer) = (Numbers(seed), Answer::default());
    // Fewer slots than releases, so that strides change hands as well.
    let mut pool = Pool::new(&bench.engine, PoolOptions { slots_max: 6, ..PoolOptions::default() });
    for _ in 0..requests() {
        let chosen = choose(&mut numbers);
        let (guest, query, _) = MIX[chosen];
        let allowance = Allowance { lane: Lane::Inline, cpu_ns_max: 200_000_000, wall_deadline: None };
        let allowance = if guest == "spin" { Allowance { cpu_ns_max: 1_000_000, ..allowance } } else { allowance };
        let outcome = pool.take(&releases[chosen]).expect("a sandbox").call(&request(query), &allowance, &mut answer);
        check(guest, query, &outcome, &answer.reply.body);
    }
}

fn no_request_sees_another(protection: Protection) {
    let bench = Bench::new(protection);
    let releases: Vec<_> = MIX.iter().map(|(guest, _, _)| bench.release(guest)).collect();
    std::thread::scope(|scope| {
        for seed in [0x9e37_79b9_7f4a_7c15, 0xdead_beef_cafe_f00d] {
            let (bench, releases) = (&bench, &releases);
            scope.spawn(move || serve(bench, releases, seed));
        }
    });
    // Large slots are ended by the janitor, in its own time.
    let deadline = Instant::now() + Duration::from_mins(1);
    while bench.engine.counters().snapshot().slots > 0 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    let counters = bench.engine.counters().snapshot();
    println!("{protection:?}: {counters:?}");
    assert_eq!(counters.paranoid_differences, 0);
    assert_eq!(counters.slots, 0, "the pools are gone");
    assert!(counters.evictions > 0 && counters.discards > 0);
}

#[test]
fn no_request_sees_another_with_userfault() {
    if protections().contains(&Protection::Userfault) {
        no_request_sees_another(Protection::Userfault);
    }
}

#[test]
fn no_request_sees_another_with_mprotect() {
    no_request_sees_another(Protection::Mprotect);
}

/// Writes an ever different pattern over its memory until it is stopped, then is asked what it finds.
const RESTLESS: &str = r#"(module
    (memory (export "memory") 8)
    (global $rounds (mut i32) (i32.const 0))
    (data (i32.const 0) "\c8\00\00\00")
    (func (export "dayfly_takes") (result i32) (i32.const 4))
    (func (export "dayfly_handle") (param $frame i32) (result i32)
        (local $at i32)
        (if (i32.load offset=20 (local.get $frame))
            (then
                (loop $next
                    (global.set $rounds (i32.add (global.get $rounds) (i32.const 1)))
                    (local.set $at (i32.const 64))
                    (loop $write
                        (i32.store (local.get $at) (i32.mul (global.get $rounds) (local.get $at)))
                        (local.set $at (i32.add (local.get $at) (i32.const 52)))
                        (br_if $write (i32.lt_u (local.get $at) (i32.const 524000))))
                    (br $next))))
        (local.set $at (i32.const 64))
        (loop $look
            (if (i32.load (local.get $at)) (then (i32.store (i32.const 0) (i32.const 500))))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br_if $look (i32.lt_u (local.get $at) (i32.const 524288))))
        (if (global.get $rounds) (then (i32.store (i32.const 0) (i32.const 501))))
        (i32.const 0)))"#;

#[test]
fn a_run_killed_at_any_moment_leaves_nothing() {
    for protection in protections() {
        let bench = Bench::new(protection);
        let release = bench.release_of_text(RESTLESS);
        let (mut numbers, mut answer) = (Numbers(77), Answer::default());
        for round in 0..60 {
            let mut sandbox = Sandbox::new(&release).expect("a sandbox");
            let cpu_ns_max = numbers.below(3_000_000) as u64;
            let allowance = Allowance { lane: Lane::Overflow, cpu_ns_max, wall_deadline: None };
            assert_eq!(sandbox.call(&request("go"), &allowance, &mut answer), Err(Stop::Cpu), "round {round}");
            assert_eq!(sandbox.restore(), Restored::Spent);
            drop(sandbox);
            let mut next = Sandbox::new(&release).expect("a sandbox");
            assert!(next.equals_image(), "round {round}");
            next.call(&request(""), &support::allowance(Lane::Inline), &mut answer).expect("an answer");
            assert_eq!(answer.reply.status, 200, "round {round}");
        }
        assert_eq!(bench.engine.counters().snapshot().paranoid_differences, 0);
    }
}

#[test]
fn a_stride_that_changes_hands_is_the_next_tenants_alone() {
    for protection in protections() {
        let bench = Bench::new(protection);
        let (scribble, hello) = (bench.release("scribble"), bench.release("hello"));
        for _ in 0..20 {
            let mut sandbox = Sandbox::new(&scribble).expect("a sandbox");
            support::ask(&mut sandbox, "9").expect("an answer");
            drop(sandbox);
            let mut other = Sandbox::new(&hello).expect("a sandbox");
            assert!(other.equals_image());
            assert_eq!(support::ask(&mut other, "").as_deref(), Ok(PAGE));
        }
    }
}

/// Resident memory of this process, in KiB.
fn resident_kib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("the kernel tells");
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4
}

#[test]
fn throwing_leaves_memory_flat() {
    let bench = Bench::new(protections()[0]);
    let mut sandbox = Sandbox::new(&bench.release("throw")).expect("a sandbox");
    let mut throw = |times: u32| {
        for _ in 0..times {
            support::ask(&mut sandbox, "40").expect("an answer");
            assert_eq!(sandbox.restore(), Restored::Clean);
        }
    };
    throw(500);
    let before = resident_kib();
    throw(requests());
    let after = resident_kib();
    // Other tests of this process run meanwhile: what is looked for is 240,000 exceptions of 32 octets and more, or what
    // each request would leave.
    assert!(after < before + 100_000, "{before} KiB, then {after} KiB");
}
