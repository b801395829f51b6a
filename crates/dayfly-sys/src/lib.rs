//! The one crate with unsafe code: mappings, page protection, fault handling, scheduling. `SAFETY.md` argues each use.
//!
//! ```text
//!  arena          address space cut into equal guarded strides; the engine's linear memories live there
//!   └─ slot       one stride with an image mapped over it: hot set, restore, cooling
//!       ├─ image      the sealed memfd that all slots of a release map, and the reference they are compared with
//!       ├─ protect    how a first write is noticed: userfaultfd or mprotect
//!       ├─ copy       page copies with the widest stores of the CPU
//!       └─ fault      the signal handler that opens a page at its first write
//!  guest          a store, its memory and its slot as one value: the safe way to use all of the above
//!  code           machine code from the owner-only cache
//!  stack          how much native stack is left, and its memory given back
//!  thread         clocks, scheduling, affinity, one record for each thread
//!  pile           what threads put down for another without a lock
//!  pagemap        what the kernel says about the pages of a slot
//!  confine        what a process gives up for good before it meets a tenant's program
//! ```
#![allow(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

pub mod arena;
pub mod code;
pub mod confine;
mod copy;
pub mod fault;
pub mod guest;
pub mod image;
mod map;
mod pagemap;
pub mod pile;
pub mod protect;
mod slot;
pub mod stack;
pub mod thread;

/// Bytes of a page. The only size this crate handles: x86-64 has no other base page.
pub const PAGE_BYTES: usize = 4096;
