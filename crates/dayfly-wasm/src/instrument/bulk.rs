//! `memory.fill` and `memory.copy` in chunks.
//!
//! The engine runs either instruction as one library call that no epoch interrupts: a fill of 1 GiB once ran 420 ms
//! past a deadline of 20 ms. The functions here do the same work in a loop, and every loop has an epoch check. They
//! behave as the instructions do on a memory of the virtual size: the whole range is checked before anything is written,
//! a range that wraps is outside, overlapping copies are right in both directions. One thing more is allowed: to copy
//! from the host page, where the request frame is.

use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::code::Added;
use crate::abi::WASM_PAGE_BYTES;

/// Octets of a chunk: a few microseconds of work in memory that is there, some hundred on first touch. A range that
/// lies in the host page is never longer, so that the engine checks it whole.
const CHUNK_BYTES: i32 = WASM_PAGE_BYTES as i32;

/// Parameters: destination, value or source, length. One more local: the length of a chunk.
const TO: u32 = 0;
const WITH: u32 = 1;
const LEFT: u32 = 2;
const STEP: u32 = 3;

/// `fill(to, value, length)`.
pub(super) fn fill(added: Added) -> Function {
    let mut function = Function::new([(1, ValType::I32)]);
    let sink = &mut function.instructions();
    is_outside(sink, added, TO);
    trap_if(sink);
    whole_if_short(sink, do_fill);
    forwards(sink, do_fill, &[TO]);
    sink.end();
    function
}

/// `copy(to, from, length)`.
pub(super) fn copy(added: Added, host_page_offset: u64) -> Function {
    let mut function = Function::new([(1, ValType::I32)]);
    let sink = &mut function.instructions();
    is_outside(sink, added, TO);
    trap_if(sink);
    is_outside(sink, added, WITH);
    is_not_in_host_page(sink, host_page_offset);
    sink.i32_and();
    trap_if(sink);
    whole_if_short(sink, do_copy);
    // Upwards from the end: the chunks still to be read lie below those being written.
    sink.local_get(TO).local_get(WITH).i32_gt_u().if_(BlockType::Empty);
    backwards(sink);
    sink.return_().end();
    forwards(sink, do_copy, &[TO, WITH]);
    sink.end();
    function
}

fn do_fill(sink: &mut InstructionSink<'_>) {
    sink.memory_fill(0);
}

fn do_copy(sink: &mut InstructionSink<'_>) {
    sink.memory_copy(0, 0);
}

/// Whether `base + LEFT` exceeds the virtual size.
fn is_outside(sink: &mut InstructionSink<'_>, added: Added, base: u32) {
    sink.local_get(base).i64_extend_i32_u().local_get(LEFT).i64_extend_i32_u().i64_add();
    sink.global_get(added.size).i64_extend_i32_u().i64_const(16).i64_shl();
    sink.i64_gt_u();
}

/// Whether the source begins before the host page, or is too long for it.
fn is_not_in_host_page(sink: &mut InstructionSink<'_>, host_page_offset: u64) {
    sink.local_get(WITH).i32_const((host_page_offset as u32).cast_signed()).i32_lt_u();
    sink.local_get(LEFT).i32_const(CHUNK_BYTES).i32_gt_u();
    sink.i32_or();
}

/// Traps as the instruction does, by a fill that is outside of every memory: so the message is the same, too.
fn trap_if(sink: &mut InstructionSink<'_>) {
    sink.if_(BlockType::Empty).i32_const(-1).i32_const(0).i32_const(2).memory_fill(0).end();
}

fn whole_if_short(sink: &mut InstructionSink<'_>, operation: fn(&mut InstructionSink<'_>)) {
    sink.local_get(LEFT).i32_const(CHUNK_BYTES).i32_le_u().if_(BlockType::Empty);
    sink.local_get(TO).local_get(WITH).local_get(LEFT);
    operation(sink);
    sink.return_().end();
}

/// Chunk after chunk; `moving` are the addresses that move on with it. At least one octet is left.
fn forwards(sink: &mut InstructionSink<'_>, operation: fn(&mut InstructionSink<'_>), moving: &[u32]) {
    sink.loop_(BlockType::Empty);
    next_step(sink);
    sink.local_get(TO).local_get(WITH).local_get(STEP);
    operation(sink);
    for base in moving {
        sink.local_get(*base).local_get(STEP).i32_add().local_set(*base);
    }
    sink.local_get(LEFT).local_get(STEP).i32_sub().local_tee(LEFT).br_if(0).end();
}

/// A copy that begins with the last chunk.
fn backwards(sink: &mut InstructionSink<'_>) {
    sink.loop_(BlockType::Empty);
    next_step(sink);
    sink.local_get(LEFT).local_get(STEP).i32_sub().local_set(LEFT);
    for base in [TO, WITH] {
        sink.local_get(base).local_get(LEFT).i32_add();
    }
    sink.local_get(STEP).memory_copy(0, 0);
    sink.local_get(LEFT).br_if(0).end();
}

/// `STEP = min(LEFT, CHUNK_BYTES)`.
fn next_step(sink: &mut InstructionSink<'_>) {
    sink.local_get(LEFT).i32_const(CHUNK_BYTES);
    sink.local_get(LEFT).i32_const(CHUNK_BYTES).i32_lt_u();
    sink.select().local_set(STEP);
}
