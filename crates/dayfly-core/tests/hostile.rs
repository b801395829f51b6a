//! A guest that says anything: whatever numbers come, the host gives an answer or a cause, and stays as it was.

mod support;

use dayfly_core::error::Stop;
use dayfly_core::message::{Answer, Reply, Request};
use dayfly_core::sandbox::{Allowance, Lane, Restored, Sandbox};
use std::time::Instant;
use support::{Bench, Numbers, protections, request};

/// Does what the content says: `{call, a, b, c, reply address}`, then octets that go to the start of memory. Only what
/// is inline is looked at.
const PUPPET: &str = r#"(module
    (import "dayfly" "log" (func $log (param i32 i32 i32)))
    (import "dayfly" "clock" (func $clock (param i32) (result i64)))
    (import "dayfly" "random" (func $random (param i32 i32)))
    (import "dayfly" "body_read" (func $body_read (param i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (func (export "dayfly_takes") (result i32) (i32.const 16))
    (func (export "dayfly_handle") (param $frame i32) (result i32)
        (local $body i32) (local $call i32) (local $a i32) (local $b i32) (local $c i32) (local $reply i32)
        (local.set $body (i32.load offset=32 (local.get $frame)))
        (local.set $call (i32.load (local.get $body)))
        (local.set $a (i32.load offset=4 (local.get $body)))
        (local.set $b (i32.load offset=8 (local.get $body)))
        (local.set $c (i32.load offset=12 (local.get $body)))
        (local.set $reply (i32.load offset=16 (local.get $body)))
        (memory.copy (i32.const 0) (i32.add (local.get $body) (i32.const 20))
            (i32.sub (i32.load offset=36 (local.get $frame)) (i32.const 20)))
        (if (i32.eq (local.get $call) (i32.const 1))
            (then (call $log (local.get $a) (local.get $b) (local.get $c))))
        (if (i32.eq (local.get $call) (i32.const 2))
            (then (call $random (local.get $a) (local.get $b))))
        (if (i32.eq (local.get $call) (i32.const 3))
            (then (drop (call $body_read (local.get $a) (local.get $b) (local.get $c)))))
        (if (i32.eq (local.get $call) (i32.const 4))
            (then (drop (call $clock (local.get $a)))))
        (if (i32.eq (local.get $call) (i32.const 5))
            (then (drop (memory.grow (local.get $a)))))
        (local.get $reply)))"#;
const MEMORY_BYTES: u32 = 2 << 16;

/// A number that is often at some border.
fn number(numbers: &mut Numbers) -> u32 {
    let borders = [0, 1, 36, 4096, 65_536, MEMORY_BYTES, 16 << 20, (16 << 20) + 8192, 1 << 31, u32::MAX];
    match numbers.below(4) {
        0 => numbers.below(300) as u32,
        1 => numbers.below(MEMORY_BYTES as usize) as u32,
        2 => borders[numbers.below(borders.len())].wrapping_add(numbers.below(81) as u32).wrapping_sub(40),
        _ => numbers.next() as u32,
    }
}

fn content(numbers: &mut Numbers) -> Vec<u8> {
    let mut words = vec![numbers.below(8) as u32];
    words.extend((0..3).map(|_| number(numbers)));
    words.push(if numbers.below(3) > 0 { 0 } else { number(numbers) });
    // A record that has a chance, then more of the same.
    words.push([200, 204, 404, 0, 99, 600][numbers.below(6)]);
    for _ in 0..numbers.below(60) {
        words.push(match numbers.below(8) {
            0..4 => 0,
            4..7 => numbers.below(200) as u32,
            _ => number(numbers),
        });
    }
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

#[track_caller]
fn assert_is_valid(reply: &Reply, seed: u64) {
    assert!((200..600).contains(&reply.status), "seed {seed}");
    let lines = String::from_utf8_lossy(&reply.field_lines).into_owned();
    assert!(lines.is_empty() || lines.ends_with("\r\n"), "seed {seed}: {lines:?}");
    for line in lines.split_terminator("\r\n") {
        let (name, value) = line.split_once(": ").expect("a field line");
        assert!(!name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic()), "seed {seed}: {line:?}");
        assert!(!value.chars().any(|character| character.is_ascii_control() && character != '\t'), "seed {seed}");
    }
}

#[test]
fn whatever_a_guest_says_the_host_stays_as_it_was() {
    for protection in protections() {
        let bench = Bench::new(protection);
        let release = bench.release_of_text(PUPPET);
        let mut sandbox = Sandbox::new(&release).expect("a sandbox");
        let (mut answer, mut answers) = (Answer::default(), 0);
        for seed in 1..20_000_u64 {
            let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let body = content(&mut numbers);
            let request = Request { method: "POST", body: &body, ..request("") };
            match sandbox.call(&request, &support::allowance(Lane::Overflow), &mut answer) {
                Ok(()) => {
                    answers += 1;
                    assert_is_valid(&answer.reply, seed);
                }
                Err(Stop::Trap(_) | Stop::BadResponse(_) | Stop::Memory(_)) => {}
                Err(other) => panic!("seed {seed}: {other:?}"),
            }
            if sandbox.restore() == Restored::Spent {
                sandbox = Sandbox::new(&release).expect("a sandbox");
            }
        }
        assert!(answers > 500, "only {answers} answers: the test would find little");
        assert!(sandbox.equals_image());
        assert_eq!(bench.engine.counters().snapshot().paranoid_differences, 0);
    }
}

#[test]
fn a_hostcall_cannot_outlast_the_limits() {
    let bench = Bench::new(protections()[0]);
    let release = bench.release_of_text(
        r#"(module
            (import "dayfly" "random" (func $random (param i32 i32)))
            (memory (export "memory") 1)
            (func (export "dayfly_handle") (param i32) (result i32)
                (drop (memory.grow (i32.const 255)))
                (loop $again (call $random (i32.const 0) (i32.const 16777216)) (br $again))
                (i32.const 0)))"#,
    );
    let mut sandbox = Sandbox::new(&release).expect("a sandbox");
    let allowance = Allowance { lane: Lane::Overflow, cpu_ns_max: 3_000_000, wall_deadline: None };
    let start = Instant::now();
    assert_eq!(sandbox.call(&request(""), &allowance, &mut Answer::default()), Err(Stop::Cpu));
    assert!(sandbox.cpu_ns() < 100_000_000, "{} ns of CPU time in {:?}", sandbox.cpu_ns(), start.elapsed());
}
