//! The static structure of a component: its core modules, how they are instantiated, and what its core index spaces
//! refer to. The component was validated, so that every index is within bounds.

use std::collections::HashMap;

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExport, ComponentExternalKind, ComponentImport,
    ComponentOuterAliasKind, ComponentTypeRef, ExternalKind, Parser, Payload,
};

use super::{COMPONENT, unlinked};
use crate::Error;

/// The kinds of core item that modules import and export. Each has an index space of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    Function,
    Table,
    Memory,
    Global,
}

impl Kind {
    pub(super) const COUNT: usize = 4;

    pub(super) fn of(kind: ExternalKind) -> Result<Kind, Error> {
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => Ok(Kind::Function),
            ExternalKind::Table => Ok(Kind::Table),
            ExternalKind::Memory => Ok(Kind::Memory),
            ExternalKind::Global => Ok(Kind::Global),
            ExternalKind::Tag => Err(unlinked(COMPONENT, "exception tags are not supported")),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Function => "function",
            Kind::Table => "table",
            Kind::Memory => "memory",
            Kind::Global => "global",
        }
    }
}

/// What an entry of a core index space of the component stands for.
#[derive(Clone, Debug)]
pub(super) enum Item<'a> {
    /// An export of a core instance.
    Export { instance: usize, name: &'a str },
    /// A function of the world around, by the name that the side module would export it under.
    Host(String),
}

/// A core instance.
#[derive(Debug)]
pub(super) enum Instance<'a> {
    /// A module with an instance for each module name that it imports from.
    Module { module: usize, arguments: HashMap<&'a str, usize> },
    /// Core items under names.
    Bag(HashMap<&'a str, (Kind, usize)>),
}

/// A component as far as linking needs it.
#[derive(Default, Debug)]
pub(super) struct Component<'a> {
    pub(super) modules: Vec<&'a [u8]>,
    pub(super) instances: Vec<Instance<'a>>,
    items: [Vec<Item<'a>>; Kind::COUNT],
    /// The component's functions; a name for those of the world around.
    functions: Vec<Option<String>>,
    /// The component's instances; the interface for those that are imported.
    interfaces: Vec<Option<&'a str>>,
    /// The component's types; interface and name for imported resources.
    types: Vec<Option<(&'a str, &'a str)>>,
}

impl<'a> Component<'a> {
    /// Reads a valid component; refuses what a statically linked one has no need of.
    pub(super) fn read(octets: &'a [u8]) -> Result<Component<'a>, Error> {
        if !Parser::is_component(octets) {
            return Err(unlinked(COMPONENT, "it is a core module"));
        }
        let mut component = Component::default();
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(octets) {
            match payload? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::ModuleSection { unchecked_range, .. } if depth == 1 => {
                    component.modules.push(&octets[unchecked_range.start as usize..unchecked_range.end as usize]);
                }
                // Nested components only wrap what is exported.
                _ if depth > 1 => {}
                payload => component.section(payload)?,
            }
        }
        Ok(component)
    }

    /// What an entry of an index space stands for.
    pub(super) fn item(&self, kind: Kind, index: usize) -> &Item<'a> {
        &self.items[kind as usize][index]
    }

    fn section(&mut self, payload: Payload<'a>) -> Result<(), Error> {
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section {
                    self.instances.push(core_instance(instance?)?);
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    self.import(&import?)?;
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.alias(&alias?)?;
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    self.canonical(&function?)?;
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    self.export(&export?)?;
                }
            }
            Payload::ComponentTypeSection(section) => self.types.extend((0..section.count()).map(|_| None)),
            Payload::ComponentInstanceSection(section) => self.interfaces.extend((0..section.count()).map(|_| None)),
            Payload::ComponentStartSection { .. } => return Err(unlinked(COMPONENT, "it has a start function")),
            // Core types, nested components and custom sections define nothing that linking needs.
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: &ComponentImport<'a>) -> Result<(), Error> {
        let name = import.name.name;
        match import.ty {
            ComponentTypeRef::Func(_) => self.functions.push(Some(name.to_owned())),
            ComponentTypeRef::Instance(_) => self.interfaces.push(Some(name)),
            ComponentTypeRef::Type(_) => self.types.push(None),
            _ => return Err(unlinked(COMPONENT, format!("import `{name}` is neither function, instance nor type"))),
        }
        Ok(())
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) -> Result<(), Error> {
        match *alias {
            ComponentAlias::CoreInstanceExport { kind, instance_index, name } => {
                let item = Item::Export { instance: instance_index as usize, name };
                self.items[Kind::of(kind)? as usize].push(item);
            }
            ComponentAlias::InstanceExport { kind, instance_index, name } => {
                let interface = self.interfaces[instance_index as usize];
                match kind {
                    ComponentExternalKind::Func => self.functions.push(interface.map(|of| host_name(of, name))),
                    ComponentExternalKind::Type => self.types.push(interface.map(|of| (of, name))),
                    _ => return Err(unlinked(COMPONENT, format!("alias of `{name}`, neither function nor type"))),
                }
            }
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Type, .. } => self.types.push(None),
            ComponentAlias::Outer { .. } => return Err(unlinked(COMPONENT, "an outer alias of something but a type")),
        }
        Ok(())
    }

    fn canonical(&mut self, function: &CanonicalFunction) -> Result<(), Error> {
        let name = match function {
            CanonicalFunction::Lift { .. } => {
                self.functions.push(None);
                return Ok(());
            }
            CanonicalFunction::Lower { func_index, options } => {
                if let Some(option) = options.iter().find(|option| !is_plain(**option)) {
                    return Err(unlinked(COMPONENT, format!("a function is lowered with {option:?}")));
                }
                let name = self.functions[*func_index as usize].clone();
                name.ok_or_else(|| unlinked(COMPONENT, "a function that is lowered is not imported"))?
            }
            CanonicalFunction::ResourceNew { resource } => self.resource_function("new", *resource),
            CanonicalFunction::ResourceDrop { resource } => self.resource_function("drop", *resource),
            CanonicalFunction::ResourceRep { resource } => self.resource_function("rep", *resource),
            other => return Err(unlinked(COMPONENT, format!("the canonical built-in {other:?}"))),
        };
        self.items[Kind::Function as usize].push(Item::Host(name));
        Ok(())
    }

    fn resource_function(&self, what: &str, resource: u32) -> String {
        match self.types[resource as usize] {
            Some((interface, name)) => host_name(interface, &format!("[resource-{what}]{name}")),
            None => format!("[resource-{what}]{resource}"),
        }
    }

    /// An export defines an index in the space of what it exports.
    fn export(&mut self, export: &ComponentExport<'a>) -> Result<(), Error> {
        let index = export.index as usize;
        match export.kind {
            ComponentExternalKind::Func => self.functions.push(self.functions[index].clone()),
            ComponentExternalKind::Instance => self.interfaces.push(self.interfaces[index]),
            ComponentExternalKind::Type => self.types.push(self.types[index]),
            _ => {
                let name = export.name.name;
                return Err(unlinked(COMPONENT, format!("export `{name}` is neither function, instance nor type")));
            }
        }
        Ok(())
    }
}

fn core_instance(instance: wasmparser::Instance<'_>) -> Result<Instance<'_>, Error> {
    Ok(match instance {
        wasmparser::Instance::Instantiate { module_index, args } => Instance::Module {
            module: module_index as usize,
            arguments: args.iter().map(|argument| (argument.name, argument.index as usize)).collect(),
        },
        wasmparser::Instance::FromExports(exports) => {
            let items = exports.iter().map(|export| Ok((export.name, (Kind::of(export.kind)?, export.index as usize))));
            Instance::Bag(items.collect::<Result<_, Error>>()?)
        }
    })
}

/// Options that leave a lowered function what C can implement.
fn is_plain(option: CanonicalOption) -> bool {
    matches!(
        option,
        CanonicalOption::UTF8
            | CanonicalOption::Memory(_)
            | CanonicalOption::Realloc(_)
            | CanonicalOption::PostReturn(_)
    )
}

/// `wasi:clocks/wall-clock@0.2.9` and `now`: `wasi:clocks/wall-clock#now`.
fn host_name(interface: &str, function: &str) -> String {
    let unversioned = interface.split_once('@').map_or(interface, |(name, _)| name);
    format!("{unversioned}#{function}")
}
