//! Whether a module is what instrumenting makes: digests prove only that the manifest names it.
//!
//! Memory is readable only while an instance is made, and restored without anybody asking the module; so a module that
//! writes when it is instantiated, or hides what it changes outside memory, must not get that far.

use dayfly_wasm::abi::{WASM_PAGE_BYTES, export};
use dayfly_wasm::{Fresh, Layout};
use std::collections::HashSet;
use wasmparser::{BinaryReaderError, DataKind, MemoryType, Parser, Payload};

/// What of a module decides.
#[derive(Default)]
struct Facts<'a> {
    exports: HashSet<&'a str>,
    memories: Vec<MemoryType>,
    starts: bool,
    writes_data: bool,
}

/// Reads the sections of `code`, without its functions, and says what contradicts the manifest.
pub(crate) fn check(code: &[u8], layout: &Layout, fresh: Option<Fresh>) -> Result<(), String> {
    let facts = Facts::read(code).map_err(|error| format!("code.wasm: {error}"))?;
    let lacks = |name: &&&str| !facts.exports.contains(**name);
    if let Some(name) = [export::MEMORY, export::ENTRY, export::SIZE, export::REFUSED].iter().find(lacks) {
        return Err(format!("code.wasm was not instrumented: no export `{name}`"));
    }
    if facts.starts || facts.writes_data {
        return Err("code.wasm was not instrumented: it does something when an instance is made".to_owned());
    }
    let pages = layout.memory_bytes / WASM_PAGE_BYTES;
    if !matches!(&facts.memories[..], [memory] if memory.initial == pages && memory.maximum == Some(pages)) {
        return Err(format!("code.wasm does not have one memory of {pages} pages"));
    }
    if facts.exports.contains(export::UNSAVED) != fresh.is_some() {
        return Err("manifest and code.wasm do not agree whether there is state outside memory".to_owned());
    }
    Ok(())
}

impl<'a> Facts<'a> {
    fn read(code: &'a [u8]) -> Result<Facts<'a>, BinaryReaderError> {
        let mut facts = Facts::default();
        for payload in Parser::new(0).parse_all(code) {
            match payload? {
                Payload::StartSection { .. } => facts.starts = true,
                Payload::MemorySection(section) => {
                    for memory in section {
                        facts.memories.push(memory?);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        facts.exports.insert(export?.name);
                    }
                }
                Payload::DataSection(section) => {
                    for data in section {
                        facts.writes_data |= matches!(data?.kind, DataKind::Active { .. });
                    }
                }
                _ => {}
            }
        }
        Ok(facts)
    }
}
