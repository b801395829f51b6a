//! Adds one core module to the program.

use wasmparser::{
    CompositeInnerType, ConstExpr, Data, DataKind, Element, ElementItems, ElementKind, Export, Global, Import,
    KnownCustom, Name, NameSectionReader, Operator, Parser, Payload, RefType, Table, TableInit, TypeRef,
};

use super::component::Kind;
use super::program::{self, Code, Function, Node, Program, Value};
use super::unlinked;
use crate::Error;

/// What a module imports.
pub(super) struct Wanted<'a> {
    pub(super) module: &'a str,
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    /// The program's number of the type, if it is a function.
    pub(super) ty: Option<u32>,
    /// Whether it is a global that may be set.
    pub(super) mutable: bool,
}

/// Reads a valid module; `resolve` gives the program's index for each import. The node is not in the program yet.
pub(super) fn add<'a>(
    program: &mut Program<'a>,
    part: &'static str,
    octets: &'a [u8],
    resolve: &mut dyn FnMut(&mut Program<'a>, &Wanted<'a>) -> Result<usize, Error>,
) -> Result<Node<'a>, Error> {
    let mut reader = Reader { program, part, node: Node::default(), bodies: 0, defined: 0 };
    for payload in Parser::new(0).parse_all(octets) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    reader.import(&import?, resolve)?;
                }
            }
            payload => reader.payload(payload)?,
        }
    }
    Ok(reader.node)
}

struct Reader<'p, 'a> {
    program: &'p mut Program<'a>,
    part: &'static str,
    node: Node<'a>,
    /// Bodies seen so far.
    bodies: usize,
    /// The program's index of the first function that the module defines.
    defined: usize,
}

impl<'a> Reader<'_, 'a> {
    fn payload(&mut self, payload: Payload<'a>) -> Result<(), Error> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group?.into_types() {
                        self.ty(&ty.composite_type.inner)?;
                    }
                }
            }
            Payload::FunctionSection(section) => {
                self.defined = self.program.functions.len();
                for ty in section {
                    self.function(ty?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.table(&table?)?;
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memory(memory?)?;
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    self.global(&global?)?;
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    self.export(&export?)?;
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    self.element(element?)?;
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    self.data(&data?)?;
                }
            }
            Payload::CodeSectionEntry(body) => {
                let function = self.defined + self.bodies;
                self.program.functions[function].code = Code::Body { node: self.program.nodes.len(), body };
                self.bodies += 1;
            }
            Payload::StartSection { func, .. } => {
                let start = self.node.map(Kind::Function, func);
                if self.program.start.replace(start).is_some() {
                    return Err(self.unsupported("a second start function"));
                }
            }
            Payload::TagSection(_) => return Err(self.unsupported("exception tags")),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    self.names(names);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Names that linkers leave for debuggers. What cannot be read of them is left out: nothing is said of their form.
    fn names(&mut self, names: NameSectionReader<'a>) {
        for names in names.into_iter().map_while(Result::ok) {
            let Name::Function(names) = names else { continue };
            for name in names.into_iter().map_while(Result::ok) {
                if name.index as usize >= self.node.imported[Kind::Function as usize]
                    && let Some(function) = self.node.maps[Kind::Function as usize].get(name.index as usize)
                {
                    self.node.names.insert(name.name, *function);
                }
            }
        }
    }

    fn unsupported(&self, what: &str) -> Error {
        unlinked(self.part, format!("{what}: not supported"))
    }

    fn ty(&mut self, ty: &CompositeInnerType) -> Result<(), Error> {
        let CompositeInnerType::Func(ty) = ty else { return Err(self.unsupported("types other than functions")) };
        let number = self.program.type_number(ty);
        self.node.types.push(number);
        Ok(())
    }

    fn import(
        &mut self,
        import: &Import<'a>,
        resolve: &mut dyn FnMut(&mut Program<'a>, &Wanted<'a>) -> Result<usize, Error>,
    ) -> Result<(), Error> {
        let (kind, ty) = match import.ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => (Kind::Function, Some(self.node.types[ty as usize])),
            TypeRef::Table(_) => (Kind::Table, None),
            TypeRef::Memory(_) => (Kind::Memory, None),
            TypeRef::Global(_) => (Kind::Global, None),
            TypeRef::Tag(_) => return Err(self.unsupported("exception tags")),
        };
        let (module, name) = (import.module, import.name);
        let mutable = matches!(import.ty, TypeRef::Global(ty) if ty.mutable);
        let index = resolve(self.program, &Wanted { module, name, kind, ty, mutable })?;
        if !self.fits(import.ty, index) {
            return Err(unlinked(
                self.part,
                format!("import `{module}` `{name}` is of another type than its definition"),
            ));
        }
        if kind == Kind::Global && (module, name) == ("env", "__memory_base") {
            let Value::I32(base) = self.program.globals[index].value else {
                return Err(self.unsupported("`__memory_base` of 64 bits"));
            };
            self.node.memory_base = Some(base);
        }
        self.node.maps[kind as usize].push(index);
        self.node.imported[kind as usize] += 1;
        Ok(())
    }

    /// Whether an import may stand for this definition. Of tables and memories, how many elements or pages there are does not
    /// matter: a side module asks for room by other means.
    fn fits(&self, import: TypeRef, index: usize) -> bool {
        match import {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                self.node.types[ty as usize] == self.program.functions[index].ty
            }
            TypeRef::Table(ty) => {
                let defined = self.program.tables[index].ty;
                (ty.element_type, ty.table64, ty.shared) == (defined.element_type, defined.table64, defined.shared)
            }
            TypeRef::Memory(ty) => self.program.memory.is_some_and(|defined| {
                (ty.memory64, ty.shared, ty.page_size_log2)
                    == (defined.memory64, defined.shared, defined.page_size_log2)
            }),
            TypeRef::Global(ty) => ty == self.program.globals[index].ty,
            TypeRef::Tag(_) => false,
        }
    }

    fn function(&mut self, ty: u32) {
        self.node.maps[Kind::Function as usize].push(self.program.functions.len());
        let ty = self.node.types[ty as usize];
        // Validation has made sure that a body follows for each.
        let code = Code::World { bound: None };
        self.program.functions.push(Function { ty, name: None, code });
    }

    fn table(&mut self, table: &Table<'a>) -> Result<(), Error> {
        if table.ty.element_type != RefType::FUNCREF || table.ty.table64 || !matches!(table.init, TableInit::RefNull) {
            return Err(self.unsupported("tables of anything but functions"));
        }
        self.node.maps[Kind::Table as usize].push(self.program.tables.len());
        self.program.tables.push(program::Table { ty: table.ty, slots: [].into() });
        Ok(())
    }

    fn memory(&mut self, memory: wasmparser::MemoryType) -> Result<(), Error> {
        if memory.memory64 || memory.shared || memory.page_size_log2.is_some() {
            return Err(self.unsupported("a memory with 64-bit addresses, for threads, or of other pages"));
        }
        if self.program.memory.replace(memory).is_some() {
            return Err(self.unsupported("a second memory"));
        }
        self.node.maps[Kind::Memory as usize].push(0);
        Ok(())
    }

    fn global(&mut self, global: &Global<'a>) -> Result<(), Error> {
        let value = self.value(&global.init_expr)?;
        self.node.maps[Kind::Global as usize].push(self.program.globals.len());
        self.program.globals.push(program::Global { ty: global.ty, value });
        Ok(())
    }

    fn export(&mut self, export: &Export<'a>) -> Result<(), Error> {
        let kind = Kind::of(export.kind)?;
        self.node.exports.insert(export.name, (kind, export.index as usize));
        if kind == Kind::Function {
            let function = self.node.map(kind, export.index);
            self.program.functions[function].name.get_or_insert(export.name);
        }
        Ok(())
    }

    fn element(&mut self, element: Element<'a>) -> Result<(), Error> {
        let ElementKind::Active { table_index, offset_expr } = element.kind else {
            // A declaration only makes references valid, and those are found again in the code.
            let declares = matches!(element.kind, ElementKind::Declared);
            return if declares { Ok(()) } else { Err(self.unsupported("passive element segments")) };
        };
        let first = self.address(&offset_expr)?;
        let functions = self.elements(element.items)?;
        let table = self.node.map(Kind::Table, table_index.unwrap_or(0));
        let table = &mut self.program.tables[table];
        if first as u64 + functions.len() as u64 > table.ty.initial {
            return Err(unlinked(self.part, "an element segment ends outside its table"));
        }
        for (slot, function) in (first..).zip(functions) {
            match function {
                Some(function) => table.slots.insert(slot, function),
                None => table.slots.remove(&slot),
            };
        }
        Ok(())
    }

    fn elements(&self, items: ElementItems<'a>) -> Result<Vec<Option<usize>>, Error> {
        let function = |index| Some(self.node.map(Kind::Function, index));
        match items {
            ElementItems::Functions(section) => section.into_iter().map(|index| Ok(function(index?))).collect(),
            ElementItems::Expressions(_, section) => {
                let element = |expression: ConstExpr<'a>| match expression.get_operators_reader().read()? {
                    Operator::RefFunc { function_index } => Ok(function(function_index)),
                    Operator::RefNull { .. } => Ok(None),
                    _ => Err(self.unsupported("elements that are neither a function nor null")),
                };
                section.into_iter().map(|expression| element(expression?)).collect()
            }
        }
    }

    fn data(&mut self, data: &Data<'a>) -> Result<(), Error> {
        let DataKind::Active { offset_expr, .. } = &data.kind else {
            return Err(self.unsupported("passive data segments"));
        };
        let address = self.address(offset_expr)?;
        self.program.data.push((address, data.data));
        Ok(())
    }

    fn address(&self, expression: &ConstExpr<'a>) -> Result<u32, Error> {
        match self.value(expression)? {
            Value::I32(address) => Ok(address.cast_unsigned()),
            _ => Err(self.unsupported("an address that has not 32 bits")),
        }
    }

    fn value(&self, expression: &ConstExpr<'a>) -> Result<Value, Error> {
        let mut stack = Vec::new();
        for operator in expression.get_operators_reader() {
            let value = match operator? {
                Operator::I32Const { value } => Value::I32(value),
                Operator::I64Const { value } => Value::I64(value),
                Operator::F32Const { value } => Value::F32(value.bits()),
                Operator::F64Const { value } => Value::F64(value.bits()),
                Operator::GlobalGet { global_index } => {
                    self.program.globals[self.node.map(Kind::Global, global_index)].value
                }
                Operator::I32Add => match (stack.pop(), stack.pop()) {
                    (Some(Value::I32(right)), Some(Value::I32(left))) => Value::I32(left.wrapping_add(right)),
                    _ => return Err(self.unsupported("a sum of anything but 32-bit numbers")),
                },
                Operator::End => break,
                _ => return Err(self.unsupported("a constant expression that is more than a sum")),
            };
            stack.push(value);
        }
        stack.pop().ok_or_else(|| self.unsupported("an empty constant expression"))
    }
}
