//! How long a body runs without the engine's look at the clock, and more such looks where that is too long.
//!
//! The engine looks when a function begins and at each loop's head. Code without either runs as long as it is: two
//! million square roots in a row took 12 ms that nothing could interrupt. So each path through a body is measured, in
//! octets, and a loop without content (`loop end`, 3 octets) is put in wherever one has become long.
//!
//! A branch carries the length of its path to where it leads. So a check that a branch skips counts for nobody who
//! takes the branch.

use wasm_encoder::{BlockType, InstructionSink};
use wasmparser::{Catch, Operator};

/// Octets of code that run without a check: 0.1 ms of the slowest instruction of one octet, the square root. No
/// function of a compiled program that we know gets more than one check by it.
const STRAIGHT_BYTES_MAX: usize = 16 << 10;

/// What a call of the host counts for, and one that may be: such a call takes up to 0.1 ms.
const HOSTCALL_BYTES: usize = 2 << 10;

/// The longest path to an instruction of one body, since the last check on it.
pub(super) struct Straight {
    bytes: usize,
    /// Octets of the body so far.
    passed: usize,
    blocks: Vec<Block>,
    /// Functions below this number are the host's.
    imported: u32,
}

/// A block that has begun and not ended.
#[derive(Default)]
struct Block {
    /// The longest path of a branch to its end.
    to_end: usize,
    /// The path to an `if` without `else`, which skips what is in it.
    to_else: usize,
    /// A branch to a loop leads to its head, where the engine checks.
    is_loop: bool,
    /// Where exceptions thrown in it lead, counted from the blocks around it.
    catches: Vec<u32>,
    /// `bytes` and `passed` at its beginning, if it catches.
    began: (usize, usize),
}

impl Straight {
    /// For a function's beginning, where the engine checks.
    pub(super) fn new(imported: u32) -> Straight {
        Straight { bytes: 0, passed: 0, blocks: vec![Block::default()], imported }
    }

    /// Whether a check must come before the next instruction.
    pub(super) fn is_check_due(&self) -> bool {
        self.bytes >= STRAIGHT_BYTES_MAX
    }

    /// Writes a check.
    pub(super) fn check(&mut self, into: &mut Vec<u8>) {
        InstructionSink::new(into).loop_(BlockType::Empty).end();
        self.bytes = 0;
    }

    /// Takes in the next instruction, which is valid and has so many octets.
    pub(super) fn pass(&mut self, operator: &Operator<'_>, bytes: usize) {
        self.bytes += bytes;
        self.passed += bytes;
        match operator {
            Operator::Block { .. } => self.blocks.push(Block::default()),
            Operator::Loop { .. } => {
                self.bytes = 0;
                self.blocks.push(Block { is_loop: true, ..Block::default() });
            }
            Operator::If { .. } => self.blocks.push(Block { to_else: self.bytes, ..Block::default() }),
            Operator::TryTable { try_table } => {
                let catches = try_table.catches.iter().map(|catch| match catch {
                    Catch::One { label, .. }
                    | Catch::OneRef { label, .. }
                    | Catch::All { label }
                    | Catch::AllRef { label } => *label,
                });
                let began = (self.bytes, self.passed);
                self.blocks.push(Block { catches: catches.collect(), began, ..Block::default() });
            }
            Operator::Else => self.pass_else(),
            Operator::End => self.pass_end(),
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.bytes = 0;
            }
            Operator::BrIf { relative_depth } => self.branch(*relative_depth),
            Operator::BrTable { targets } => {
                let others = targets.targets().map_while(Result::ok);
                others.chain([targets.default()]).for_each(|label| self.branch(label));
                self.bytes = 0;
            }
            Operator::Unreachable
            | Operator::Return
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::Throw { .. }
            | Operator::ThrowRef => self.bytes = 0,
            Operator::Call { function_index } if *function_index < self.imported => self.bytes += HOSTCALL_BYTES,
            Operator::CallIndirect { .. } => self.bytes += HOSTCALL_BYTES,
            // Each is one uninterruptible call, of up to half a millisecond.
            Operator::MemoryInit { .. }
            | Operator::TableInit { .. }
            | Operator::TableCopy { .. }
            | Operator::TableFill { .. }
            | Operator::TableGrow { .. } => self.bytes = STRAIGHT_BYTES_MAX,
            _ => {}
        }
    }

    fn branch(&mut self, label: u32) {
        let bytes = self.bytes;
        self.lead(label, bytes);
    }

    /// A path of so many octets leads to a label.
    fn lead(&mut self, label: u32, bytes: usize) {
        let target = self.blocks.iter_mut().rev().nth(label as usize);
        if let Some(block) = target.filter(|block| !block.is_loop) {
            block.to_end = block.to_end.max(bytes);
        }
    }

    fn pass_else(&mut self) {
        if let Some(block) = self.blocks.last_mut() {
            block.to_end = block.to_end.max(self.bytes);
            self.bytes = std::mem::take(&mut block.to_else);
        }
    }

    fn pass_end(&mut self) {
        let Some(block) = self.blocks.pop() else { return };
        // An exception may come from anywhere in it. No path is longer than the code, nor than is allowed.
        let longest = STRAIGHT_BYTES_MAX.min(block.began.0 + self.passed - block.began.1);
        block.catches.iter().for_each(|label| self.lead(*label, longest));
        self.bytes = self.bytes.max(block.to_end).max(block.to_else);
    }
}
