//! The smallest host that can freeze a program and run requests: the contract of `docs/guest-abi.md` in code, and slow.

#![allow(dead_code, reason = "each test uses its part")]

use std::sync::OnceLock;

use dayfly_wasm::Program;
use dayfly_wasm::abi::{self, export, frame, reply, takes};
use dayfly_wasm::image::{Delta, Image, PAGE_BYTES};
use dayfly_wasm::instrument::{Options, instrument};
use wasmtime::{Caller, Config, Engine, Extern, Instance, Linker, Memory, Module, Store, Val};

/// Enough for every guest that ends, and soon used up by one that does not.
const FUEL: u64 = 500_000_000;
/// A default tenant's.
pub(crate) const MEMORY_BYTES_MAX: u64 = 16 << 20;

pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::new();
        config.wasm_exceptions(true).consume_fuel(true);
        Engine::new(&config).expect("the engine supports what programs may use")
    })
}

#[derive(Clone, Default)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) fields: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u32,
    pub(crate) content_type: Vec<u8>,
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) error: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) body: Vec<u8>,
    pub(crate) log: Vec<(i32, String)>,
    pub(crate) slept_ns: i64,
    /// Advances by one resolution at each look.
    now_ns: i64,
    frozen: bool,
    draws: u8,
}

/// One program, frozen, and one instance of it.
pub(crate) struct Host {
    pub(crate) program: Program,
    pub(crate) snapshot: Image,
    pub(crate) takes: u32,
    pub(crate) store: Store<World>,
    instance: Instance,
    memory: Memory,
}

impl Host {
    pub(crate) fn freeze(wasm: &[u8]) -> Host {
        let program = instrument(wasm, &Options { memory_bytes_max: MEMORY_BYTES_MAX }).expect("a program");
        let module = Module::new(engine(), &program.code).expect("the engine takes what instrumenting makes");
        let mut store = Store::new(engine(), World::default());
        store.set_fuel(FUEL).expect("fuel is on");
        let instance = linker().instantiate(&mut store, &module).expect("every import is known");
        let memory = instance.get_memory(&mut store, export::MEMORY).expect("checked");
        program.image.write_to(memory.data_mut(&mut store));
        let mut host = Host { snapshot: program.image.clone(), program, takes: 0, store, instance, memory };
        for name in [export::START, export::INITIALIZE, export::INIT] {
            host.call_if_there(name);
        }
        host.takes = host.call_if_there(export::TAKES).map_or(0, |value| value.unwrap_i32().cast_unsigned());
        host.call_if_there(export::SAVE);
        host.snapshot = Image::from_memory(host.memory.data(&host.store));
        host.store.data_mut().frozen = true;
        host
    }

    fn call_if_there(&mut self, name: &str) -> Option<Val> {
        let function = self.instance.get_func(&mut self.store, name)?;
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, &[], &mut results).expect("freezing works");
        results.pop()
    }

    /// Runs one request; the error is the trap.
    pub(crate) fn call(&mut self, request: &Request<'_>) -> Result<Reply, wasmtime::Error> {
        self.store.set_fuel(FUEL)?;
        self.store.data_mut().body = request.body.to_vec();
        let frame = if self.takes == 0 { 0 } else { self.write_frame(request) };
        let entry = self.instance.get_typed_func::<i32, i32>(&mut self.store, export::ENTRY)?;
        let reply = entry.call(&mut self.store, frame)?;
        Ok(self.read_reply(reply.cast_unsigned() as usize))
    }

    pub(crate) fn restore(&mut self) {
        self.snapshot.write_to(self.memory.data_mut(&mut self.store));
    }

    pub(crate) fn memory_mut(&mut self) -> &mut [u8] {
        self.memory.data_mut(&mut self.store)
    }

    pub(crate) fn is_as_frozen(&self) -> bool {
        Image::from_memory(self.memory.data(&self.store)) == self.snapshot
    }

    pub(crate) fn global(&mut self, name: &str) -> i32 {
        self.instance.get_global(&mut self.store, name).expect(name).get(&mut self.store).unwrap_i32()
    }

    fn write_frame(&mut self, request: &Request<'_>) -> i32 {
        let base = self.program.layout.frame_offset as usize;
        let mut free = base + frame::BYTES;
        let memory = self.memory.data_mut(&mut self.store);
        let mut put = |octets: &[u8]| {
            let at = free;
            memory[at..at + octets.len()].copy_from_slice(octets);
            free = (at + octets.len()).next_multiple_of(4);
            (at as u32, octets.len() as u32)
        };
        let mut pairs = Vec::new();
        let inline = &request.body[..request.body.len().min(abi::BODY_INLINE_BYTES_MAX)];
        for (bit, at, octets) in [
            (takes::METHOD, frame::METHOD, request.method.as_bytes()),
            (takes::PATH, frame::PATH, request.path.as_bytes()),
            (takes::QUERY, frame::QUERY, request.query.as_bytes()),
            (takes::BODY, frame::BODY, inline),
        ] {
            if self.takes & bit != 0 {
                pairs.push((at, put(octets)));
            }
        }
        if self.takes & takes::BODY != 0 {
            pairs.push((frame::BODY_BYTES_TOTAL, (request.body.len() as u32, 0)));
        }
        if self.takes & takes::HEADERS != 0 {
            let mut entries = Vec::new();
            for (name, value) in request.fields {
                for (at, length) in [put(name.as_bytes()), put(value.as_bytes())] {
                    entries.extend([at.to_le_bytes(), length.to_le_bytes()].concat());
                }
            }
            pairs.push((frame::HEADERS, (put(&entries).0, request.fields.len() as u32)));
        }
        for (at, (pointer, length)) in pairs {
            memory[base + at..][..4].copy_from_slice(&pointer.to_le_bytes());
            memory[base + at + 4..][..4].copy_from_slice(&length.to_le_bytes());
        }
        (base as u32).cast_signed()
    }

    fn read_reply(&self, record: usize) -> Reply {
        let memory = self.memory.data(&self.store);
        let word = |at: usize| u32::from_le_bytes(memory[at..at + 4].try_into().expect("four octets"));
        let text = |at: usize| memory[word(at) as usize..][..word(at + 4) as usize].to_vec();
        let (first, count) = (word(record + reply::HEADERS) as usize, word(record + reply::HEADERS + 4) as usize);
        let fields = (0..count).map(|i| first + i * abi::FIELD_BYTES).map(|at| (text(at), text(at + 8)));
        let status = word(record + reply::STATUS);
        Reply {
            status,
            content_type: text(record + reply::CONTENT_TYPE),
            fields: fields.collect(),
            body: text(record + reply::BODY),
            error: if status == abi::STATUS_FAILED { text(record + reply::ERROR) } else { Vec::new() },
        }
    }

    /// The reply record as it stands, for replies that break rules; `None`: it lies outside of the memory.
    pub(crate) fn call_raw(&mut self, request: &Request<'_>) -> Option<[u32; 9]> {
        let frame = self.write_frame(request);
        let entry = self.instance.get_typed_func::<i32, i32>(&mut self.store, export::ENTRY).expect("an entry");
        let at = entry.call(&mut self.store, frame).expect("no trap").cast_unsigned() as usize;
        let size = self.global(export::SIZE).cast_unsigned() as usize * abi::WASM_PAGE_BYTES as usize;
        let memory = &self.memory.data(&self.store)[..size];
        let record = memory.get(at..at + reply::BYTES)?.as_chunks::<4>().0;
        Some(std::array::from_fn(|i| u32::from_le_bytes(record[i])))
    }

    /// Number of pages that differ from the snapshot, of those whose offsets are wanted.
    pub(crate) fn pages_changed(&self, wanted: impl Fn(u64) -> bool) -> usize {
        let now = Image::from_memory(self.memory.data(&self.store));
        let delta = Delta::between(&self.snapshot, &now).expect("the same size");
        delta.pages().filter(|(index, _)| wanted(*index as u64 * PAGE_BYTES as u64)).count()
    }
}

fn memory_of(caller: &mut Caller<'_, World>) -> Memory {
    caller.get_export(export::MEMORY).and_then(Extern::into_memory).expect("checked")
}

fn linker() -> Linker<World> {
    let mut linker = Linker::new(engine());
    let module = abi::IMPORT_MODULE;
    linker
        .func_wrap(module, "log", |mut caller: Caller<'_, World>, level: i32, at: u32, length: u32| {
            let text = memory_of(&mut caller).data(&caller)[at as usize..][..length as usize].to_vec();
            caller.data_mut().log.push((level, String::from_utf8_lossy(&text).into_owned()));
        })
        .and_then(|linker| {
            linker.func_wrap(module, "clock", |mut caller: Caller<'_, World>, _which: i32| {
                let world = caller.data_mut();
                world.now_ns += abi::clock::RESOLUTION_NS.cast_signed();
                world.now_ns
            })
        })
        .and_then(|linker| {
            linker.func_wrap(module, "random", |mut caller: Caller<'_, World>, at: u32, length: u32| {
                if !caller.data().frozen {
                    return Err(wasmtime::Error::msg("randomness is never part of a snapshot"));
                }
                caller.data_mut().draws += 1;
                let draw = caller.data().draws;
                memory_of(&mut caller).data_mut(&mut caller)[at as usize..][..length as usize].fill(draw);
                Ok(())
            })
        })
        .and_then(|linker| {
            linker.func_wrap(
                module,
                "body_read",
                |mut caller: Caller<'_, World>, offset: u32, at: u32, length: u32| -> u32 {
                    let body = caller.data().body.clone();
                    let rest = body.get(offset as usize..).unwrap_or_default();
                    let part = &rest[..rest.len().min(length as usize)];
                    memory_of(&mut caller).data_mut(&mut caller)[at as usize..][..part.len()].copy_from_slice(part);
                    part.len() as u32
                },
            )
        })
        .and_then(|linker| {
            linker.func_wrap(module, "sleep", |mut caller: Caller<'_, World>, ns: i64| {
                caller.data_mut().slept_ns += ns;
            })
        })
        .expect("names differ")
        .clone()
}

/// The text of a guest in `guests/`, as a module.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = format!("{}/../../guests/{name}.wat", env!("CARGO_MANIFEST_DIR"));
    wat::parse_file(path).expect("a guest is valid")
}

/// The names of all guests.
pub(crate) fn guest_names() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guests");
    let files = std::fs::read_dir(folder).expect("guests are there");
    let names = files.map(|file| file.expect("readable").file_name().into_string().expect("ASCII"));
    names.filter_map(|name| name.strip_suffix(".wat").map(str::to_owned)).collect()
}
