//! Links the modules of a component, then the side module, into one program.

use std::collections::HashMap;

use wasmparser::Operator;

use super::component::{Component, Instance, Item, Kind};
use super::module::{self, Wanted};
use super::program::{Code, Function, Node, Program};
use super::side::{INSTEAD, Side};
use super::{COMPONENT, SIDE, unlinked};
use crate::Error;

pub(super) struct Linker<'c, 'a> {
    component: &'c Component<'a>,
    program: Program<'a>,
    /// Functions of the component's world, by name.
    world: HashMap<String, usize>,
}

impl<'c, 'a> Linker<'c, 'a> {
    pub(super) fn new(component: &'c Component<'a>) -> Linker<'c, 'a> {
        Linker { component, program: Program::default(), world: HashMap::new() }
    }

    /// The whole program; its exports are the side module's.
    pub(super) fn link(mut self, side: &'a [u8]) -> Result<Program<'a>, Error> {
        for instance in 0..self.component.instances.len() {
            let node = self.instance(instance)?;
            self.program.nodes.push(node);
        }
        let mut placed = Side::place(&mut self.program, side)?;
        let node = module::add(&mut self.program, SIDE, side, &mut |program, wanted| placed.resolve(program, wanted))?;
        self.export(&node, &mut placed)?;
        self.program.nodes.push(node);
        Ok(self.program)
    }

    fn instance(&mut self, instance: usize) -> Result<Node<'a>, Error> {
        let Instance::Module { module, arguments } = &self.component.instances[instance] else {
            return Ok(Node::default());
        };
        let (component, world) = (self.component, &mut self.world);
        let mut resolve = |program: &mut Program<'a>, wanted: &Wanted<'a>| {
            Resolver { component, program, world }.export(arguments[wanted.module], wanted)
        };
        module::add(&mut self.program, COMPONENT, component.modules[*module], &mut resolve)
    }

    /// The program exports the functions of the side module, but for those that serve the component, and those that a
    /// loader calls: start-up, once the data is there.
    fn export(&mut self, node: &Node<'a>, side: &mut Side<'a>) -> Result<(), Error> {
        for (name, (kind, index)) in &node.exports {
            let Kind::Function = kind else { continue };
            let function = node.maps[Kind::Function as usize][*index];
            match *name {
                "__wasm_apply_data_relocs" if self.program.start.is_some() => {
                    return Err(unlinked(SIDE, "its data has to be relocated, but there is a start function already"));
                }
                "__wasm_apply_data_relocs" => self.program.start = Some(function),
                // Linkers always make it; where there are no constructors it is empty.
                "__wasm_call_ctors" if self.is_empty(function)? => {}
                "__wasm_call_ctors" => return Err(unlinked(SIDE, "it has constructors, which are not supported")),
                name if self.world.contains_key(name) => self.bind(name, self.world[name], function)?,
                name if name.starts_with(INSTEAD) => {
                    let replaced = side.replaced(&mut self.program, &name[INSTEAD.len()..])?;
                    self.bind(name, replaced, function)?;
                }
                name if name.contains('#') => {
                    return Err(unlinked(SIDE, format!("the component does not import `{name}`")));
                }
                name => self.program.exports.push((name, function)),
            }
        }
        self.program.exports.sort_unstable();
        let missing = side.not_replaced(node);
        missing.map_or(Ok(()), |name| Err(unlinked(SIDE, format!("it exports nothing in place of `{name}`"))))
    }

    fn is_empty(&self, function: usize) -> Result<bool, Error> {
        let Code::Body { body, .. } = &self.program.functions[function].code else { return Ok(false) };
        Ok(matches!(body.get_operators_reader()?.read()?, Operator::End))
    }

    fn bind(&mut self, name: &str, wanted: usize, function: usize) -> Result<(), Error> {
        let ty = self.program.functions[wanted].ty;
        if ty != self.program.functions[function].ty {
            let wanted = &self.program.types[ty as usize];
            return Err(unlinked(SIDE, format!("`{name}` is wanted by the component as {wanted:?}")));
        }
        let Code::World { bound } = &mut self.program.functions[wanted].code else { unreachable!("of the world") };
        *bound = Some(function);
        Ok(())
    }
}

/// Finds what an import of a module of the component stands for.
struct Resolver<'r, 'c, 'a> {
    component: &'c Component<'a>,
    program: &'r mut Program<'a>,
    world: &'r mut HashMap<String, usize>,
}

impl<'a> Resolver<'_, '_, 'a> {
    /// What a core instance exports under the wanted name.
    fn export(&mut self, instance: usize, wanted: &Wanted<'a>) -> Result<usize, Error> {
        match &self.component.instances[instance] {
            Instance::Module { .. } => {
                let node = &self.program.nodes[instance];
                let (kind, index) = node.exports[wanted.name];
                Ok(node.maps[kind as usize][index])
            }
            Instance::Bag(items) => {
                let (kind, index) = items[wanted.name];
                match self.component.item(kind, index) {
                    Item::Export { instance, name } => self.export(*instance, &Wanted { name, ..*wanted }),
                    Item::Host(name) => Ok(self.world_function(name, wanted.ty)),
                }
            }
        }
    }

    fn world_function(&mut self, name: &str, ty: Option<u32>) -> usize {
        if let Some(function) = self.world.get(name) {
            return *function;
        }
        let function = self.program.functions.len();
        let code = Code::World { bound: None };
        let ty = ty.expect("validated: a function is imported as one");
        self.program.functions.push(Function { ty, name: None, code });
        self.world.insert(name.to_owned(), function);
        function
    }
}
