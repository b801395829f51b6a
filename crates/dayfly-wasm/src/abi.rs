//! Guest ABI, version 1: what a program exports, what it may import, and how frame and reply are laid out.
//!
//! `docs/guest-abi.md` is the same contract in prose; a test holds the two together. All integers are little-endian,
//! all pointers are octet offsets into the guest's only memory.

use wasmparser::ValType;

/// The version of this contract; a release names the one it was made for.
pub const VERSION: u32 = 1;

/// The only module a program may import from.
pub const IMPORT_MODULE: &str = "dayfly";

/// Exports of a program, and those that instrumenting adds (`dayfly:` is reserved for these).
pub mod export {
    /// The only memory.
    pub const MEMORY: &str = "memory";
    /// `()`: start-up of a reactor; optional, called once, at freeze.
    pub const INITIALIZE: &str = "_initialize";
    /// `()`: the program's own preparation; optional, called once, at freeze, after [`INITIALIZE`].
    pub const INIT: &str = "dayfly_init";
    /// `() -> i32`: mask of [`super::takes`]; optional (absent: takes nothing), called once, at freeze.
    pub const TAKES: &str = "dayfly_takes";
    /// `(frame) -> reply record`: answers one request. The program's own; hosts call [`ENTRY`].
    pub const HANDLE: &str = "dayfly_handle";

    /// `(octets: i32) -> i32`: address of a buffer for a bundle of so many octets; optional, with [`LOAD`].
    pub const RESERVE: &str = "dayfly_reserve";
    /// `(address: i32, octets: i32) -> reply record`: loads a bundle; optional. A program that has it is a *base*: others
    /// are loaded into its snapshot, and what that changes is theirs.
    pub const LOAD: &str = "dayfly_load";

    /// What the names of added exports begin with; a program that uses it is refused.
    pub const RESERVED_PREFIX: &str = "dayfly:";
    /// `(frame) -> reply record`: loads the globals from their cells, then calls [`HANDLE`].
    pub const ENTRY: &str = "dayfly:handle";
    /// `()`: stores the globals into their cells; freezing calls it last.
    pub const SAVE: &str = "dayfly:save";
    /// `()`: the start section of the program, if it had one; freezing calls it first.
    pub const START: &str = "dayfly:start";
    /// `()`, only in a base: loads the globals from their cells. A host that loads a bundle calls it first.
    pub const RESTORE: &str = "dayfly:restore";
    /// Mutable `i32`, only in a base: most pages of 64 KiB that the virtual memory may have. It has a cell, so that one
    /// code serves limits below the one that it was instrumented for.
    pub const LIMIT: &str = "dayfly:limit";
    /// Mutable `i32`: the virtual memory size in pages of 64 KiB. To be clamped to the mapping before use.
    pub const SIZE: &str = "dayfly:size";
    /// Mutable `i32`: 1 once a growth of the memory was refused in this request (or while freezing), else 0.
    pub const REFUSED: &str = "dayfly:refused";
    /// Mutable `i32`, only in programs marked [`crate::Fresh`]: 1 once state outside memory was changed.
    pub const UNSAVED: &str = "dayfly:unsaved";
}

/// Bits of the mask that [`export::TAKES`] returns: the parts of a request to write into the frame.
pub mod takes {
    /// Method.
    pub const METHOD: u32 = 1;
    /// Path after the mount prefix.
    pub const PATH: u32 = 2;
    /// Query without `?`.
    pub const QUERY: u32 = 4;
    /// Header fields.
    pub const HEADERS: u32 = 8;
    /// Content: the first part inline, its whole length, and the right to call `body_read`.
    pub const BODY: u32 = 16;
    /// Address of the client as text.
    pub const CLIENT: u32 = 32;
    /// `http` or `https`.
    pub const SCHEME: u32 = 64;
    /// Host as the client named it.
    pub const HOST: u32 = 128;
    /// Mount prefix.
    pub const MOUNT: u32 = 256;
    /// Every bit that has a meaning; a program that sets another one is refused.
    pub const ALL: u32 = 511;
}

/// Offsets of the (pointer, length) pairs in the request frame.
pub mod frame {
    /// Method: pointer, length.
    pub const METHOD: usize = 0;
    /// Path: pointer, length.
    pub const PATH: usize = 8;
    /// Query: pointer, length.
    pub const QUERY: usize = 16;
    /// Header fields: pointer, count of [`super::FIELD_BYTES`] entries.
    pub const HEADERS: usize = 24;
    /// Inline part of the content: pointer, length.
    pub const BODY: usize = 32;
    /// Octets of the whole content (u32), followed by a reserved u32 that is zero.
    pub const BODY_BYTES_TOTAL: usize = 40;
    /// Client address: pointer, length.
    pub const CLIENT: usize = 48;
    /// Scheme: pointer, length.
    pub const SCHEME: usize = 56;
    /// Host: pointer, length.
    pub const HOST: usize = 64;
    /// Mount prefix: pointer, length.
    pub const MOUNT: usize = 72;
    /// Octets of the frame; what it points to follows.
    pub const BYTES: usize = 80;
}

/// Octets of one header field, in the frame and in the reply: `{name_ptr, name_len, value_ptr, value_len}`.
pub const FIELD_BYTES: usize = 16;

/// Most octets of the content that are inline: more would make every reader of small bodies dirty more pages, and
/// less would make the usual form or JSON body cost a hostcall.
pub const BODY_INLINE_BYTES_MAX: usize = 8 << 10;

/// Offsets in the reply record.
pub mod reply {
    /// Status (u32), 200..=599, or 0 if the program failed.
    pub const STATUS: usize = 0;
    /// Content type: pointer, length; length 0: none.
    pub const CONTENT_TYPE: usize = 4;
    /// Header fields: pointer, count of [`super::FIELD_BYTES`] entries.
    pub const HEADERS: usize = 12;
    /// Content: pointer, length.
    pub const BODY: usize = 20;
    /// Why the program failed, for the tenant's log: pointer, length; read only if the status is 0.
    pub const ERROR: usize = 28;
    /// Octets of the record.
    pub const BYTES: usize = 36;
}

/// The status that says that the program failed and that [`reply::ERROR`] says why.
pub const STATUS_FAILED: u32 = 0;
/// Lowest status of a reply: interim answers (1xx, RFC 9110 section 15.2) are the host's alone.
pub const STATUS_MIN: u32 = 200;
/// Highest status of a reply (RFC 9110 section 15).
pub const STATUS_MAX: u32 = 599;

/// Levels of the hostcall `log`.
pub mod level {
    /// For the author.
    pub const DEBUG: u32 = 0;
    /// What `print` writes.
    pub const INFO: u32 = 1;
    /// Odd, but handled.
    pub const WARNING: u32 = 2;
    /// Something failed.
    pub const ERROR: u32 = 3;
    /// Everything failed.
    pub const CRITICAL: u32 = 4;
}

/// Clocks of the hostcall `clock`.
pub mod clock {
    /// Nanoseconds since 1970-01-01 UTC.
    pub const REALTIME: u32 = 0;
    /// Nanoseconds since an arbitrary moment, never going back.
    pub const MONOTONIC: u32 = 1;
    /// Both are rounded down to this: a finer clock is what measures caches and neighbours.
    pub const RESOLUTION_NS: u64 = 1_000_000;
}

/// One function that a program may import.
#[derive(Clone, Copy, Debug)]
pub struct Hostcall {
    /// Its name in [`IMPORT_MODULE`].
    pub name: &'static str,
    /// Types of its parameters.
    pub params: &'static [ValType],
    /// Types of its results.
    pub results: &'static [ValType],
}

/// The guest's whole world.
pub const HOSTCALLS: [Hostcall; 6] = {
    use ValType::{I32, I64};
    [
        Hostcall { name: "log", params: &[I32, I32, I32], results: &[] },
        Hostcall { name: "clock", params: &[I32], results: &[I64] },
        Hostcall { name: "random", params: &[I32, I32], results: &[] },
        Hostcall { name: "body_read", params: &[I32, I32, I32], results: &[I32] },
        Hostcall { name: "sleep", params: &[I64], results: &[] },
        Hostcall { name: "secret", params: &[I32, I32, I32, I32], results: &[I32] },
    ]
};

/// Octets of a page of linear memory.
pub const WASM_PAGE_BYTES: u64 = 64 << 10;
/// Offset in a base's host page of the cell of [`export::LIMIT`].
pub const LIMIT_CELL_OFFSET: u64 = 8;
/// Offset in the host page (the last page of memory) at which the request frame begins; the cells lie before it.
pub const FRAME_OFFSET: u64 = 8 << 10;
/// Octets that frame and what it points to may take: the rest of the host page. The longest head that is accepted
/// (URL 16 KiB, fields 32 KiB, 100 field entries) leaves 6 KiB of it, so that the inline body is shorter beside it.
pub const FRAME_BYTES_MAX: u64 = WASM_PAGE_BYTES - FRAME_OFFSET;
