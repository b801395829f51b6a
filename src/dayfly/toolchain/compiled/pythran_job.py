"""Pythran in a process of its own: `app.py` to C++. Started by path, so it imports nothing of dayfly.

Usage: pythran_job.py SOURCE NAME RESULT. Writes RESULT.json, and RESULT.cpp if there is nothing to report.

Pythran is changed from outside: it learns functions and methods that dayfly's headers add; what it does not know or
gets wrong (f-strings, `del`, `try` with `else` or `finally`) is spelled otherwise before it sees it; `x += y` and
subscripts become calls of checked functions; optimizations that assume more than Python says are left out; and the C++
names the line of `app.py` that each statement comes from.
"""

import copy
import importlib.util
import json
import math
import string
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import beniget
import gast as ast

# The package's own start imports the analyses, which copy the tables that are to be extended: it is left out.
_package = types.ModuleType("pythran")
_package.__path__ = list(importlib.util.find_spec("pythran").submodule_search_locations)  # type: ignore[union-attr, arg-type] # it is a dependency
sys.modules["pythran"] = _package

from pythran import tables  # noqa: E402
from pythran.intrinsic import ConstFunctionIntr, ConstMethodIntr  # noqa: E402
from pythran.typing import Fun, List, Tuple, TypeVar, Union  # noqa: E402

HANDLER = "on_client_request"
# Functions whose results hold what they iterate over -> where their iterables begin.
LAZY = {"enumerate": 0, "filter": 1, "iter": 0, "map": 1, "reversed": 0, "zip": 0}

_ANY = TypeVar("DayflyAny")
_REPLY = TypeVar("DayflyReply")
_TEXT_TO_TEXT = Fun[[str], str]
_TEXT_TO_BOOL = Fun[[str], bool]
_SPLIT = Union[Fun[[str], List[str]], Fun[[str, str], List[str]], Fun[[str, str, int], List[str]]]
_SEARCH = Union[Fun[[str, str], int], Fun[[str, str, int], int], Fun[[str, str, int, int], int]]
_JUSTIFY = Union[Fun[[str, int], str], Fun[[str, int, str], str]]

METHODS = {
    "title": _TEXT_TO_TEXT,
    "swapcase": _TEXT_TO_TEXT,
    "isalnum": _TEXT_TO_BOOL,
    "isspace": _TEXT_TO_BOOL,
    "islower": _TEXT_TO_BOOL,
    "isupper": _TEXT_TO_BOOL,
    "rsplit": _SPLIT,
    "splitlines": Union[Fun[[str], List[str]], Fun[[str, bool], List[str]]],
    "rfind": _SEARCH,
    "removeprefix": Fun[[str, str], str],
    "removesuffix": Fun[[str, str], str],
    "ljust": _JUSTIFY,
    "rjust": _JUSTIFY,
    "center": _JUSTIFY,
    "zfill": Fun[[str, int], str],
    "partition": Fun[[str, str], Tuple[str, str, str]],
    "rpartition": Fun[[str, str], Tuple[str, str, str]],
}
FUNCTIONS = {
    "builtins": {
        "repr": Fun[[_ANY], str],
        "format": Union[Fun[[_ANY], str], Fun[[_ANY, str], str]],
        "dayfly_format": Union[Fun[[_ANY], str], Fun[[_ANY, str], str]],
        "dayfly_print": None,
        "dayfly_reply": Fun[[_ANY], _REPLY],
        "dayfly_repr": Fun[[_ANY], str],
        "dayfly_steady": Fun[[_ANY], _ANY],
        "dayfly_str": Fun[[_ANY], str],
    },
    "math": {
        "gcd": Fun[[int, int], int],
        "isfinite": Fun[[float], bool],
        "isqrt": Fun[[int], int],
        "log2": Fun[[float], float],
    },
    "time": {"monotonic": None, "perf_counter": None},
}
AUGMENTED = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Mod: "mod",
    ast.FloorDiv: "floordiv",
    ast.Pow: "pow",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
}


def teach() -> None:
    """Let Pythran know what the headers offer beyond its own."""
    text = tables.MODULES["builtins"]["str"].fields
    for name, signature in METHODS.items():
        text[name] = ConstMethodIntr(signature=signature)
        tables.methods[name] = (("builtins", "str"), text[name])
    for module, functions in FUNCTIONS.items():
        for name, signature in functions.items():
            # One without a signature acts on the world: it is never evaluated while compiling.
            function = ConstFunctionIntr(signature=signature) if signature else ConstFunctionIntr(global_effects=True)
            tables.MODULES[module][name] = function
            tables.functions.setdefault(name, []).append(((module,), function))
    beniget.beniget.Builtins.update(tables.MODULES["builtins"])
    for operator, name in AUGMENTED.items():
        tables.update_operator_to_lambda[operator] = ("(pythonic::show::assign_" + name + "({0}, {1}))").format


teach()

from pythran import backend, cxxgen, frontend, metadata, toolchain  # noqa: E402
from pythran.analyses import range_values  # noqa: E402
from pythran.config import cfg  # noqa: E402
from pythran.transformations import expand_globals  # noqa: E402
from pythran.utils import isextslice, isnum, isstr  # noqa: E402

# The others trade Python's meaning for speed that clang finds anyway: they forget that a list has two names, drop an
# `int(text)` whose value is not used, let sums wrap, or evaluate the tenant's expressions while building.
OPTIMIZATIONS = [
    "pythran.optimizations.RemoveDeadFunctions",
    "pythran.transformations.FalsePolymorphism",
    "pythran.optimizations.TupleToShape",
]


class Spelling(ast.NodeTransformer):  # type: ignore[misc] # gast has no types
    """Spells what Pythran does not know, or takes for something else, in words that it knows."""

    def __init__(self) -> None:
        self._names = 0

    def _name(self) -> str:
        self._names += 1
        return f"dayfly_{self._names}"

    def visit_Module(self, node: ast.Module) -> ast.Module:  # noqa: N802 -- the name is the node's
        """Give names their ending, and every reply one type: what the handler returns goes through dayfly_reply."""
        _Names(node).visit(node)
        for function in node.body:
            if isinstance(function, ast.FunctionDef) and function.name == HANDLER:
                _Replies(function).visit(function)
        self.generic_visit(node)
        node.body = [statement for statement in node.body if not isinstance(statement, ast.Pass)]
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:  # noqa: N802 -- the name is the node's
        """Spell f"a {b:.2f} {c!r}" as "a %s %s" % (dayfly_format(b, ".2f"), dayfly_repr(c))."""
        text, values = "", []
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += part.value.replace("%", "%%")
            else:
                text += "%s"
                values.append(self._formatted(part.value, part.conversion, part.format_spec))
        return _at(node, _percent(text, values))

    def _formatted(self, value: ast.expr, conversion: int, spec: ast.expr | None) -> ast.expr:
        value = self.visit(value)
        if conversion in {ord("r"), ord("a")}:
            value = _call("dayfly_repr", value)
        elif conversion == ord("s"):
            value = _call("dayfly_str", value)
        return value if spec is None else _call("dayfly_format", value, self.visit(spec))

    def visit_Call(self, node: ast.Call) -> ast.expr:  # noqa: N802 -- the name is the node's
        """Give two calls other names: print with sep or end, and format of a constant; keep iterables steady."""
        if isinstance(node.func, ast.Name) and node.func.id in LAZY:
            start = LAZY[node.func.id]
            node.args[start:] = [_steady(argument) for argument in node.args[start:]]
        if isinstance(node.func, ast.Name) and node.func.id == "print" and node.keywords:
            return self._print(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "format" and isstr(node.func.value):
            return self._format(node, node.func.value.value)
        self.generic_visit(node)
        return node

    def _print(self, node: ast.Call) -> ast.expr:
        words = {keyword.arg: self.visit(keyword.value) for keyword in node.keywords if keyword.arg in {"sep", "end"}}
        between = words.get("sep", ast.Constant(" ", None))
        end = words.get("end", ast.Constant("\n", None))
        return _at(node, _call("dayfly_print", between, end, *map(self.visit, node.args)))

    def _format(self, node: ast.Call, text: str) -> ast.expr:
        """Spell "{} {name:>5}".format(a, name=b) as an f-string whose values stand behind it."""
        words = {keyword.arg: keyword.value for keyword in node.keywords}
        result, values, place = "", [], 0
        for before, field, spec, conversion in string.Formatter().parse(text):
            result += before.replace("%", "%%")
            if field is None:
                continue
            value = node.args[int(field or place)] if not field or field.isdigit() else words[field]
            place += not field
            result += "%s"
            values.append(self._formatted(value, ord(conversion or "\0"), ast.Constant(spec, None) if spec else None))
        return _at(node, _percent(result, values))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:  # noqa: N802 -- the name is the node's
        """Make one number of -1: Pythran wants to know the direction of range and slices."""
        self.generic_visit(node)
        if isinstance(node.op, ast.USub) and isnum(node.operand):
            return _at(node, ast.Constant(-node.operand.value, None))
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:  # noqa: N802 -- the name is the node's
        """Spell x ** -1, a float whatever x is, as x ** -1.0, which has that type."""
        self.generic_visit(node)
        exponent = node.right
        negative = isnum(exponent) and isinstance(exponent.value, int) and exponent.value < 0
        if isinstance(node.op, ast.Pow) and negative:
            node.right = _at(exponent, ast.Constant(float(exponent.value), None))
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:  # noqa: N802 -- the name is the node's
        """Leave texts out that nobody uses."""
        if isinstance(node.value, ast.Constant):
            return _at(node, ast.Pass())
        self.generic_visit(node)
        return node

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.expr:  # noqa: N802 -- the name is the node's
        """Keep what a generator iterates over steady."""
        self.generic_visit(node)
        for part in node.generators:
            part.iter = _steady(part.iter)
        return node

    def visit_Delete(self, node: ast.Delete) -> list[ast.stmt]:  # noqa: N802 -- the name is the node's
        """Spell del a[i] as a.pop(i), for lists and dicts, and del a[i:j] as a[i:j] = []; a name just ends."""
        return [_at(node, self._deleted(target)) for target in node.targets]

    def _deleted(self, target: ast.expr) -> ast.stmt:
        self.generic_visit(target)
        if not isinstance(target, ast.Subscript):
            return ast.Pass()
        if isinstance(target.slice, ast.Slice):
            return ast.Assign([target], ast.List([], ast.Load()), None)
        container = target.value
        return ast.Expr(ast.Call(ast.Attribute(container, "pop", ast.Load()), [target.slice], []))

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:  # noqa: N802 -- the name is the node's
        """Leave the cause out: it stands in tracebacks only, and there are none."""
        self.generic_visit(node)
        node.cause = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:  # noqa: N802 -- the name is the node's
        """Leave annotations out: they say nothing to Pythran."""
        self.generic_visit(node)
        return _at(node, ast.Assign([node.target], node.value, None) if node.value else ast.Pass())

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:  # noqa: N802 -- the name is the node's
        """Leave annotations out; keep what a generator iterates over steady."""
        self.generic_visit(node)
        if any(isinstance(each, ast.Yield) for each in ast.walk(node)):
            for each in ast.walk(node):
                if isinstance(each, ast.For):
                    each.iter = _steady(each.iter)
        node.returns = None
        for argument in node.args.args + node.args.kwonlyargs + node.args.posonlyargs:
            argument.annotation = None
        return node

    def visit_Try(self, node: ast.Try) -> list[ast.stmt]:  # noqa: N802 -- the name is the node's
        """Say what `else` and `finally` mean in the words of `try` and `except` alone."""
        self.generic_visit(node)
        node.handlers = [each for handler in node.handlers for each in self._of_one_class(handler)]
        statements: list[ast.stmt] = [node]
        if node.orelse and node.handlers:
            statements = self._without_else(node)
        elif node.orelse:
            node.body += node.orelse
            node.orelse = []
        if not node.finalbody:
            return statements
        final, node.finalbody = node.finalbody, []
        body = statements if node.handlers else [*statements[:-1], *node.body]
        again = ast.ExceptHandler(None, None, [*copy.deepcopy(final), _at(node, ast.Raise(None, None))])
        return [_at(node, ast.Try(body, [_at(node, again)], [], [])), *final]

    def _of_one_class(self, handler: ast.ExceptHandler) -> list[ast.ExceptHandler]:
        """Spell `except (A, B) as error` as one handler for each: in C++ the name has one type."""
        if not isinstance(handler.type, ast.Tuple) or handler.name is None:
            return [handler]
        handlers = []
        for exception in handler.type.elts:
            copied = copy.deepcopy(handler)
            copied.type = exception
            name = self._name()
            for node in ast.walk(copied):
                if isinstance(node, ast.Name) and node.id == handler.name.id:
                    node.id = name
            handlers.append(copied)
        return handlers

    def _without_else(self, node: ast.Try) -> list[ast.stmt]:
        name = self._name()

        def done(value: int) -> ast.stmt:
            return _at(node, ast.Assign([ast.Name(name, ast.Store(), None, None)], ast.Constant(value, None), None))

        test = ast.Compare(ast.Name(name, ast.Load(), None, None), [ast.Eq()], [ast.Constant(1, None)])
        after = _at(node, ast.If(test, node.orelse, []))
        node.body.append(done(1))
        node.orelse = []
        return [done(0), node, after]


def _steady(iterable: ast.expr) -> ast.expr:
    """Let iterators outlive copies: a tuple lies inside the generator or zip that walks over it, a list does not."""
    if isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Name) and iterable.func.id in {"range", *LAZY}:
        return iterable
    return _at(iterable, _call("dayfly_steady", iterable))


class _Names(ast.NodeTransformer):  # type: ignore[misc] # gast has no types
    """Ends each name of the program with an underscore: `double`, `errno` and `NULL` mean something else to C++."""

    def __init__(self, module: ast.Module) -> None:
        nodes = list(ast.walk(module))
        bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        bound |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        imported = {alias.asname or alias.name.split(".")[0] for node in nodes for alias in _aliases(node)}
        self._bound = bound - imported - {HANDLER, "on_init"}

    def _named(self, name: str) -> str:
        return f"{name}_" if name in self._bound else name

    def visit_Name(self, node: ast.Name) -> ast.Name:  # noqa: N802 -- the name is the node's
        node.id = self._named(node.id)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:  # noqa: N802 -- the name is the node's
        node.name = self._named(node.name)
        self.generic_visit(node)
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.Nonlocal:  # noqa: N802 -- the name is the node's
        node.names = [self._named(name) for name in node.names]
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:  # noqa: N802 -- the name is the node's
        if isinstance(node.func, ast.Name) and node.func.id in self._bound:
            for keyword in node.keywords:
                keyword.arg = self._named(keyword.arg)
        self.generic_visit(node)
        return node


def _aliases(node: ast.AST) -> list[ast.alias]:
    return node.names if isinstance(node, ast.Import | ast.ImportFrom) else []


class _Replies(ast.NodeTransformer):  # type: ignore[misc] # gast has no types
    """Wraps what the handler returns, and what functions in it return that are only there to be returned."""

    def __init__(self, handler: ast.FunctionDef) -> None:
        self._handler = handler
        names = [node.id for node in ast.walk(handler) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
        returned = [node.value.id for node in ast.walk(handler) if _returns_name(node)]
        self._answering = {name for name in returned if returned.count(name) == names.count(name)}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:  # noqa: N802 -- the name is the node's
        if node is self._handler or node.name in self._answering:
            self.generic_visit(node)
            if not isinstance(node.body[-1], ast.Return | ast.Raise):
                node.body.append(_at(node.body[-1], self.visit_Return(ast.Return(None))))
        return node

    def visit_Return(self, node: ast.Return) -> ast.Return:  # noqa: N802 -- the name is the node's
        value = node.value or ast.Constant(None, None)
        return _at(node, ast.Return(_at(value, _call("dayfly_reply", value))))


def _returns_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Return) and isinstance(node.value, ast.Name)


def _percent(text: str, values: list[ast.expr]) -> ast.expr:
    if not values:
        return ast.Constant(text.replace("%%", "%"), None)
    return ast.BinOp(ast.Constant(text, None), ast.Mod(), ast.Tuple(values, ast.Load()))


def _at(place: ast.AST, node: Any) -> Any:
    return ast.fix_missing_locations(ast.copy_location(node, place))


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load(), None, None), list(arguments), [])


_visit_constant = backend.CxxFunction.visit_Constant
_visit_dict = backend.CxxFunction.visit_Dict
_visit_list = backend.CxxFunction.visit_List
_TEXTS: dict[str, int] = {}
_TABLES: list[list[Any]] = []
_TABLE_SIZE = 32
_CXX_OF = {int: "long", float: "double", bool: "bool", str: "dayfly_text"}


class _Functions:
    """How functions and generators become C++, where it differs from Pythran."""

    def visit_Subscript(self: Any, node: ast.Subscript) -> str:  # noqa: N802 -- the name is Pythran's
        # Never `fast`, which trusts that an index is in range.
        value = self.visit(node.value)
        if isstr(node.value):
            value = f"pythonic::types::str({value})"
        if self.stores_to(node):
            value = f"pythonic::types::as_const({value})"
        elif isinstance(node.ctx, ast.Load) and not isextslice(node.slice):
            return _existing(value, node.slice, self)
        if isnum(node.slice) and node.slice.value >= 0 and isinstance(node.slice.value, int):
            return f"std::get<{node.slice.value}>({value})"
        if isextslice(node.slice):
            return f"{value}({','.join(self.visit(part) for part in node.slice.elts)})"
        return f"{value}[{self.visit(node.slice)}]"

    def visit_Constant(self: Any, node: ast.Constant) -> str:  # noqa: N802 -- the name is Pythran's
        # A text is made once, while freezing, and shared by all requests. One ASCII character is a char.
        value = node.value
        if not isinstance(value, str) or node in self.immediates:
            return str(_visit_constant(self, node))
        if len(value) == 1 and value.isascii():
            return f"pythonic::types::chr('{_quoted(value)}')"
        return f"pythonic::show::shared(dayfly_texts::text{_TEXTS.setdefault(value, len(_TEXTS))})"

    def visit_List(self: Any, node: ast.List) -> str:  # noqa: N802 -- the name is Pythran's
        item = _table_item(node.elts)
        if item is None:
            return str(_visit_list(self, node))
        return f"pythonic::show::listed<{self._type_of(node)}>({len(node.elts)}, {_function_of_index(item)})"

    def visit_Dict(self: Any, node: ast.Dict) -> str:  # noqa: N802 -- the name is Pythran's
        key, value = _table_item(node.keys), _table_item(node.values)
        if key is None or value is None:
            return str(_visit_dict(self, node))
        items = f"{len(node.keys)}, {_function_of_index(key)}, {_function_of_index(value)}"
        return f"pythonic::show::dicted<{self._type_of(node)}>({items})"

    def _type_of(self: Any, node: ast.expr) -> str:
        return str(self.typeof(self.types.builder.Assignable(self.types[node])))

    def add_line_info(self: Any, node: ast.AST, statement: Any) -> Any:
        # Pythran would write the source's own line as a comment: nothing of a tenant's source goes into C++ unquoted.
        if isinstance(node, ast.FunctionDef):
            # What follows are declarations on lines of their own: the file's name says which function they belong to.
            return tuple([_Line(part, 1, f"app.py@{node.lineno}") for part in parts] for parts in statement)
        return _Line(statement, node.lineno, "app.py") if isinstance(node, ast.stmt) else statement

    def visit_AugAssign(self: Any, node: ast.AugAssign) -> cxxgen.Statement:  # noqa: N802 -- the name is Pythran's
        target = node.target
        if isinstance(target, ast.Subscript) and not isextslice(target.slice):
            place = _existing(self.visit(target.value), target.slice, self)
        else:
            place = self.visit(target)
        update = tables.update_operator_to_lambda[type(node.op)](place, self.visit(node.value))
        return self.process_omp_attachements(node, cxxgen.Statement(update[1:-1]))


def _existing(value: str, key: ast.expr, visitor: Any) -> str:
    if isnum(key) and isinstance(key.value, int) and key.value >= 0:
        return f"pythonic::show::existing_at<{key.value}>({value})"
    return f"pythonic::show::existing({value}, {visitor.visit(key)})"


class _Line:
    """A statement and the line of `app.py` that it comes from."""

    def __init__(self, statement: Any, line: int, file: str) -> None:
        self._statement = statement
        self._place = f'#line {line} "{file}"'

    def generate(self) -> Iterator[str]:
        yield f"\n{self._place}\n"
        yield from self._statement.generate()


def _quoted(text: str) -> str:
    """Spell a text in C++: letters, digits and harmless signs as they are, every other octet by its number."""
    return "".join(chr(octet) if chr(octet) in _HARMLESS else f"\\{octet:03o}" for octet in text.encode())


_HARMLESS = set(string.ascii_letters + string.digits + " !#$&()*+,-./:;<=>@[]^_`{|}~")


def change() -> None:
    """Put everything below into Pythran's place."""
    for generator in (backend.CxxFunction, backend.CxxGenerator):
        generator.visit_Subscript = _Functions.visit_Subscript
        generator.visit_AugAssign = _Functions.visit_AugAssign
        generator.visit_Constant = _Functions.visit_Constant
        generator.visit_Dict = _Functions.visit_Dict
        generator.visit_List = _Functions.visit_List
        generator._type_of = _Functions._type_of  # noqa: SLF001
        generator.add_line_info = _Functions.add_line_info
        generator.all_positive = lambda _self, _node: False
    expand_globals.GlobalTransformer.visit_List = ast.NodeTransformer.generic_visit
    # Pythran's own parser turns comments and texts that begin with `omp` into pragmas.
    frontend.raw_parse = lambda code: Spelling().visit(ast.parse(code))
    # Ranges are only asked for by what is left out here; finding them fails on some recursions.
    range_values.RangeValues.visit = lambda _self, _node: None
    cfg.set("backend", "annotate", "true")


def translate(source: str, name: str) -> tuple[str, list[str]]:
    """Return the C++ and the names of the module's globals in order."""
    manager, module, _ = toolchain.front_middle_end(name, source, OPTIMIZATIONS)
    content = manager.dump(backend.Cxx, module)
    names = [node.name for node in module.body if isinstance(node, ast.FunctionDef) and _is_global(node)]
    return _texts() + str(content), names


def _texts() -> str:
    """Define the constant texts and tables of the program."""
    texts = "".join(
        f'const pythonic::types::str text{index}("{_quoted(value)}", {len(value.encode())});\n'
        for value, index in _TEXTS.items()
    )
    tables = "".join(f"{_definition(index, values)};\n" for index, values in enumerate(_TABLES))
    return f"namespace {{\nnamespace dayfly_texts {{\n{texts}{tables}}}\n}}\n"


def _table_item(elements: list[ast.expr]) -> str | None:
    """Make a table of constants; return the C++ for its element `i`.

    As an expression, 20,000 of them take clang more than 2 GiB. None if they are few, or not all of one kind.
    """
    if len(elements) < _TABLE_SIZE:
        return None
    if all(isinstance(element, ast.Tuple) for element in elements):
        return _table_row([element.elts for element in elements])
    values = [element.value for element in elements if isinstance(element, ast.Constant)]
    kinds = {type(value) for value in values}
    if len(values) < len(elements) or len(kinds) != 1 or not kinds <= _CXX_OF.keys():
        return None
    _TABLES.append(values)
    name = f"dayfly_texts::table{len(_TABLES) - 1}[i]"
    return f"pythonic::show::text_of({name})" if kinds == {str} else name


def _table_row(rows: list[list[ast.expr]]) -> str | None:
    """Make a table of each column; return the C++ for row `i`."""
    if len({len(row) for row in rows}) != 1:
        return None
    items = [item for column in zip(*rows, strict=True) if (item := _table_item(list(column)))]
    return f"pythonic::types::make_tuple({', '.join(items)})" if len(items) == len(rows[0]) else None


def _function_of_index(item: str) -> str:
    return f"[](size_t i) {{ return {item}; }}"


def _definition(index: int, values: list[Any]) -> str:
    kind = type(values[0])
    items = {
        int: lambda value: f"{value}L",
        float: lambda value: repr(value) if math.isfinite(value) else f"{'-' if value < 0 else ''}INFINITY",
        bool: lambda value: str(value).lower(),
        str: lambda value: f'{{"{_quoted(value)}", {len(value.encode())}}}',
    }[kind]
    return f"const {_CXX_OF[kind]} table{index}[] = {{{', '.join(map(items, values))}}}"


def _is_global(node: ast.FunctionDef) -> bool:
    return bool(metadata.get(node.body[0], metadata.StaticReturn))


def explain(source: str, name: str) -> None:
    """Check types as Pythran does for its users: raises a SyntaxError with the place of what does not fit."""
    from pythran.types import tog  # noqa: PLC0415 -- needed only when C++ does not compile

    _, module, _ = toolchain.front_middle_end(name, source, OPTIMIZATIONS)
    tog.typecheck(module)


def main() -> None:
    """Translate, or with --explain find out why the C++ does not compile; report what Pythran says."""
    source, name, result, *mode = sys.argv[1:]
    change()
    report: dict[str, Any] = {}
    text = Path(source).read_text()
    try:
        if mode == ["--explain"]:
            explain(text, name)
        else:
            code, report["globals"] = translate(text, name)
            Path(result + ".cpp").write_text(code)
    except SyntaxError as error:
        report["error"] = {"reason": str(error.args[0]), "line": error.lineno or 0, "column": (error.offset or 0) + 1}
    except Exception as error:  # noqa: BLE001 -- Pythran fails in many ways on programs that it does not foresee
        report["crash"] = f"{type(error).__name__}: {error}"
        report["error"] = {"reason": "this program cannot be translated", "line": 0, "column": 0}
        traceback.print_exc()
    Path(result + ".json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
