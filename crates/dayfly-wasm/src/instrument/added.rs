//! The functions that every rewritten module has beside its own.

use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, MemArgTarget, ValType};
use wasmparser::ValType as Type;

use super::cells::{Cell, Cells};
use super::code::Added;

/// `grow(delta) -> size before, or -1`: `memory.grow` on the virtual size. `pages_max` is never below the size; the
/// limit of a program that is loaded into a base may be.
pub(super) fn grow(added: Added, pages_max: u32) -> Function {
    let (delta, before) = (0, 1);
    let mut function = Function::new([(1, ValType::I32)]);
    let mut sink = function.instructions();
    sink.global_get(added.size).local_set(before).local_get(delta);
    match added.limit {
        None => sink.i32_const(pages_max.cast_signed()).local_get(before).i32_sub(),
        Some(limit) => room(&mut sink, limit, before),
    };
    sink.i32_gt_u()
        .if_(BlockType::Empty)
        .i32_const(1)
        .global_set(added.refused)
        .i32_const(-1)
        .return_()
        .end()
        .local_get(before)
        .local_get(delta)
        .i32_add()
        .global_set(added.size)
        .local_get(before)
        .end();
    function
}

/// How many pages are left up to a limit.
fn room<'s, 'f>(sink: &'s mut InstructionSink<'f>, limit: u32, before: u32) -> &'s mut InstructionSink<'f> {
    sink.global_get(limit).local_get(before).i32_sub();
    sink.i32_const(0);
    sink.global_get(limit).local_get(before).i32_gt_u();
    sink.select()
}

/// `save()`: stores every global into its cell.
pub(super) fn save(cells: &Cells) -> Function {
    let mut function = Function::new([]);
    let mut sink = function.instructions();
    for cell in cells.iter() {
        sink.i32_const(0).global_get(cell.global);
        let place = place(cell);
        match cell.ty {
            Type::I32 => sink.i32_store(place),
            Type::I64 => sink.i64_store(place),
            Type::F32 => sink.f32_store(place),
            Type::F64 => sink.f64_store(place),
            Type::V128 => sink.v128_store(place),
            Type::Ref(_) => unreachable!("references have no cells"),
        };
    }
    sink.end();
    function
}

/// `entry(frame) -> reply`: what the host calls for a request. Straight code: two instructions of the processor for
/// a global and one for `refused`, then the call.
pub(super) fn entry(added: Added, cells: &Cells, handle: u32) -> Function {
    let mut function = Function::new([]);
    load_all(&mut function.instructions(), added, cells).local_get(0).call(handle).end();
    function
}

/// `restore()`: what the entry does before it calls the program.
pub(super) fn restore(added: Added, cells: &Cells) -> Function {
    let mut function = Function::new([]);
    load_all(&mut function.instructions(), added, cells).end();
    function
}

fn load_all<'s, 'f>(sink: &'s mut InstructionSink<'f>, added: Added, cells: &Cells) -> &'s mut InstructionSink<'f> {
    for cell in cells.iter() {
        load(sink.i32_const(0), cell).global_set(cell.global);
    }
    sink.i32_const(0).global_set(added.refused)
}

fn load<'s, 'f>(sink: &'s mut InstructionSink<'f>, cell: &Cell) -> &'s mut InstructionSink<'f> {
    let place = place(cell);
    match cell.ty {
        Type::I32 => sink.i32_load(place),
        Type::I64 => sink.i64_load(place),
        Type::F32 => sink.f32_load(place),
        Type::F64 => sink.f64_load(place),
        Type::V128 => sink.v128_load(place),
        Type::Ref(_) => unreachable!("references have no cells"),
    }
}

/// Address 0 plus a constant: the engine sees that it lies in the memory and emits no bounds check.
fn place(cell: &Cell) -> MemArg {
    let align = match cell.ty {
        Type::I32 | Type::F32 => 2,
        Type::V128 => 4,
        _ => 3,
    };
    MemArg { offset: cell.offset, align, target: MemArgTarget::Memory(0), ordering: None }
}
