//! Where each global that can change is kept in the host page.

use wasmparser::ValType;

use super::code::CodeRewriter;
use super::limits;
use super::survey::Survey;
use crate::Error;
use crate::abi::{FRAME_OFFSET, LIMIT_CELL_OFFSET, WASM_PAGE_BYTES};

/// One global and its place.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    pub(super) global: u32,
    pub(super) ty: ValType,
    /// From the beginning of the memory.
    pub(super) offset: u64,
}

/// All cells of a program; the first one is that of the virtual size.
pub(super) struct Cells {
    host_page_offset: u64,
    cells: Vec<Cell>,
}

impl Cells {
    /// One cell for each global that some function sets. Those that hold references cannot be in memory: setting one
    /// makes the program [`crate::Fresh`].
    pub(super) fn allocate(survey: &Survey<'_>, code: &CodeRewriter, host_page_offset: u64) -> Result<Cells, Error> {
        let mut cells = vec![Cell { global: code.added.size, ty: ValType::I32, offset: host_page_offset }];
        let mut free = host_page_offset + 8;
        let own = code.set.iter().map(|&global| (global, survey.globals[global as usize].content_type));
        for (global, ty) in code.added.limit.map(|limit| (limit, ValType::I32)).into_iter().chain(own) {
            let bytes = match ty {
                ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 => 8,
                ValType::V128 => 16,
                ValType::Ref(_) => continue,
            };
            let offset = free.next_multiple_of(bytes);
            cells.push(Cell { global, ty, offset });
            free = offset + bytes;
        }
        let limit = cells.iter().find(|cell| Some(cell.global) == code.added.limit);
        assert!(
            limit.is_none_or(|cell| cell.offset == host_page_offset + LIMIT_CELL_OFFSET),
            "hosts look for it there"
        );
        limits::cell_bytes(free - host_page_offset, FRAME_OFFSET)?;
        Ok(Cells { host_page_offset, cells })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter()
    }

    pub(super) fn count(&self) -> u32 {
        self.cells.len() as u32
    }

    pub(super) fn size_offset(&self) -> u64 {
        self.cells[0].offset
    }

    pub(super) fn host_page_offset(&self) -> u64 {
        self.host_page_offset
    }

    /// The whole mapping.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.host_page_offset + WASM_PAGE_BYTES
    }
}
