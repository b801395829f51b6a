//! What linking makes: every function, global and table of all modules in one index space each.

use std::collections::{BTreeMap, HashMap};

use wasmparser::{FuncType, FunctionBody, GlobalType, MemoryType, TableType};

use super::component::Kind;

/// The value of a global at the beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
}

/// Where a function's code is.
pub(super) enum Code<'a> {
    /// A body in terms of a node's indices.
    Body { node: usize, body: FunctionBody<'a> },
    /// A hostcall of the program to be.
    Import { module: &'a str, name: &'a str },
    /// A function of the component's world, or one that the side module replaces: the side module's, once that is linked,
    /// or one that traps.
    World { bound: Option<usize> },
}

pub(super) struct Function<'a> {
    pub(super) ty: u32,
    /// Of an export, for messages.
    pub(super) name: Option<&'a str>,
    pub(super) code: Code<'a>,
}

pub(super) struct Global {
    pub(super) ty: GlobalType,
    pub(super) value: Value,
}

pub(super) struct Table {
    pub(super) ty: TableType,
    /// The slots that hold a function.
    pub(super) slots: BTreeMap<u32, usize>,
}

/// One instantiated module: what its own indices are in the program.
#[derive(Default)]
pub(super) struct Node<'a> {
    pub(super) types: Vec<u32>,
    pub(super) maps: [Vec<usize>; Kind::COUNT],
    /// How many of each kind are imported; they come first.
    pub(super) imported: [usize; Kind::COUNT],
    /// Exports by the module's own index.
    pub(super) exports: HashMap<&'a str, (Kind, usize)>,
    /// Functions that it defines, by the names that are meant for debuggers.
    pub(super) names: HashMap<&'a str, usize>,
    /// The value of `env.__memory_base`, if it imports one: what exported addresses of data are relative to.
    pub(super) memory_base: Option<i32>,
}

impl Node<'_> {
    /// The program's index of an item.
    pub(super) fn map(&self, kind: Kind, index: u32) -> usize {
        self.maps[kind as usize][index as usize]
    }
}

#[derive(Default)]
pub(super) struct Program<'a> {
    pub(super) types: Vec<FuncType>,
    type_numbers: HashMap<FuncType, u32>,
    pub(super) functions: Vec<Function<'a>>,
    pub(super) globals: Vec<Global>,
    pub(super) tables: Vec<Table>,
    pub(super) memory: Option<MemoryType>,
    /// Address and octets, in the order in which they are written.
    pub(super) data: Vec<(u32, &'a [u8])>,
    pub(super) start: Option<usize>,
    /// As the component's core instances; a bag is an empty node. The side module is the last.
    pub(super) nodes: Vec<Node<'a>>,
    /// Exported functions.
    pub(super) exports: Vec<(&'a str, usize)>,
}

impl Program<'_> {
    /// The number of a type; equal types have one.
    pub(super) fn type_number(&mut self, ty: &FuncType) -> u32 {
        if let Some(number) = self.type_numbers.get(ty) {
            return *number;
        }
        let number = self.types.len() as u32;
        self.types.push(ty.clone());
        self.type_numbers.insert(ty.clone(), number);
        number
    }
}
