//! The one crate with unsafe code: mappings, page protection, fault handling, scheduling. `SAFETY.md` argues each use.
#![allow(unsafe_code)]
