use wasmparser::{Operator, Parser, Payload};

use super::*;
use crate::Fresh;
use crate::abi::{self, FRAME_BYTES_MAX, FRAME_OFFSET};
use crate::image::PAGE_BYTES;

/// Four pages, so that limits are near.
const OPTIONS: Options = Options { memory_bytes_max: 4 * WASM_PAGE_BYTES };
const HANDLE: &str = r#"(func (export "dayfly_handle") (param i32) (result i32) (i32.const 0))"#;
const MEMORY: &str = r#"(memory (export "memory") 1)"#;

fn program(text: &str) -> Program {
    instrument(&wat::parse_str(text).expect("valid text"), &OPTIONS).expect("a program")
}

fn refusal(text: &str) -> String {
    let wasm = wat::parse_str(text).expect("valid text");
    instrument(&wasm, &OPTIONS).expect_err("this is refused").to_string()
}

/// `fields` beside a memory and a handler are refused with `reason` in the message.
fn check_refused(fields: &str, reason: &str) {
    let message = refusal(&format!("(module {fields} {MEMORY} {HANDLE})"));
    assert!(message.contains(reason), "{fields}: {message}");
}

fn export_names(wasm: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::ExportSection(section) = payload.expect("valid") {
            names.extend(section.into_iter().map(|export| export.expect("valid").name.to_owned()));
        }
    }
    names
}

#[test]
fn proposals_beyond_the_chosen_ones_are_refused_by_name() {
    check_refused("(memory 1)", "several memories");
    check_refused("(func (drop (i32.atomic.load (i32.const 0))))", "threads");
    check_refused("(type (struct))", "gc");
    check_refused("(type $f (func)) (func (param (ref $f)))", "function-references");
    check_refused("(global i32 (i32.add (i32.const 1) (i32.const 2)))", "extended-const");
    check_refused(
        "(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
        "relaxed-simd",
    );
    check_refused("(func (result i64 i64) (i64.mul_wide_s (i64.const 0) (i64.const 0)))", "wide-arithmetic");
}

#[test]
fn other_kinds_of_memory_are_refused_by_name() {
    for (memory, reason) in [
        ("i64 1", "a 64-bit memory"),
        ("1 1 shared", "shared memory (threads)"),
        ("1 (pagesize 1)", "a custom page size"),
    ] {
        let message = refusal(&format!(r#"(module (memory (export "memory") {memory}) {HANDLE})"#));
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn imports_other_than_hostcalls_are_refused_by_name() {
    let message = refusal(&format!(r#"(module (import "env" "m" (memory 1)) {HANDLE})"#));
    assert_eq!(message, "the module imports `env` `m`: a program may import functions only, this is a memory");
    check_refused(
        r#"(import "env" "t" (table 1 funcref))"#,
        "`env` `t`: a program may import functions only, this is a table",
    );
    check_refused(r#"(import "dayfly" "g" (global i32))"#, "this is a global");
    check_refused(r#"(import "dayfly" "t" (tag))"#, "this is a tag");
    check_refused(
        r#"(import "env" "log" (func (param i32 i32 i32)))"#,
        "`env` `log`: the functions of the host are log,",
    );
    check_refused(r#"(import "dayfly" "open" (func))"#, "`dayfly` `open`: the functions of the host are log,");
    check_refused(r#"(import "wasi_snapshot_preview1" "fd_write" (func))"#, "`wasi_snapshot_preview1` `fd_write`");
    check_refused(r#"(import "dayfly" "clock" (func (param i32) (result i32)))"#, "its type is not (i32) -> i64");
    check_refused(r#"(import "dayfly" "sleep" (func))"#, "its type is not (i64)");
}

#[test]
fn every_hostcall_may_be_imported() {
    for hostcall in abi::HOSTCALLS {
        let list = |types: &[wasmparser::ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let (name, params, results) = (hostcall.name, list(hostcall.params), list(hostcall.results));
        program(&format!(
            r#"(module (import "dayfly" "{name}" (func (param {params}) (result {results}))) {MEMORY} {HANDLE})"#
        ));
    }
}

#[test]
fn exports_of_the_abi_must_be_there_and_have_their_type() {
    for (text, reason) in [
        (HANDLE.to_owned(), "`memory`: the program must export its memory"),
        (format!("(memory 1) {HANDLE}"), "`memory`: the program must export its memory"),
        (format!(r#"(memory 1) (global (export "memory") i32 (i32.const 0)) {HANDLE}"#), "`memory`: the program must"),
        (MEMORY.to_owned(), "`dayfly_handle`: the program must export this function"),
        (format!(r#"{MEMORY} (func (export "dayfly_handle"))"#), "it must be a function (i32) -> i32"),
        (
            format!(r#"{MEMORY} (global (export "dayfly_handle") i32 (i32.const 0))"#),
            "it must be a function (i32) -> i32",
        ),
        (
            format!(r#"{MEMORY} {HANDLE} (func (export "_initialize") (param i32))"#),
            "`_initialize`: it must be a function ()",
        ),
        (
            format!(r#"{MEMORY} {HANDLE} (func (export "dayfly_init") (result i32) unreachable)"#),
            "must be a function ()",
        ),
        (format!(r#"{MEMORY} {HANDLE} (func (export "dayfly_takes"))"#), "it must be a function () -> i32"),
        (format!(r#"{MEMORY} {HANDLE} (func (export "dayfly:save"))"#), "names with this prefix are the host's"),
    ] {
        let message = refusal(&format!("(module {text})"));
        assert!(message.contains(reason), "{text}: {message}");
    }
}

#[test]
fn what_is_no_core_module_is_refused() {
    let refused = |wasm: &[u8]| instrument(wasm, &OPTIONS).expect_err("this is refused").to_string();
    assert!(refused(b"\0asm\x0d\0\x01\0").contains("the component model"));
    assert!(refused(b"").contains("not a valid module"));
    assert!(refused(b"#!/bin/sh\n").contains("not a valid module"));
    assert!(refused(b"\0asm\x01\0\0\0").contains("export `memory`"));
}

#[test]
fn no_truncated_or_damaged_module_makes_us_panic_or_blame_ourselves() {
    let wasm = wat::parse_file(concat!(env!("CARGO_MANIFEST_DIR"), "/../../guests/echo.wat")).expect("valid");
    let truncated = (0..wasm.len()).map(|end| wasm[..end].to_vec());
    let damaged = (0..wasm.len() * 8).map(|bit| {
        let mut damaged = wasm.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        damaged
    });
    for (case, wasm) in truncated.chain(damaged).enumerate() {
        if let Err(error @ Error::Internal(_)) = instrument(&wasm, &OPTIONS) {
            panic!("case {case}: {error}");
        }
    }
}

#[test]
fn counts_and_sizes_are_limited() {
    check_refused(&"(func)".repeat(65_536), "functions: 65537, at most 65536 are allowed");
    check_refused(&"(global i32 (i32.const 0))".repeat(4097), "globals: 4097, at most 4096");
    check_refused("(table 100001 funcref)", "initial table elements: 100001, at most 100000");
    check_refused("(table 70000 funcref) (table 70000 funcref)", "initial table elements: 140000");
    check_refused(&"(table 0 funcref)".repeat(17), "tables: 17, at most 16");
    check_refused(&"(tag)".repeat(1025), "exception tags: 1025, at most 1024");
    check_refused(&format!("(func $f) (elem func {})", "$f ".repeat(100_001)), "elements in segments: 100001");
    check_refused(&format!("(func {})", "(drop (i32.const 1))".repeat(200_000)), "octets of one function: 60000");
    let import = r#"(import "dayfly" "sleep" (func (param i64)))"#;
    check_refused(&import.repeat(65), "imports: 65, at most 64");
    check_refused(&format!(r#"(data "{}")"#, "x".repeat((1 << 20) + 1)), "octets of a passive data segment: 1048577");
    let message = refusal(&format!(r#"(module (memory (export "memory") 5) {HANDLE})"#));
    assert_eq!(message, "pages of initial memory (64 KiB each): 5, at most 4 are allowed");
    let message = instrument(&vec![0; (64 << 20) + 1], &OPTIONS).expect_err("too large").to_string();
    assert_eq!(message, "octets of the module: 67108865, at most 67108864 are allowed");
}

#[test]
fn globals_that_are_set_must_fit_the_host_page() {
    let globals = |count: usize| {
        let sets: Vec<String> = (0..count).map(|i| format!("(global.set {i} (i64.const 1))")).collect();
        "(global (mut i64) (i64.const 0))".repeat(count) + &format!("(func {})", sets.join(" "))
    };
    assert_eq!(program(&format!("(module {MEMORY} {HANDLE} {})", globals(1023))).layout.cells, 1024);
    check_refused(&globals(1024), "octets of mutable globals (8 each, `v128` 16): 8200, at most 8192");
}

#[test]
fn memory_limits_that_make_no_sense_are_refused() {
    let wasm = wat::parse_str(format!("(module {MEMORY} {HANDLE})")).expect("valid");
    for memory_bytes_max in [0, 1, 65_535, 65_537, 1 << 32, u64::MAX] {
        let refused = instrument(&wasm, &Options { memory_bytes_max });
        assert_eq!(refused.expect_err("no limit"), Error::MemoryBytesMax(memory_bytes_max));
    }
    let program = instrument(&wasm, &Options { memory_bytes_max: 65_535 << 16 }).expect("the largest");
    assert_eq!(program.layout.memory_bytes, 1 << 32);
    assert_eq!(program.image.memory_bytes(), 1 << 32);
}

#[test]
fn the_layout_puts_the_host_page_last() {
    let layout = program(&format!("(module {MEMORY} {HANDLE})")).layout;
    let limit = OPTIONS.memory_bytes_max;
    let expected = Layout {
        memory_bytes: limit + WASM_PAGE_BYTES,
        host_page_offset: limit,
        frame_offset: limit + FRAME_OFFSET,
        frame_bytes_max: FRAME_BYTES_MAX,
        size_cell_offset: limit,
        cells: 1,
    };
    assert_eq!(layout, expected);
    assert_eq!(layout.frame_offset + layout.frame_bytes_max, layout.memory_bytes);
}

#[test]
fn the_image_is_what_instantiation_would_leave() {
    let program = program(&format!(
        r#"(module {MEMORY} {HANDLE}
            (data (i32.const 4090) "across a border")
            (data (i32.const 4096) "OVER")
            (data (i32.const 20000) "\00\00\00")
            (data "passive")
            (data (i32.const 65536) ""))"#
    ));
    let mut memory = vec![0; 5 << 16];
    memory[4090..4105].copy_from_slice(b"acrossOVERorder");
    memory[4 << 16] = 1;
    assert_eq!(program.image, Image::from_memory(&memory));
    assert_eq!(program.image.pages().map(|(index, _)| index).collect::<Vec<_>>(), [0, 1, 64]);
}

#[test]
fn data_outside_of_the_initial_memory_is_refused() {
    check_refused(r#"(data (i32.const 65530) "1234567")"#, "ends outside the initial memory of 65536 octets");
    check_refused(r#"(data (i32.const -1) "1")"#, "ends outside the initial memory");
    check_refused(r#"(data (i32.const 65537) "")"#, "ends outside the initial memory");
}

#[test]
fn the_code_has_neither_data_nor_start_nor_custom_sections() {
    let text = format!(
        r#"(module $a_name {MEMORY} {HANDLE} (func $start) (start $start) (data (i32.const 0) "data")
            (@custom "producers" "/home/builder") (@custom ".debug_str" (after code) "/home/builder/src"))"#
    );
    let code = program(&text).code;
    for payload in Parser::new(0).parse_all(&code) {
        let payload = payload.expect("valid");
        let unwanted = matches!(
            payload,
            Payload::CustomSection(_)
                | Payload::DataSection(_)
                | Payload::DataCountSection { .. }
                | Payload::StartSection { .. }
        );
        assert!(!unwanted, "{payload:?}");
    }
    assert!(!code.windows(7).any(|window| window == b"builder"));
    assert!(export_names(&code).contains(&abi::export::START.to_owned()));
}

#[test]
fn exports_that_nobody_needs_are_dropped() {
    let text = format!(
        r#"(module {MEMORY} {HANDLE}
            (memory $again (export "again") 0)
            (func $init (export "dayfly_init") (export "other")) (func (export "_initialize"))
            (func (export "dayfly_takes") (result i32) (i32.const 0))
            (global (export "constant") i32 (i32.const 0)) (global (export "variable") (mut i32) (i32.const 0))
            (table (export "table") 1 funcref) (tag (export "tag")))"#
    );
    let code = program(&text.replace(r#"(memory $again (export "again") 0)"#, "")).code;
    let expected = [
        "memory",
        "dayfly_init",
        "_initialize",
        "dayfly_takes",
        "constant",
        "dayfly:handle",
        "dayfly:save",
        "dayfly:size",
        "dayfly:refused",
    ];
    assert_eq!(export_names(&code), expected);
}

#[test]
fn a_base_keeps_what_loads_others_and_has_its_limit_in_a_global() {
    let load = r#"(func (export "dayfly_load") (param i32 i32) (result i32) (i32.const 0))"#;
    let reserve = r#"(func (export "dayfly_reserve") (param i32) (result i32) (i32.const 0))"#;
    let base = program(&format!("(module {MEMORY} {HANDLE} {load} {reserve})"));
    let names = export_names(&base.code);
    for name in [abi::export::LOAD, abi::export::RESERVE, abi::export::RESTORE, abi::export::LIMIT] {
        assert!(names.contains(&name.to_owned()), "{name}");
    }
    assert_eq!(base.layout.cells, 2);
    check_refused(load, "export `dayfly_load`: it needs `dayfly_reserve`");
    check_refused(reserve, "export `dayfly_load`: it needs `dayfly_reserve`");
    check_refused(&load.replace("i32 i32", "i32"), "export `dayfly_load`");
}

#[test]
fn an_export_that_makes_a_reference_valid_stays() {
    let code =
        program(&format!(r#"(module {MEMORY} {HANDLE} (func (drop (ref.func $f))) (func $f (export "f")))"#)).code;
    assert!(export_names(&code).contains(&"f".to_owned()));
}

#[test]
fn programs_that_change_more_than_memory_are_marked_with_the_reason() {
    let fresh = |fields: &str| program(&format!("(module {MEMORY} {HANDLE} {fields})")).fresh;
    let table = "(table 4 4 funcref) (func $f) (elem $e func $f)";
    let zeros = "(i32.const 0) (i32.const 0) (i32.const 0)";
    for change in [
        "(table.set (i32.const 0) (ref.null func))".to_owned(),
        "(drop (table.grow (ref.null func) (i32.const 0)))".to_owned(),
        "(table.fill (i32.const 0) (ref.null func) (i32.const 0))".to_owned(),
        format!("(table.copy {zeros})"),
        format!("(table.init $e {zeros})"),
    ] {
        assert_eq!(fresh(&format!("{table} (func {change})")), Some(Fresh::Table), "{change}");
    }
    assert_eq!(fresh(&format!("{table} (func (elem.drop $e))")), Some(Fresh::Segment));
    assert_eq!(fresh(r#"(data $d "") (func (data.drop $d))"#), Some(Fresh::Segment));
    let global = "(global $g (mut externref) (ref.null extern))";
    assert_eq!(fresh(&format!("{global} (func (global.set $g (ref.null extern)))")), Some(Fresh::ReferenceGlobal));
    // Reading changes nothing.
    assert_eq!(fresh(&format!("{table} (func (drop (table.get (i32.const 0))) (drop (table.size)))")), None);
    assert_eq!(fresh(&format!(r#"(data $d "text") (func (memory.init $d {zeros}))"#)), None);
    assert_eq!(fresh(&format!("{global} (func (drop (global.get $g)))")), None);
}

#[test]
fn what_is_replaced_is_gone_and_everything_else_is_copied() {
    let body = "(drop (memory.size)) (drop (memory.grow (i32.const 1)))
        (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)) (memory.copy (i32.const 0) (i32.const 0) (i32.const 0))";
    let code = program(&format!("(module {MEMORY} {HANDLE} (func (local i64 f32) {body} (nop)))")).code;
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(&code) {
        if let Payload::CodeSectionEntry(body) = payload.expect("valid") {
            bodies.push(body);
        }
    }
    // The handler, the function above, and five of our own.
    assert_eq!(bodies.len(), 7);
    let operators: Vec<Operator<'_>> =
        bodies[1].get_operators_reader().expect("valid").into_iter().map(|op| op.expect("valid")).collect();
    let calls = operators.iter().filter_map(|op| match op {
        Operator::Call { function_index } => Some(*function_index),
        _ => None,
    });
    assert_eq!(calls.collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(operators[0], Operator::GlobalGet { global_index: 0 });
    assert_eq!(operators.iter().filter(|op| matches!(op, Operator::Nop)).count(), 1);
    let locals = bodies[1].get_locals_reader().expect("valid").into_iter().count();
    assert_eq!(locals, 2);
}

#[test]
fn the_same_input_gives_the_same_output() {
    let text = format!(r#"(module {MEMORY} {HANDLE} (data (i32.const 9) "x") (global (mut f64) (f64.const 1)))"#);
    let (first, second) = (program(&text), program(&text));
    assert_eq!((first.code, first.image.digest()), (second.code, second.image.digest()));
}

#[test]
fn an_image_of_a_small_program_costs_its_pages_only() {
    let wasm = wat::parse_str(format!("(module {MEMORY} {HANDLE})")).expect("valid");
    let image = instrument(&wasm, &Options { memory_bytes_max: 1 << 31 }).expect("a program").image;
    assert_eq!(image.encode().len(), 2 * PAGE_BYTES);
}
