//! Module surgery: makes a wasm module whose linear memory is its whole state.
//!
//! A snapshot of such a program is one memory image, and restoring a used instance is copying pages back:
//! ```text
//!  offset 0                                   initial size     memory_bytes_max
//!  | the program's memory, data segments applied | reads as zero | host page (64 KiB)                        |
//!                                                                | cells, 8 KiB | request frame, 56 KiB      |
//! ```
//! [`instrument::instrument`] rewrites a module so:
//!
//! 1. Every mutable global that some function sets has a *cell* in the host page. `dayfly:save` stores the globals
//!    there (freezing calls it last), `dayfly:handle` loads them before it calls the program's `dayfly_handle`.
//! 2. The memory is declared min = max = limit + host page. `memory.size` and `memory.grow` work on a virtual size,
//!    which is one more global with a cell (exported as `dayfly:size`), so growth is undone like any other write.
//!    A refused growth (beyond the limit, or the program's own maximum) returns -1 and sets the exported global
//!    `dayfly:refused` to 1. It has no cell: the entry sets it to 0. A run that dies while it is 1 died of memory.
//!    In a *base*, a program that others are loaded into, the limit is such a global, too (`dayfly:limit`), and
//!    `dayfly:restore` loads the globals for a host that is about to load a bundle.
//! 3. Active data segments leave the code and become the image, so instantiation writes nothing.
//! 4. `memory.fill` and `memory.copy` become calls of added functions that work in chunks of 64 KiB: the engine runs
//!    the instructions as one call that no epoch interrupts. `memory.init` stays as it is: a passive segment has 1 MiB at most.
//! 5. Tables, segments that are dropped, and globals that hold references live outside memory. A program that can
//!    change these is marked [`Fresh`] and gets a new instance for each request. Each change also sets the exported
//!    global `dayfly:unsaved` to 1: if it is set after initialisation, the change would be missing in every later
//!    instance, so freezing has to refuse; if it is not set after a request, the instance can be restored as usual.
//! 6. The start section becomes the export `dayfly:start`, called first when freezing.
//! 7. Custom sections are dropped: names and debug information hold paths of the machine that built the program.
//!    Of the exports those of the ABI and immutable globals stay.
//!
//! What a program can tell: the memory between its virtual size and the end of the mapping can be loaded from and
//! stored to (also by `memory.init`) instead of trapping; it holds zeros, what the program itself stored, and the host
//! page. It is the program's own memory, restored after each request. `memory.fill` and `memory.copy` trap there, but
//! for a copy from the host page, where the request frame is. Everything else behaves as the specification says.

pub mod abi;
mod error;
pub mod image;
pub mod instrument;
pub mod merge;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use error::Error;
use image::Image;

/// A rewritten module and what is needed to freeze and run it.
#[derive(Clone)]
pub struct Program {
    /// The module: no active data segments, no start section, no custom sections, memory min = max.
    pub code: Vec<u8>,
    /// The memory as instantiation would have left it, plus the cell of the virtual size.
    pub image: Image,
    /// Where the host finds its things in the memory.
    pub layout: Layout,
    /// Why restoring the memory may not restore the program; `None`: memory is the whole state.
    pub fresh: Option<Fresh>,
}

impl fmt::Debug for Program {
    /// Without the code, which can be megabytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Program { code, image, layout, fresh } = self;
        let mut fields = f.debug_struct("Program");
        fields
            .field("code_bytes", &code.len())
            .field("image", image)
            .field("layout", layout)
            .field("fresh", fresh)
            .finish()
    }
}

/// Where the host finds its things in a program's memory. All in octets, from the beginning of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// The whole mapping: the memory limit and the host page.
    pub memory_bytes: u64,
    /// The host page, which is the last 64 KiB.
    pub host_page_offset: u64,
    /// The request frame, in the host page.
    pub frame_offset: u64,
    /// Octets that the frame and what it points to may take.
    pub frame_bytes_max: u64,
    /// The cell of the virtual size: u32, in pages of 64 KiB.
    pub size_cell_offset: u64,
    /// Number of cells, that of the size included.
    pub cells: u32,
}

impl Layout {
    fn new(memory_bytes_max: u64, cells: u32) -> Layout {
        Layout {
            memory_bytes: memory_bytes_max + abi::WASM_PAGE_BYTES,
            host_page_offset: memory_bytes_max,
            frame_offset: memory_bytes_max + abi::FRAME_OFFSET,
            frame_bytes_max: abi::FRAME_BYTES_MAX,
            size_cell_offset: memory_bytes_max,
            cells,
        }
    }
}

/// State outside memory that a program can change, so that restoring its memory is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fresh {
    /// It changes a table.
    Table,
    /// It drops a data or element segment.
    Segment,
    /// It sets a global that holds a reference.
    ReferenceGlobal,
}

impl fmt::Display for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fresh::Table => "it changes a table",
            Fresh::Segment => "it drops a segment",
            Fresh::ReferenceGlobal => "it sets a global that holds a reference",
        })
    }
}
