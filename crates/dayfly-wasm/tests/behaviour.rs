//! What the crate's description promises, one by one, under the engine.

mod support;

use dayfly_wasm::abi::{WASM_PAGE_BYTES, export};
use dayfly_wasm::instrument::{Options, instrument};
use dayfly_wasm::{Fresh, Program};
use support::{Host, MEMORY_BYTES_MAX, Request};
use wasmtime::{Config, Engine, Instance, Module, Store, Trap, UpdateDeadline};

/// A program that is this handler body, with these fields beside it. `$at` is where it answers from.
fn host(fields: &str, body: &str) -> Host {
    Host::freeze(&wat::parse_str(module("1", fields, body)).expect("valid text"))
}

fn module(memory: &str, fields: &str, body: &str) -> String {
    format!(
        r#"(module
            (memory (export "memory") {memory})
            {fields}
            (func (export "dayfly_handle") (param $frame i32) (result i32) (local $at i32)
                (local.set $at (i32.const 1024))
                {body}
                ;; Status 200, and 64 octets of content at 2048.
                (i32.store (local.get $at) (i32.const 200))
                (i32.store offset=20 (local.get $at) (i32.const 2048))
                (i32.store offset=24 (local.get $at) (i32.const 64))
                (local.get $at)))"#
    )
}

/// The words of the content.
fn words(host: &mut Host) -> Vec<u32> {
    let reply = host.call(&Request::default()).expect("an answer");
    reply.body.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

fn first_word(host: &mut Host) -> i32 {
    words(host)[0].cast_signed()
}

#[test]
fn globals_of_every_type_begin_each_request_as_they_were_frozen() {
    let mut host = host(
        r#"(global $a (mut i32) (i32.const -5))
           (global $b (mut i64) (i64.const 0x1122334455667788))
           (global $c (mut f32) (f32.const nan:0x200001))
           (global $d (mut f64) (f64.const -0.0))
           (global $e (mut v128) (v128.const i64x2 1 2))
           (global $constant i32 (i32.const 9))
           (func $add (global.set $a (i32.add (global.get $a) (global.get $constant)))
               (global.set $b (i64.add (global.get $b) (i64.const 1)))
               (global.set $c (f32.neg (global.get $c)))
               (global.set $d (f64.neg (global.get $d)))
               (global.set $e (i64x2.add (global.get $e) (v128.const i64x2 16 16))))
           (func (export "dayfly_init") (call $add))"#,
        r"(i32.store (i32.const 2048) (global.get $a))
          (i32.store (i32.const 2052) (i32.reinterpret_f32 (global.get $c)))
          (i64.store (i32.const 2056) (global.get $b))
          (f64.store (i32.const 2064) (global.get $d))
          (v128.store (i32.const 2080) (global.get $e))
          (call $add)",
    );
    let expected = [4, 0xffa0_0001, 0x5566_7789, 0x1122_3344, 0, 0, 0, 0, 17, 0, 18, 0, 0, 0, 0, 0];
    for _ in 0..3 {
        assert_eq!(words(&mut host), expected);
        host.restore();
        assert!(host.is_as_frozen());
    }
}

#[test]
fn the_start_section_runs_once_when_freezing() {
    let fields = "(global $n (mut i32) (i32.const 0)) (start $start)
        (func $start (global.set $n (i32.add (global.get $n) (i32.const 1))))";
    let mut host = host(fields, "(i32.store (i32.const 2048) (global.get $n))");
    assert_eq!((first_word(&mut host), first_word(&mut host)), (1, 1));
}

#[test]
fn growth_while_freezing_is_kept_and_growth_in_a_request_is_undone() {
    let mut host = host(
        r#"(func (export "dayfly_init") (drop (memory.grow (i32.const 2))))"#,
        "(i32.store (i32.const 2048) (memory.grow (i32.const 5))) (i32.store (i32.const 2052) (memory.size))",
    );
    for _ in 0..2 {
        assert_eq!(words(&mut host)[..2], [3, 8]);
        assert_eq!(host.global(export::SIZE), 8);
        host.restore();
    }
}

#[test]
fn a_program_keeps_to_its_own_maximum() {
    let body = "(i32.store (i32.const 2048) (memory.grow (i32.const 3)))
        (i32.store (i32.const 2052) (memory.grow (i32.const 2)))
        (i32.store (i32.const 2056) (memory.size))";
    let mut host = Host::freeze(&wat::parse_str(module("1 3", "", body)).expect("valid"));
    assert_eq!(words(&mut host)[..3], [u32::MAX, 1, 3]);
}

#[test]
fn a_refused_growth_shows_in_its_own_request_only() {
    let mut host = host(
        r#"(func (export "dayfly_init") (drop (memory.grow (i32.const 1000))))
           (global $count (mut i32) (i32.const 0))"#,
        // The first word of the memory decides; the test writes it.
        "(if (i32.load (i32.const 0)) (then (drop (memory.grow (i32.const -1)))))",
    );
    host.call(&Request::default()).expect("an answer");
    assert_eq!(host.global(export::REFUSED), 0);
    host.memory_mut()[0] = 1;
    host.call(&Request::default()).expect("an answer");
    assert_eq!(host.global(export::REFUSED), 1);
    host.restore();
    host.call(&Request::default()).expect("an answer");
    assert_eq!(host.global(export::REFUSED), 0);
}

#[test]
fn state_outside_memory_is_noted_when_it_changes() {
    let table = "(table $t 1 funcref) (func $f) (elem declare func $f)";
    let change = "(table.set $t (i32.const 0) (ref.func $f))";
    let mut host = host(table, &format!("(if (i32.load (i32.const 0)) (then {change}))"));
    assert_eq!(host.program.fresh, Some(Fresh::Table));
    host.call(&Request::default()).expect("an answer");
    assert_eq!(host.global(export::UNSAVED), 0);
    host.memory_mut()[0] = 1;
    host.call(&Request::default()).expect("an answer");
    assert_eq!(host.global(export::UNSAVED), 1);
}

#[test]
fn start_up_that_changes_a_table_can_be_told() {
    let mut host = host(
        r#"(table $t 1 funcref) (func (export "_initialize") (drop (table.grow $t (ref.null func) (i32.const 1))))"#,
        "",
    );
    assert_eq!(host.global(export::UNSAVED), 1);
}

#[test]
fn an_active_segment_is_empty_for_memory_init() {
    let fields = r#"(data $active (i32.const 2048) "active..") (data $passive "pass")"#;
    let init = |segment: &str, length: u32| {
        format!("(memory.init {segment} (i32.const 2052) (i32.const 0) (i32.const {length}))")
    };
    assert_eq!(
        &words(&mut host(fields, &init("$passive", 4)))[..2],
        [u32::from_le_bytes(*b"acti"), u32::from_le_bytes(*b"pass")]
    );
    assert_eq!(
        &words(&mut host(fields, &init("$active", 0)))[..2],
        [u32::from_le_bytes(*b"acti"), u32::from_le_bytes(*b"ve..")]
    );
    let stop = host(fields, &init("$active", 1)).call(&Request::default()).expect_err("out of bounds");
    assert_eq!(stop.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
}

#[test]
fn memory_beyond_the_virtual_size_can_be_loaded_from_but_not_filled() {
    let beyond = 5 * WASM_PAGE_BYTES;
    assert_eq!(first_word(&mut host("", &format!("(i32.store (i32.const 2048) (i32.load (i32.const {beyond})))"))), 0);
    for bulk in [
        "(memory.fill (i32.const 65536) (i32.const 1) (i32.const 1))",
        "(memory.copy (i32.const 0) (i32.const 65500) (i32.const 37))",
    ] {
        let stop = host("", bulk).call(&Request::default()).expect_err("out of bounds");
        assert_eq!(stop.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
    }
    let stop =
        host("", "(drop (i32.load (i32.const 0x2000000)))").call(&Request::default()).expect_err("out of bounds");
    assert_eq!(stop.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
}

#[test]
fn the_host_page_can_be_copied_from_but_not_to() {
    let run = |to: u64, from: u64, length: u64| {
        let body = format!("(memory.copy (i32.const {to}) (i32.const {from}) (i32.const {length}))");
        host("(global $g (mut i32) (i32.const 77)) (func (global.set $g (i32.const 0)))", &body)
            .call(&Request::default())
            .map(|reply| reply.body[0])
    };
    // Its first two cells: the size, and `$g`.
    assert_eq!(run(2048, MEMORY_BYTES_MAX, 4).expect("allowed"), 1);
    assert_eq!(run(2048, MEMORY_BYTES_MAX + 8, 4).expect("allowed"), 77);
    assert!(run(0, MEMORY_BYTES_MAX, 65_536).is_ok());
    assert!(run(0, MEMORY_BYTES_MAX + 1, 65_536).is_err());
    assert!(run(0, MEMORY_BYTES_MAX - 1, 8).is_err());
    assert!(run(MEMORY_BYTES_MAX, 0, 4).is_err());
}

/// How often a run of 16 chunks looks at the epoch.
fn epoch_checks(body: &str) -> u32 {
    let mut config = Config::new();
    config.wasm_exceptions(true).epoch_interruption(true);
    let engine = Engine::new(&config).expect("an engine");
    let text = module("32", "(tag $tag) (table $table 9 funcref) (func $throw (throw $tag))", body);
    let wasm = wat::parse_str(text).expect("valid");
    let program = instrument(&wasm, &Options { memory_bytes_max: MEMORY_BYTES_MAX }).expect("a program");
    let mut store = Store::new(&engine, 0);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        *context.data_mut() += 1;
        // The deadline is over at once, so that the next check calls this again.
        Ok(UpdateDeadline::Continue(0))
    });
    let module = Module::new(&engine, &program.code).expect("valid");
    let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
    program.image.write_to(instance.get_memory(&mut store, "memory").expect("a memory").data_mut(&mut store));
    engine.increment_epoch();
    let entry = instance.get_typed_func::<i32, i32>(&mut store, export::ENTRY).expect("an entry");
    entry.call(&mut store, 0).expect("an answer");
    *store.data()
}

#[test]
fn bulk_instructions_can_be_interrupted_at_every_chunk() {
    let nothing = epoch_checks("");
    for bulk in [
        "(memory.fill (i32.const 4096) (i32.const 1) (i32.const 0x100000))",
        "(memory.copy (i32.const 4096) (i32.const 8192) (i32.const 0x100000))",
        "(memory.copy (i32.const 8192) (i32.const 4096) (i32.const 0x100000))",
    ] {
        assert!(epoch_checks(bulk) >= nothing + 16, "{bulk}");
    }
}

#[test]
fn straight_code_is_checked_all_along() {
    let nothing = epoch_checks("");
    // Every 16 KiB, but for the last.
    let piece = "(f64.sqrt)".repeat(64 << 10);
    let whole = format!("(f64.const 2) {piece} {piece} (drop)");
    assert!(epoch_checks(&whole) >= nothing + 7);
    let table = "(table.fill $table (i32.const 0) (ref.null func) (i32.const 9))";
    assert!(epoch_checks(&table.repeat(5)) >= nothing + 5);
    assert!(epoch_checks(&"(drop (i32.load (i32.const 0)))".repeat(30_000)) >= nothing + 10);
}

#[test]
fn a_branch_past_the_checks_does_not_avoid_them() {
    let nothing = epoch_checks("");
    let roots = |count: usize| format!("(f64.const 2) {} (drop)", "(f64.sqrt)".repeat(count));
    // Each skip holds all of the places where checks by offset alone could stand, and runs nothing of them.
    let skipped = roots(2 << 10);
    let run = roots(15 << 10);
    for skip in [
        format!("(block (br_if 0 (i32.const 1)) {skipped})"),
        format!("(block (br_table 0 0 (i32.const 1)) {skipped})"),
        format!("(block (br 0) (loop {skipped}))"),
        format!("(if (i32.const 0) (then {skipped}))"),
        format!("(if (i32.const 0) (then (loop {skipped})) (else))"),
        format!(
            "(block $out (block $caught (try_table (catch_all $caught) {skipped} (call $throw) {skipped})) {skipped})"
        ),
    ] {
        let body = format!("{run} {skip}").repeat(20);
        let checks = epoch_checks(&body);
        assert!(checks >= nothing + 18, "{checks} checks, {}", &skip[..40]);
    }
}

#[test]
fn the_host_page_works_at_every_height() {
    for memory_bytes_max in [1 << 31, 65_535 << 16] {
        let body = format!(
            "(memory.copy (i32.const 2048) (i32.const {memory_bytes_max}) (i32.const 4))
             (i32.store (i32.const 2052) (memory.grow (i32.const {})))",
            memory_bytes_max / WASM_PAGE_BYTES - 1
        );
        let wasm = wat::parse_str(module("1", "", &body)).expect("valid");
        let Program { code, layout, .. } = instrument(&wasm, &Options { memory_bytes_max }).expect("a program");
        let mut store = Store::new(support::engine(), ());
        store.set_fuel(1_000_000).expect("fuel is on");
        let module = Module::new(support::engine(), &code).expect("valid");
        let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
        instance
            .get_typed_func::<(), ()>(&mut store, export::SAVE)
            .expect("there")
            .call(&mut store, ())
            .expect("saved");
        let memory = instance.get_memory(&mut store, "memory").expect("a memory");
        assert_eq!(memory.data(&store)[layout.size_cell_offset as usize], 1);
        let entry = instance.get_typed_func::<i32, i32>(&mut store, export::ENTRY).expect("an entry");
        entry.call(&mut store, 0).expect("an answer");
        assert_eq!(memory.data(&store)[2048..2056], [1, 0, 0, 0, 1, 0, 0, 0]);
    }
}
