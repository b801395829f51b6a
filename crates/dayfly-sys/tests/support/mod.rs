//! A small guest over an image, for the tests beside this directory.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::missing_panics_doc, clippy::must_use_candidate)]

use dayfly_sys::PAGE_BYTES;
use dayfly_sys::arena::{Arena, GC_HEAP_BYTES_MAX, GC_HEAP_GUARD_BYTES, GUARD_BYTES, MEMORY_RESERVATION_BYTES};
use dayfly_sys::fault;
use dayfly_sys::guest::Guest;
use dayfly_sys::image::SealedImage;
use dayfly_sys::protect::Protection;
use std::sync::{Arc, OnceLock};
use wasmtime::{Config, Engine, Instance, Linker, Module, Store};

/// Pages of 64 KiB in the test guest's memory: 2 MiB.
pub const WASM_PAGES: usize = 32;
pub const PAGES: usize = WASM_PAGES * 16;
pub const BYTES: usize = PAGES * PAGE_BYTES;

/// Both protections, where the kernel allows both.
pub fn protections() -> Vec<Protection> {
    let all = [Protection::Userfault, Protection::Mprotect];
    all.into_iter().filter(|protection| protection.resolve().is_ok()).collect()
}

pub fn new_engine() -> Engine {
    fault::install().expect("signals can be handled");
    let mut config = Config::new();
    config
        .with_host_memory(Arena::get().expect("address space").creator())
        .memory_reservation(MEMORY_RESERVATION_BYTES as u64)
        .memory_guard_size(GUARD_BYTES as u64)
        .memory_may_move(false)
        .memory_init_cow(false)
        .wasm_exceptions(true)
        .gc_heap_reservation(GC_HEAP_BYTES_MAX as u64)
        .gc_heap_guard_size(GC_HEAP_GUARD_BYTES as u64)
        .gc_heap_reservation_for_growth(0)
        .gc_heap_may_move(false);
    Engine::new(&config).expect("an engine")
}

pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(new_engine)
}

pub fn module(engine: &Engine) -> Module {
    let text = format!(
        r#"(module
            (memory (export "memory") {WASM_PAGES} {WASM_PAGES})
            (func (export "store") (param $at i32) (param $value i32)
                (i32.store8 (local.get $at) (local.get $value)))
            (func (export "load") (param $at i32) (result i32)
                (i32.load8_u (local.get $at)))
            (func (export "fill") (param $at i32) (param $value i32) (param $length i32)
                (memory.fill (local.get $at) (local.get $value) (local.get $length)))
            (func (export "divide") (param i32) (result i32)
                (i32.div_s (i32.const 1) (local.get 0)))
            (func (export "give_up")
                (unreachable))
            (func $recurse (export "recurse") (param i32) (result i32)
                (i32.add (i32.const 1) (call $recurse (local.get 0)))))"#
    );
    Module::new(engine, wat::parse_str(text).expect("valid text")).expect("it compiles")
}

/// An image with something on every 7th page of its first half, and nothing on the rest.
pub fn image() -> Arc<SealedImage> {
    let content: Vec<(u32, Vec<u8>)> = (0..PAGES as u32 / 2)
        .filter(|page| page % 7 == 0)
        .map(|page| (page, (0..PAGE_BYTES).map(|at| (at as u32 ^ page) as u8).collect()))
        .collect();
    let pages = content.iter().map(|(page, content)| (*page, content.as_slice()));
    Arc::new(SealedImage::new(BYTES, pages).expect("memory files work here"))
}

/// A guest and its functions.
pub struct Small {
    pub guest: Guest<()>,
    pub instance: Instance,
}

impl Small {
    pub fn new(protection: Protection) -> Small {
        Small::over(engine(), &module(engine()), &image(), protection)
    }

    pub fn over(engine: &Engine, module: &Module, image: &Arc<SealedImage>, protection: Protection) -> Small {
        let program = Linker::new(engine).instantiate_pre(module).expect("it imports nothing");
        let made = Guest::new(Store::new(engine, ()), &program, "memory", image, protection);
        let (guest, instance) = made.expect("a guest");
        Small { guest, instance }
    }

    /// The program writes an octet.
    pub fn store(&mut self, at: usize, value: u8) -> wasmtime::Result<()> {
        let store = self.instance.get_typed_func::<(u32, u32), ()>(self.guest.context(), "store")?;
        let mut lent = self.guest.lend();
        store.call(lent.context(), (at as u32, value.into()))
    }

    /// The program fills a range.
    pub fn fill(&mut self, at: usize, value: u8, length: usize) -> wasmtime::Result<()> {
        let fill = self.instance.get_typed_func::<(u32, u32, u32), ()>(self.guest.context(), "fill")?;
        let mut lent = self.guest.lend();
        fill.call(lent.context(), (at as u32, value.into(), length as u32))
    }

    /// The program divides 1.
    pub fn divide(&mut self, by: i32) -> wasmtime::Result<i32> {
        let divide = self.instance.get_typed_func::<i32, i32>(self.guest.context(), "divide")?;
        divide.call(self.guest.lend().context(), by)
    }

    /// The program meets an `unreachable`.
    pub fn give_up(&mut self) -> wasmtime::Result<()> {
        let give_up = self.instance.get_typed_func::<(), ()>(self.guest.context(), "give_up")?;
        give_up.call(self.guest.lend().context(), ())
    }

    /// The program overflows its stack.
    pub fn recurse(&mut self) -> wasmtime::Result<u32> {
        let recurse = self.instance.get_typed_func::<u32, u32>(self.guest.context(), "recurse")?;
        let mut lent = self.guest.lend();
        recurse.call(lent.context(), 0)
    }

    /// The host writes an octet, as a hostcall does.
    pub fn host_store(&mut self, at: usize, value: u8) {
        self.guest.lend().memory_mut().0[at] = value;
    }

    #[track_caller]
    pub fn assert_restored(&self) {
        assert_eq!(self.guest.check_all(), None);
        assert_eq!(self.guest.check_own_pages().expect("the kernel tells"), None);
    }
}

/// Numbers that look random and are the same for the same seed (xorshift64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
