//! Merging: what becomes of small components and side modules, run by the engine.

#[path = "support/random.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod random;

use dayfly_wasm::instrument::{Options, instrument};
use dayfly_wasm::merge::merge;
use random::{Random, for_each_seed};
use wasmtime::{Engine, Instance, Module, Store, TypedFunc};

/// A component of one library beside the module that owns memory, table and stack, like those of language runtimes.
/// `$library` is given what it exports and does; the component imports one function of its world.
fn component(main: &str, library: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "test:clock/wall@1.2.3" (instance $clock (export "now" (func (result u32)))))
            (core module $main
                (memory (export "memory") 1)
                (table (export "__indirect_function_table") 4 funcref)
                (global (export "__stack_pointer") (mut i32) (i32.const 4096))
                (global (export "memory_base") i32 (i32.const 1024))
                {main})
            (core module $library
                (type $u32 (func (result i32)))
                (import "env" "memory" (memory 1))
                (import "env" "__indirect_function_table" (table 4 funcref))
                (import "env" "__memory_base" (global $base i32))
                (import "clock" "now" (func $now (result i32)))
                {library})
            (core instance $main (instantiate $main))
            (alias core export $main "memory_base" (core global $base))
            (alias core export $main "memory" (core memory $memory))
            (alias core export $main "__indirect_function_table" (core table $table))
            (alias export $clock "now" (func $now))
            (core func $now (canon lower (func $now)))
            (core instance $env
                (export "memory" (memory $memory))
                (export "__indirect_function_table" (table $table))
                (export "__memory_base" (global $base)))
            (core instance $world (export "now" (func $now)))
            (core instance $library (instantiate $library (with "env" (instance $env)) (with "clock" (instance $world)))))"#
    );
    wat::parse_str(text).expect("a valid component")
}

const LIBRARY: &str = r#"
    (global (export "answer") i32 (i32.const 16))
    (data (i32.const 1040) "\2a")
    (func (export "twice") (param i32) (result i32) (i32.add (local.get 0) (local.get 0)))
    (func (export "time") (result i32) (call $now))"#;

/// A side module that asks for 100 octets of memory and two slots.
fn side(fields: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (@custom "dylink.0" (before first) "\01\04\64\02\02\00")
            {fields})"#
    );
    wat::parse_str(text).expect("a valid side module")
}

fn merged(component: &[u8], side: &[u8]) -> Vec<u8> {
    merge(component, side).expect("the two can be merged")
}

/// Calls an export without parameters.
fn call(module: &[u8], name: &str) -> wasmtime::Result<i32> {
    let engine = Engine::default();
    let module = Module::new(&engine, module).expect("a valid module");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is imported");
    let function: TypedFunc<(), i32> = instance.get_typed_func(&mut store, name).expect("it is exported");
    function.call(&mut store, ())
}

fn check_refused(component: &[u8], side: &[u8], reason: &str) {
    let message = merge(component, side).expect_err("this is refused").to_string();
    assert!(message.contains(reason), "{message}");
}

#[test]
fn the_side_module_calls_functions_of_the_components_modules() {
    let side = side(
        r#"(import "env" "twice" (func $twice (param i32) (result i32)))
           (func (export "run") (result i32) (call $twice (i32.const 21)))"#,
    );
    assert_eq!(call(&merged(&component("", LIBRARY), &side), "run").expect("it runs"), 42);
}

#[test]
fn data_of_the_component_is_found_by_its_address() {
    let side = side(
        r#"(import "env" "memory" (memory 1))
           (import "GOT.mem" "answer" (global $answer (mut i32)))
           (func (export "run") (result i32) (i32.load8_u (global.get $answer)))"#,
    );
    assert_eq!(call(&merged(&component("", LIBRARY), &side), "run").expect("it runs"), 42);
}

#[test]
fn the_side_module_has_memory_behind_the_components_and_slots_behind_those_of_the_table() {
    let side = side(
        r#"(import "env" "memory" (memory 1))
           (import "env" "__indirect_function_table" (table 2 funcref))
           (import "env" "__memory_base" (global $memory i32))
           (import "env" "__table_base" (global $table i32))
           (data (global.get $memory) "\07")
           (elem (global.get $table) $seven $eight)
           (func $seven (result i32) (i32.load8_u (global.get $memory)))
           (func $eight (result i32) (i32.const 8))
           (func (export "run") (result i32)
               (i32.add
                   (i32.mul (i32.const 1000000) (global.get $table))
                   (i32.add (global.get $memory)
                       (call_indirect (result i32) (global.get $table)))))"#,
    );
    assert_eq!(call(&merged(&component("", LIBRARY), &side), "run").expect("it runs"), 4_000_000 + 65_536 + 7);
}

#[test]
fn a_function_whose_address_is_taken_gets_a_slot() {
    let side = side(
        r#"(import "env" "__indirect_function_table" (table 0 funcref))
           (import "GOT.func" "twice" (global $twice (mut i32)))
           (func (export "run") (result i32)
               (call_indirect (param i32) (result i32) (i32.const 4) (global.get $twice)))"#,
    );
    assert_eq!(call(&merged(&component("", LIBRARY), &side), "run").expect("it runs"), 8);
}

#[test]
fn a_slot_that_holds_the_function_already_is_its_address() {
    let library = format!("{LIBRARY} (elem (i32.const 3) $f) (func $f (export \"held\") (result i32) (i32.const 1))");
    let side = side(
        r#"(import "GOT.func" "held" (global $held (mut i32)))
           (func (export "run") (result i32) (global.get $held))"#,
    );
    assert_eq!(call(&merged(&component("", &library), &side), "run").expect("it runs"), 3);
}

#[test]
fn what_the_component_imports_is_the_side_modules_export_without_the_version() {
    let side = side(
        r#"(import "env" "time" (func $time (result i32)))
           (func (export "test:clock/wall#now") (result i32) (i32.const 1234))
           (func (export "run") (result i32) (call $time))"#,
    );
    assert_eq!(call(&merged(&component("", LIBRARY), &side), "run").expect("it runs"), 1234);
}

#[test]
fn what_nobody_provides_traps_when_it_is_called() {
    let side = side(
        r#"(import "env" "time" (func $time (result i32)))
           (func (export "run") (result i32) (call $time))"#,
    );
    let error = call(&merged(&component("", LIBRARY), &side), "run").expect_err("it traps");
    assert!(format!("{error:#}").contains("unreachable"), "{error:#}");
}

#[test]
fn a_function_of_the_component_is_replaced_for_everybody_and_given_to_who_replaces_it() {
    let library = r#"
        (elem (i32.const 0) $twice)
        (func $twice (export "twice") (param i32) (result i32) (i32.add (local.get 0) (local.get 0)))
        (func (export "direct") (param i32) (result i32) (i32.add (call $twice (local.get 0)) (i32.const 100)))
        (func (export "by_slot") (param i32) (result i32)
            (i32.add (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)) (i32.const 1000)))"#;
    let component = component("", library);
    let run = |call: &str| {
        let side = side(&format!(
            r#"(import "dayfly:replaced" "twice" (func $original (param i32) (result i32)))
               (import "env" "twice" (func $twice (param i32) (result i32)))
               (import "env" "direct" (func $direct (param i32) (result i32)))
               (import "env" "by_slot" (func $by_slot (param i32) (result i32)))
               (func (export "dayfly:instead#twice") (param i32) (result i32) (i32.add (call $original (local.get 0)) (i32.const 1)))
               (func (export "run") (result i32) (call {call} (i32.const 21)))"#
        ));
        self::call(&merged(&component, &side), "run").expect("it runs")
    };
    assert_eq!(["$original", "$twice", "$direct", "$by_slot"].map(run), [42, 43, 143, 1043]);
    let side = self::side(
        r#"(import "env" "direct" (func $direct (param i32) (result i32)))
           (func (export "dayfly:instead#twice") (param i32) (result i32) (i32.const 7))
           (func (export "run") (result i32) (call $direct (i32.const 21)))"#,
    );
    assert_eq!(call(&merged(&component, &side), "run").expect("it runs"), 107);
    let side = self::side(r#"(import "dayfly:replaced" "twice" (func $original (param i32) (result i32)))"#);
    check_refused(&component, &side, "it exports nothing in place of `twice`");
    let side = self::side(r#"(func (export "dayfly:instead#absent"))"#);
    check_refused(&component, &side, "no module of the component exports such a function");
}

#[test]
fn globals_that_nobody_sets_are_constants_and_the_stack_pointer_stays() {
    let main = r#"(global $never (export "never") (mut i32) (i32.const 30))
        (func (export "both") (result i32) (i32.add (global.get $never) (i32.const 1)))"#;
    let side = side(
        r#"(import "env" "both" (func $both (result i32)))
           (import "env" "__stack_pointer" (global $stack (mut i32)))
           (func (export "run") (result i32)
               (global.set $stack (i32.sub (global.get $stack) (i32.const 16)))
               (i32.add (call $both) (global.get $stack)))"#,
    );
    let module = merged(&component(main, LIBRARY), &side);
    assert_eq!(call(&module, "run").expect("it runs"), 31 + 4080);
    assert_eq!(sections(&module).globals, 1);
}

#[test]
fn forwarders_are_replaced_and_what_nobody_reaches_is_gone() {
    let library = r#"
        (elem (i32.const 0) $real)
        (func $real (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
        (func $direct (export "direct") (param i32) (result i32) (call $real (local.get 0)))
        (func (export "by_slot") (param i32) (result i32)
            (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))
        (func (export "far") (param i32) (result i32) (call $direct (local.get 0)))
        (func (export "unused") (result i32) (i32.const 1))"#;
    let side = side(
        r#"(import "env" "by_slot" (func $by_slot (param i32) (result i32)))
           (import "env" "far" (func $far (param i32) (result i32)))
           (func (export "run") (result i32) (i32.add (call $by_slot (i32.const 1)) (call $far (i32.const 2))))"#,
    );
    let module = merged(&component("", library), &side);
    assert_eq!(call(&module, "run").expect("it runs"), 9);
    assert_eq!(sections(&module).functions, 2, "`run` and `$real`");
}

#[test]
fn hostcalls_stay_imports_and_start_up_code_is_the_start_function() {
    let side = side(
        r#"(import "dayfly" "sleep" (func $sleep (param i64)))
           (import "env" "memory" (memory 1))
           (import "env" "__memory_base" (global $base i32))
           (func (export "__wasm_call_ctors"))
           (func (export "__wasm_apply_data_relocs") (i32.store (global.get $base) (i32.const 5)))
           (func (export "dayfly_handle") (param i32) (result i32) (call $sleep (i64.const 1)) (i32.load (global.get $base)))"#,
    );
    let module = merged(&component("", LIBRARY), &side);
    assert_eq!(sections(&module).imports, [("dayfly".to_owned(), "sleep".to_owned())]);
    let program = instrument(&module, &Options { memory_bytes_max: 4 << 16 }).expect("a program");
    assert_eq!(program.layout.cells, 1, "nothing but the size of memory can change");
    assert!(sections(&program.code).exports.contains(&"dayfly:start".to_owned()));
}

#[test]
fn the_same_parts_give_the_same_module() {
    let side = side(r#"(import "env" "twice" (func $twice (param i32) (result i32))) (export "twice" (func $twice))"#);
    let component = component("", LIBRARY);
    assert_eq!(merged(&component, &side), merged(&component, &side));
}

#[test]
fn a_symbol_that_is_missing_is_named() {
    let component = component("", LIBRARY);
    let reason = "it imports `absent`, but no module of the component exports such a function";
    check_refused(&component, &side(r#"(import "env" "absent" (func))"#), reason);
    let reason = "it imports `twice`, but no module of the component exports such a global";
    check_refused(&component, &side(r#"(import "GOT.mem" "twice" (global (mut i32)))"#), reason);
    let reason = "import `env` `twice` is of another type than its definition";
    check_refused(&component, &side(r#"(import "env" "twice" (func))"#), reason);
    let reason = "import `wasi` `twice` is nothing that a side module can ask for";
    check_refused(&component, &side(r#"(import "wasi" "twice" (func))"#), reason);
}

#[test]
fn exports_for_the_component_must_fit_what_it_imports() {
    let component = component("", LIBRARY);
    let now = |ty: &str| side(&format!(r#"(func (export "test:clock/wall#now") {ty} unreachable)"#));
    check_refused(&component, &now("(param i32)"), "`test:clock/wall#now` is wanted by the component as");
    let later = side(r#"(func (export "test:clock/wall#later"))"#);
    check_refused(&component, &later, "the component does not import `test:clock/wall#later`");
}

#[test]
fn what_is_no_component_or_no_side_module_is_refused() {
    let (component, side) = (component("", LIBRARY), side(""));
    check_refused(b"\0asm\x01\0\0\0", &side, "component: it is a core module");
    check_refused(&component, b"\0asm\x01\0\0\0", "side module: it has no section `dylink.0`");
    check_refused(b"text", &side, "component: ");
    check_refused(&component, b"text", "side module: ");
    let constructors = wat::parse_str(
        r#"(module (@custom "dylink.0" (before first) "\01\04\00\00\00\00")
            (func (export "__wasm_call_ctors") (nop)))"#,
    );
    check_refused(&component, &constructors.expect("valid"), "it has constructors");
}

#[test]
fn what_merging_does_not_support_is_refused_by_name() {
    for (library, reason) in [
        (r#"(data "passive")"#, "passive data segments"),
        ("(func $f) (elem func $f)", "passive element segments"),
        ("(tag)", "exception tags"),
        ("(memory 1)", "a second memory"),
        ("(table 1 externref)", "tables of anything but functions"),
        ("(type (struct))", "types other than functions"),
        ("(global i32 (i32.mul (i32.const 1) (i32.const 2)))", "a constant expression that is more than a sum"),
    ] {
        check_refused(&component("", library), &side(""), reason);
    }
}

/// A side module that uses whatever it imports, of these types.
fn side_of_types(memory: &str, table: &str, pointer: &str, address: &str) -> Vec<u8> {
    let index = |ty: &str| if ty.contains("i64") { "i64" } else { "i32" };
    let offset = |ty: &str, global: &str| match index(ty) {
        // What is set is no constant.
        "i32" if !global.contains("mut") && global.contains("i32") => "(global.get 0)".to_owned(),
        ty => format!("({ty}.const 0)"),
    };
    let fields = format!(
        r#"(import "env" "__stack_pointer" (global $pointer {pointer}))
           (import "GOT.mem" "answer" (global $address {address}))
           (import "env" "memory" (memory {memory}))
           (import "env" "__indirect_function_table" (table {table}))
           (func $f)
           (data {} "octets")
           (func (export "run") (drop (global.get $pointer)) (drop (global.get $address)))"#,
        offset(memory, pointer)
    );
    let elements =
        if table.contains("funcref") { format!("(elem {} func $f)", offset(table, pointer)) } else { String::new() };
    side(&format!("{fields} {elements}"))
}

#[test]
fn imports_of_another_type_than_their_definition_are_refused() {
    let component = component("", LIBRARY);
    let expected = ["1", "1 funcref", "(mut i32)", "(mut i32)"];
    let with = |at: usize, ty: &'static str| {
        let mut types = expected;
        types[at] = ty;
        side_of_types(types[0], types[1], types[2], types[3])
    };
    merged(&component, &with(0, "1"));
    merged(&component, &with(3, "i32"));
    for (at, name, ty) in [
        (0, "memory", "i64 1"),
        (1, "__indirect_function_table", "i64 1 funcref"),
        (1, "__indirect_function_table", "1 externref"),
        (2, "__stack_pointer", "i64"),
        (2, "__stack_pointer", "(mut i64)"),
        (2, "__stack_pointer", "i32"),
        (2, "__stack_pointer", "(mut f32)"),
        (3, "answer", "i64"),
        (3, "answer", "(mut v128)"),
    ] {
        let reason = format!("`{name}` is of another type than its definition");
        check_refused(&component, &with(at, ty), &reason);
    }
    let sum = side(
        r#"(import "env" "__stack_pointer" (global $pointer i64))
           (global i64 (i64.add (global.get $pointer) (i64.const 1)))"#,
    );
    check_refused(&component, &sum, "is of another type than its definition");
}

#[test]
fn a_side_module_may_set_the_address_that_it_was_given() {
    let side = side(
        r#"(import "GOT.mem" "answer" (global $answer (mut i32)))
           (func (export "run") (result i32)
               (global.set $answer (i32.add (global.get $answer) (i32.const 1)))
               (global.get $answer))"#,
    );
    assert_eq!(call(&merged(&component("", LIBRARY), &side), "run").expect("it runs"), 1024 + 17);
}

/// Changes some octets, which leaves one input in a few valid.
fn spoilt(octets: &[u8], random: &mut Random) -> Vec<u8> {
    let mut octets = octets.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(octets.len());
        octets[at] = random.next() as u8;
    }
    octets
}

#[test]
fn whatever_the_parts_are_they_are_merged_or_refused() {
    let component = component("", &format!("{LIBRARY} (elem (i32.const 0) $now) (global (mut i32) (i32.const 7))"));
    let side = side(
        r#"(import "env" "twice" (func $twice (param i32) (result i32)))
           (import "env" "memory" (memory 1))
           (import "env" "__memory_base" (global $base i32))
           (import "GOT.mem" "answer" (global $answer (mut i32)))
           (import "dayfly" "sleep" (func (param i64)))
           (data (global.get $base) "data")
           (func (export "test:clock/wall#now") (result i32) (i32.const 1))
           (func (export "run") (result i32) (call $twice (i32.load (global.get $answer))))"#,
    );
    merged(&component, &side);
    for_each_seed(3000, |seed| {
        let mut random = Random::new(seed);
        let mut one = |types: &[&'static str]| types[random.below(types.len())];
        let memory = one(&["1", "0 5", "i64 1", "i64 0 9"]);
        let table = one(&["1 funcref", "0 9 funcref", "1 externref", "i64 1 funcref", "i64 1 externref"]);
        let mut global =
            || one(&["i32", "i64", "f32", "f64", "v128", "funcref", "(mut i32)", "(mut i64)", "(mut externref)"]);
        let other_types = side_of_types(memory, table, global(), global());
        let spoilt_types = spoilt(&other_types, &mut random);
        // An error or a module: `merge` checks that what it makes is valid, and says so if it is not.
        for result in [
            merge(&spoilt(&component, &mut random), &side),
            merge(&component, &spoilt(&side, &mut random)),
            merge(&component, &other_types),
            merge(&component, &spoilt_types),
        ] {
            assert!(!matches!(result, Err(dayfly_wasm::Error::Internal(_))), "{result:?}");
        }
    });
}

#[derive(Default)]
struct Sections {
    imports: Vec<(String, String)>,
    exports: Vec<String>,
    functions: u32,
    globals: u32,
}

fn sections(module: &[u8]) -> Sections {
    let mut found = Sections::default();
    for payload in wasmparser::Parser::new(0).parse_all(module) {
        match payload.expect("valid") {
            wasmparser::Payload::ImportSection(section) => {
                let imports = section.into_imports().map(|import| import.expect("valid"));
                found.imports = imports.map(|import| (import.module.to_owned(), import.name.to_owned())).collect();
            }
            wasmparser::Payload::ExportSection(section) => {
                found.exports = section.into_iter().map(|export| export.expect("valid").name.to_owned()).collect();
            }
            wasmparser::Payload::FunctionSection(section) => found.functions = section.count(),
            wasmparser::Payload::GlobalSection(section) => found.globals = section.count(),
            _ => {}
        }
    }
    found
}
