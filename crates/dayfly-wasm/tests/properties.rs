//! Random modules behave after instrumenting as before, and no request sees the one before it.
//!
//! `DAYFLY_CASES=N` runs N cases of each test instead of a few seconds' worth; `DAYFLY_SEED=S` begins with seed S.

#[path = "support/driver.rs"]
mod driver;
#[path = "support/random.rs"]
mod random;

use std::sync::OnceLock;

use dayfly_wasm::abi::{IMPORT_MODULE, WASM_PAGE_BYTES, export};
use dayfly_wasm::image::Image;
use dayfly_wasm::instrument::{Options, instrument};
use dayfly_wasm::{Error, Program};
use random::{Random, for_each_seed};
use wasmtime::{Config, Engine, Func, Instance, Module, Store, StoreLimits, StoreLimitsBuilder, Trap, Val};

/// Small, so that generated modules reach it.
const MEMORY_PAGES_MAX: u64 = 20;
const MEMORY_BYTES_MAX: u64 = MEMORY_PAGES_MAX * WASM_PAGE_BYTES;
/// Loop turns and calls before a generated module traps.
const FUEL: u32 = 20_000;
const INPUTS: [i32; 3] = [0, 7, -559_038_737];

/// How a run ended: with a result, or why not.
type Outcome = Result<i32, Stop>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Trap,
    /// Where the stack ends is no part of the specification: frames of rewritten functions differ.
    StackOverflow,
}

impl From<wasmtime::Error> for Stop {
    fn from(error: wasmtime::Error) -> Stop {
        let overflow = error.downcast_ref() == Some(&Trap::StackOverflow);
        if overflow { Stop::StackOverflow } else { Stop::Trap }
    }
}

/// What a run shows: its outcome, the memory up to its size, and the hostcalls with their arguments.
#[derive(PartialEq, Eq)]
struct Shown {
    outcome: Outcome,
    memory: Vec<u8>,
    calls: Vec<String>,
}

struct World {
    limits: StoreLimits,
    calls: Vec<String>,
}

/// An instance of the module as it was, or as it became.
struct Run {
    store: Store<World>,
    instance: Instance,
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::new();
        // Most of a case is compiling; a small stack makes endless recursion short.
        config.wasm_exceptions(true).cranelift_opt_level(wasmtime::OptLevel::None).max_wasm_stack(128 << 10);
        Engine::new(&config).expect("the engine supports what programs may use")
    })
}

impl Run {
    /// `Err`: instantiation failed, by a segment out of bounds or in the start function.
    fn new(module: &Module, memory_bytes_max: u64) -> Result<Run, Stop> {
        let limits = StoreLimitsBuilder::new().memory_size(memory_bytes_max as usize).table_elements(10_000).build();
        let mut store = Store::new(engine(), World { limits, calls: Vec::new() });
        store.limiter(|world| &mut world.limits);
        let imports: Vec<_> = module.imports().map(|import| hostcall(&mut store, &import).into()).collect();
        let instance = Instance::new(&mut store, module, &imports)?;
        Ok(Run { store, instance })
    }

    fn call(&mut self, name: &str, argument: Option<i32>) -> Outcome {
        let Some(function) = self.instance.get_func(&mut self.store, name) else { return Ok(0) };
        let arguments: Vec<Val> = argument.into_iter().map(Val::I32).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, &arguments, &mut results)?;
        Ok(results.first().map_or(0, Val::unwrap_i32))
    }

    fn memory(&mut self) -> &mut [u8] {
        let memory = self.instance.get_memory(&mut self.store, export::MEMORY).expect("checked");
        memory.data_mut(&mut self.store)
    }

    fn global(&mut self, name: &str) -> Option<i32> {
        let global = self.instance.get_global(&mut self.store, name)?;
        Some(global.get(&mut self.store).unwrap_i32())
    }

    /// Runs one request and shows what it did; the memory ends at the virtual size, if there is one.
    fn show(&mut self, entry: &str, input: i32) -> Shown {
        self.store.data_mut().calls.clear();
        let outcome = self.call(entry, Some(input));
        let size = self.global(export::SIZE).map(|pages| pages.cast_unsigned() as usize * WASM_PAGE_BYTES as usize);
        let memory = self.memory();
        let memory = memory[..size.unwrap_or(memory.len())].to_vec();
        Shown { outcome, memory, calls: self.store.data().calls.clone() }
    }
}

/// A hostcall that notes its arguments and answers with their sum.
fn hostcall(store: &mut Store<World>, import: &wasmtime::ImportType<'_>) -> Func {
    let ty = import.ty().unwrap_func().clone();
    let (name, result) = (import.name().to_owned(), ty.results().next());
    Func::new(store, ty, move |mut caller, arguments, results| {
        let numbers: Vec<i64> = arguments.iter().map(|it| it.i64().unwrap_or_else(|| it.unwrap_i32().into())).collect();
        let sum = numbers.iter().fold(0, |sum: i64, number| sum.wrapping_add(*number));
        caller.data_mut().calls.push(format!("{name}{numbers:?}"));
        if let Some(ty) = &result {
            results[0] = if ty.is_i64() { Val::I64(sum) } else { Val::I32(sum as i32) };
        }
        Ok(())
    })
}

/// A program and the instance that serves it, frozen.
struct Frozen {
    module: Module,
    program: Program,
    snapshot: Image,
    run: Run,
}

impl Frozen {
    fn instance(module: &Module, image: &Image) -> Result<Run, Stop> {
        let mut run = Run::new(module, MEMORY_BYTES_MAX + WASM_PAGE_BYTES)?;
        image.write_to(run.memory());
        Ok(run)
    }

    /// `Err`: as in [`Run::new`]. `Ok(None)`: start-up changes state that no snapshot can hold.
    fn new(wasm: &[u8]) -> Result<Option<Frozen>, Stop> {
        let program = match instrument(wasm, &Options { memory_bytes_max: MEMORY_BYTES_MAX }) {
            Ok(program) => program,
            Err(Error::Malformed { reason, .. }) if reason.contains("data segment ends outside") => {
                return Err(Stop::Trap);
            }
            Err(error) => panic!("refused: {error}"),
        };
        let module = Module::new(engine(), &program.code).expect("the engine takes what instrumenting makes");
        let mut run = Frozen::instance(&module, &program.image)?;
        run.call(export::START, None)?;
        run.call(export::SAVE, None).expect("saving never traps");
        if run.global(export::UNSAVED) == Some(1) {
            return Ok(None);
        }
        let snapshot = Image::from_memory(run.memory());
        Ok(Some(Frozen { module, program, snapshot, run }))
    }

    /// Restores the memory, after making a new instance if the program changed more than that; tells whether it did.
    fn restore(&mut self) -> bool {
        let unsaved = self.run.global(export::UNSAVED) == Some(1);
        assert!(!unsaved || self.program.fresh.is_some(), "only programs marked so can change more than memory");
        if unsaved {
            self.run = Frozen::instance(&self.module, &self.snapshot).expect("it worked before");
        }
        self.snapshot.write_to(self.run.memory());
        unsaved
    }
}

/// How often each thing happened, so that a test can tell that it tested something.
#[derive(Debug, Default)]
struct Tally {
    compared: u32,
    answered: u32,
    overflowed: u32,
    fresh: u32,
    renewed: u32,
    failed_at_start: u32,
    unsaved_at_start: u32,
}

/// Runs the module before and after instrumenting, the inputs in this order and then again, and compares.
fn compare(wasm: &[u8], tally: &mut Tally) {
    let original = Module::new(engine(), wasm).expect("the generator makes valid modules");
    let start = Run::new(&original, MEMORY_BYTES_MAX).map(|_| ());
    let frozen = Frozen::new(wasm);
    if start == Err(Stop::StackOverflow) || frozen.as_ref().err() == Some(&Stop::StackOverflow) {
        tally.overflowed += 1;
        return;
    }
    assert_eq!(start.is_ok(), frozen.is_ok(), "one starts, the other does not");
    let Ok(frozen) = frozen else {
        tally.failed_at_start += 1;
        return;
    };
    let Some(mut frozen) = frozen else {
        tally.unsaved_at_start += 1;
        return;
    };
    tally.fresh += u32::from(frozen.program.fresh.is_some());
    for input in INPUTS.into_iter().chain(INPUTS) {
        let expected = Run::new(&original, MEMORY_BYTES_MAX).expect("it started before").show(export::HANDLE, input);
        let found = frozen.run.show(export::ENTRY, input);
        if [found.outcome, expected.outcome].contains(&Err(Stop::StackOverflow)) {
            tally.overflowed += 1;
            frozen.restore();
            continue;
        }
        assert_eq!(found.outcome, expected.outcome, "input {input}: another outcome");
        assert!(found.calls == expected.calls, "input {input}: other hostcalls");
        assert_eq!(found.memory.len(), expected.memory.len(), "input {input}: another memory size");
        let differs = found.memory.iter().zip(&expected.memory).position(|(a, b)| a != b);
        assert_eq!(differs, None, "input {input}: memory differs at this offset");
        tally.compared += 1;
        tally.answered += u32::from(found.outcome.is_ok());
        tally.renewed += u32::from(frozen.restore());
    }
}

fn random_module(random: &mut Random) -> Option<Vec<u8>> {
    let octets = 500 + random.below(4000);
    let octets = random.octets(octets);
    let config = wasm_smith::Config {
        available_imports: Some(hostcalls()),
        disallow_traps: true,
        canonicalize_nans: true,
        min_memories: 1,
        max_memories: 1,
        max_memory32_bytes: MEMORY_BYTES_MAX,
        min_funcs: 1,
        max_funcs: 12,
        max_imports: 4,
        max_instructions: 200,
        min_exports: 1,
        min_globals: 2,
        max_globals: 20,
        max_table_elements: 1000,
        max_tables: 3,
        export_everything: random.pick(&[true, false]),
        generate_custom_sections: true,
        compact_imports_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..wasm_smith::Config::default()
    };
    let mut module = wasm_smith::Module::new(config, &mut arbitrary::Unstructured::new(&octets)).ok()?;
    module.ensure_termination(FUEL).expect("no function is invalid");
    Some(driver::add_handler(&module.to_bytes()))
}

/// A module that imports all hostcalls, for the generator to choose from.
fn hostcalls() -> Vec<u8> {
    let text = format!(
        r#"(module
            (import "{IMPORT_MODULE}" "log" (func (param i32 i32 i32)))
            (import "{IMPORT_MODULE}" "clock" (func (param i32) (result i64)))
            (import "{IMPORT_MODULE}" "body_read" (func (param i32 i32 i32) (result i32)))
            (import "{IMPORT_MODULE}" "sleep" (func (param i64))))"#
    );
    wat::parse_str(text).expect("valid")
}

#[test]
fn random_modules_behave_as_before_and_no_request_sees_another() {
    let mut tally = Tally::default();
    for_each_seed(300, |seed| {
        if let Some(wasm) = random_module(&mut Random::new(seed)) {
            compare(&wasm, &mut tally);
        }
    });
    println!("{tally:?}");
    assert!(tally.compared == 0 || tally.answered > 0, "{tally:?}");
}

/// One instruction that works on many octets, or a growth between two of them. Addresses and lengths lie around the
/// borders that matter: of a chunk, of the memory before and after growth, of the mapping, of the address space.
fn random_bulk(random: &mut Random) -> String {
    const BORDERS: [u64; 8] = [0, 1 << 16, 2 << 16, 3 << 16, 4 << 16, 5 << 16, MEMORY_BYTES_MAX, 1 << 32];
    let number = |random: &mut Random| {
        let near = random.pick(&BORDERS).wrapping_add(random.below(9) as u64).wrapping_sub(4) as u32;
        let (far, small) = (random.below(1 << 18) as u32, random.below(100) as u32);
        random.pick(&[near, far, far, small, small])
    };
    let (to, mut with, length) = (number(random), number(random), number(random));
    // The host page may be copied from.
    if (MEMORY_BYTES_MAX..MEMORY_BYTES_MAX + WASM_PAGE_BYTES).contains(&with.into()) {
        with += 2 * WASM_PAGE_BYTES as u32;
    }
    match random.below(8) {
        0 => format!("(drop (memory.grow (i32.const {})))", random.pick(&[0, 1, 2, 100])),
        1 | 2 => format!("(memory.fill (i32.const {to}) (i32.const {with}) (i32.const {length}))"),
        3 => {
            // A destination outside would be stored to instead of trapping.
            let (to, from, length) = (to % ((4 << 16) - 40), random.below(40), random.below(40));
            format!("(memory.init $text (i32.const {to}) (i32.const {from}) (i32.const {length}))")
        }
        4 if random.below(8) == 0 => "(data.drop $text)".to_owned(),
        // Overlaps, in both directions.
        5 if to < 5 << 16 => {
            let from = to.wrapping_add(random.below(1 << 17) as u32).wrapping_sub(1 << 16);
            format!("(memory.copy (i32.const {to}) (i32.const {from}) (i32.const {length}))")
        }
        _ => format!("(memory.copy (i32.const {to}) (i32.const {with}) (i32.const {length}))"),
    }
}

#[test]
fn bulk_instructions_behave_as_before() {
    let mut tally = Tally::default();
    for_each_seed(300, |seed| {
        let random = &mut Random::new(seed);
        let body: String = (0..=random.below(8)).map(|_| random_bulk(random) + "\n").collect();
        let text = format!(
            r#"(module
                (memory (export "memory") 4)
                (data (i32.const 65000) "{}")
                (data $text "a passive segment of 32 octets..")
                (func (export "dayfly_handle") (param i32) (result i32) {body} (memory.size)))"#,
            "0123456789abcdef".repeat(5000)
        );
        println!("seed {seed}:\n{body}");
        compare(&wat::parse_str(text).expect("valid"), &mut tally);
    });
    println!("{tally:?}");
    assert!(tally.compared == 0 || tally.answered > 0, "{tally:?}");
}

/// Notes a value in the local `$seen`.
fn see(value: &str) -> String {
    format!("(local.set $seen (i32.add (i32.mul (local.get $seen) (i32.const 31)) {value}))\n")
}

/// One look at state outside memory, which traps rarely.
fn random_look(random: &mut Random) -> String {
    let index = random.below(8);
    match random.below(8) {
        0 => see("(ref.is_null (global.get $held))"),
        1 => see("(table.size $table)"),
        2 => format!("(memory.init $text (i32.const 0) (i32.const 0) (i32.const {}))\n", random.below(2)),
        _ => see(&format!(
            "(if (result i32) (ref.is_null (table.get $table (i32.const {index})))
                (then (i32.const 0)) (else (call_indirect $table (result i32) (i32.const {index}))))"
        )),
    }
}

/// One instruction that changes state outside memory.
fn random_change(random: &mut Random) -> String {
    let mut index = || random.below(5).to_string();
    let (a, b, c) = (index(), index(), index());
    let reference = random.pick(&["(ref.func $one)", "(ref.func $two)", "(ref.null func)", "(global.get $held)"]);
    match random.below(8) {
        0 => format!("(table.set $table (i32.const {a}) {reference})\n"),
        1 => see(&format!("(table.grow $table {reference} (i32.const {a}))")),
        2 => format!("(table.fill $table (i32.const {a}) {reference} (i32.const {b}))\n"),
        3 => format!("(table.copy $table $table (i32.const {a}) (i32.const {b}) (i32.const {c}))\n"),
        4 => format!("(table.init $table $functions (i32.const {a}) (i32.const 0) (i32.const {c}))\n"),
        5 => "(elem.drop $functions)\n".to_owned(),
        6 => "(data.drop $text)\n".to_owned(),
        _ => format!("(global.set $held {reference})\n"),
    }
}

#[test]
fn state_outside_memory_never_reaches_the_next_request() {
    let mut tally = Tally::default();
    for_each_seed(300, |seed| {
        let random = &mut Random::new(seed);
        let at_start = if seed % 8 == 0 { random_change(random) } else { String::new() };
        let mut looks = || (0..4).map(|_| random_look(random)).collect::<String>();
        let (before, after) = (looks(), looks());
        let in_request = before + &random_change(random) + &after;
        println!("seed {seed}: at start {at_start}\n{in_request}");
        let text = format!(
            r#"(module
                (memory (export "memory") 1)
                (data $active (i32.const 16) "active")
                (data $text "text")
                (table $table 8 20 funcref)
                (global $held (mut funcref) (ref.func $two))
                (elem (table $table) (i32.const 1) func $one $two $one)
                (elem $functions func $two $one $two $one)
                (func $one (result i32) (i32.const 1))
                (func $two (result i32) (i32.const 2))
                (func $start (local $seen i32) {at_start})
                (start $start)
                (func (export "dayfly_handle") (param $seen i32) (result i32) {in_request} (local.get $seen)))"#
        );
        compare(&wat::parse_str(text).expect("valid"), &mut tally);
    });
    println!("{tally:?}");
    assert!(tally.compared == 0 || tally.renewed > 0, "{tally:?}");
}

#[test]
fn damaged_modules_are_refused_or_rewritten_but_never_our_fault() {
    let options = Options { memory_bytes_max: MEMORY_BYTES_MAX };
    for_each_seed(200, |seed| {
        let random = &mut Random::new(seed);
        let Some(wasm) = random_module(random) else { return };
        for _ in 0..20 {
            let mut damaged = wasm.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(damaged.len());
                damaged[at] = random.next() as u8;
            }
            if let Err(error @ Error::Internal(_)) = instrument(&damaged, &options) {
                panic!("{error}");
            }
        }
    });
}
