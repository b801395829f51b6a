"""What can be decided by reading `app.py`: refused here with its place and the reason, before any compiler sees it."""

import ast
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dayfly.toolchain.compiled.diagnostics import FILE, Diagnostic, Refused

HANDLER = "on_client_request"
INIT = "on_init"
PARAMETERS = ("path", "query", "method", "body")
MODULES = (
    "bisect",
    "cmath",
    "functools",
    "itertools",
    "math",
    "numpy",
    "operator",
    "random",
    "scipy",
    "string",
    "time",
)
_INT_MAX = (1 << 63) - 1

_ELSE_PYTHON = 'or use tier = "python"'
_STATEMENTS: dict[type[ast.AST], tuple[str, str]] = {
    ast.ClassDef: ("a class", "use functions, tuples and dicts"),
    ast.AsyncFunctionDef: ("an async function", "every request has a sandbox of its own: write it without async"),
    ast.AsyncFor: ("`async for`", "write it without async"),
    ast.AsyncWith: ("`async with`", "write it without async"),
    ast.Await: ("`await`", "write it without async"),
    ast.With: ("`with`", "use try and finally"),
    ast.Match: ("`match`", "use if and elif"),
    ast.Global: ("`global`", "module globals are part of the snapshot: pass values as arguments"),
    ast.NamedExpr: ("`:=`", "assign in a statement of its own"),
    ast.YieldFrom: ("`yield from`", "use a for loop that yields"),
    ast.Starred: ("a starred expression", "name each value"),
    ast.TryStar: ("`except*`", "use except"),
}
# Methods that change what they belong to.
_MUTATING = {
    *("add", "clear", "discard", "pop", "remove", "update"),
    *("append", "extend", "insert", "reverse", "sort"),
    *("popitem", "setdefault"),
    *("difference_update", "intersection_update", "symmetric_difference_update"),
}
_UNAVAILABLE = {
    "open": "there is no file system",
    "input": "there is no terminal",
    "eval": "code is compiled before it runs",
    "exec": "code is compiled before it runs",
    "compile": "code is compiled before it runs",
    "globals": "names are gone when the program runs",
    "locals": "names are gone when the program runs",
    "vars": "names are gone when the program runs",
    "setattr": "there are no objects with attributes",
    "delattr": "there are no objects with attributes",
    "super": "there are no classes",
    "bytes": "texts are str",
    "bytearray": "texts are str",
    "frozenset": "use set",
    "object": "there are no classes",
}


@dataclass(frozen=True)
class Handler:
    """What the program is to be called with."""

    parameters: tuple[str, ...]
    has_init: bool


def check(source: bytes) -> Handler:
    """Return how the program is called; raise `Refused` with everything that keeps it from being compiled."""
    tree = _parsed(source)
    found = list(_problems(tree))
    if found:
        raise Refused(*found)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    return Handler(tuple(argument.arg for argument in functions[HANDLER].args.args), INIT in functions)


def _parsed(source: bytes) -> ast.Module:
    if not source.strip():
        raise Refused(Diagnostic(0, 0, "the file is empty", f"define `{HANDLER}`"))
    try:
        return ast.parse(source, FILE)
    except SyntaxError as error:
        raise Refused(Diagnostic(error.lineno or 0, error.offset or 0, f"syntax error: {error.msg}")) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Refused(Diagnostic(0, 0, f"not readable as Python: {error}")) from None


def _problems(tree: ast.Module) -> Iterator[Diagnostic]:
    yield from _top_level(tree)
    yield from _signatures(tree)
    for node in ast.walk(tree):
        check_node = _CHECKS.get(type(node))
        if type(node) in _STATEMENTS:
            what, hint = _STATEMENTS[type(node)]
            yield _at(node, f"{what} is not supported by the compiled tier", hint)
        elif check_node:
            yield from check_node(node)
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            yield from _changed_globals(function, tree)
            yield from _texts_and_numbers(function)
            yield from _used_up(function, tree)


def _at(node: ast.AST, reason: str, hint: str = "") -> Diagnostic:
    return Diagnostic(getattr(node, "lineno", 0), getattr(node, "col_offset", -1) + 1, reason, hint)


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


# -- the module


def _top_level(tree: ast.Module) -> Iterator[Diagnostic]:
    for node in tree.body:
        documented = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        known = isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.Pass)
        if not documented and not known and type(node) not in _STATEMENTS:
            yield _at(node, "only functions, imports and constants can stand at the top level", f"put it into `{INIT}`")


def _signatures(tree: ast.Module) -> Iterator[Diagnostic]:
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if HANDLER not in functions:
        yield Diagnostic(0, 0, f"there is no function `{HANDLER}`", "define it at the top level")
        return
    handler = functions[HANDLER]
    for argument in handler.args.args:
        if argument.arg not in PARAMETERS:
            known = ", ".join(PARAMETERS)
            yield _at(argument, f"`{HANDLER}` cannot take `{argument.arg}`", f"on this tier it can take {known}")
    if handler.args.defaults:
        yield _at(handler.args.defaults[0], f"`{HANDLER}` is always given its parameters", "leave the default out")
    if not any(isinstance(node, ast.Return) and node.value for node in ast.walk(handler)):
        yield _at(handler, f"`{HANDLER}` returns nothing", "return a str, or (content_type, body)")
    if any(isinstance(node, ast.Yield) for node in _own_nodes(handler)):
        yield _at(handler, f"`{HANDLER}` cannot be a generator on this tier", "return the whole body")
    init = functions.get(INIT)
    if init and init.args.args:
        yield _at(init.args.args[0], f"`{INIT}` takes no parameters")


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Walk a function without the functions in it."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))


# -- single nodes


def _function(node: ast.FunctionDef) -> Iterator[Diagnostic]:
    if node.decorator_list:
        yield _at(node.decorator_list[0], "a decorator is not supported by the compiled tier", "call the function")
    if node.args.vararg:
        yield _at(node.args.vararg, "`*args` is not supported by the compiled tier", "name each parameter")
    if node.args.kwarg:
        yield _at(node.args.kwarg, "`**kwargs` is not supported by the compiled tier", "name each parameter")
    if node.args.kwonlyargs:
        yield _at(node.args.kwonlyargs[0], "keyword-only parameters are not supported by the compiled tier")
    if node.args.posonlyargs:
        yield _at(node.args.posonlyargs[0], "positional-only parameters are not supported by the compiled tier")


def _import(node: ast.Import | ast.ImportFrom) -> Iterator[Diagnostic]:
    names = [node.module or "."] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and (node.level or any(alias.name == "*" for alias in node.names)):
        yield _at(node, "this form of import is not supported by the compiled tier", "import each name from its module")
        return
    for name in names:
        if name.split(".")[0] not in MODULES:
            hint = f"there are {', '.join(MODULES)}; {_ELSE_PYTHON}"
            yield _at(node, f"module `{name}` is not part of the compiled tier", hint)


def _constant(node: ast.Constant) -> Iterator[Diagnostic]:
    value = node.value
    if isinstance(value, bytes):
        yield _at(node, "bytes are not supported by the compiled tier", "use str")
    elif isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        yield _at(node, "half of a surrogate pair is no text on the compiled tier", "write the character")
    elif value is ...:
        yield _at(node, "`...` is not supported by the compiled tier", "use pass")
    elif isinstance(value, int) and value > _INT_MAX:
        yield _at(node, "an int has 64 bits on the compiled tier", _ELSE_PYTHON)


def _name(node: ast.Name) -> Iterator[Diagnostic]:
    if node.id in _UNAVAILABLE and isinstance(node.ctx, ast.Load):
        yield _at(node, f"`{node.id}` is not supported by the compiled tier: {_UNAVAILABLE[node.id]}")


def _call(node: ast.Call) -> Iterator[Diagnostic]:
    for keyword in node.keywords:
        if keyword.arg is None:
            yield _at(keyword, "`**` in a call is not supported by the compiled tier", "name each argument")
    if isinstance(node.func, ast.Name) and node.func.id == "print":
        for keyword in node.keywords:
            if keyword.arg not in {"sep", "end", None}:
                yield _at(keyword, f"`print` takes no `{keyword.arg}` on the compiled tier", "it writes to the log")
    if isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        yield from _format_call(node, node.func)


def _format_call(node: ast.Call, function: ast.Attribute) -> Iterator[Diagnostic]:
    text = function.value
    if not isinstance(text, ast.Constant) or not isinstance(text.value, str):
        yield _at(node, "str.format is supported by the compiled tier for a constant only", "use % or an f-string")
    elif any(not field[1].isidentifier() for field in _fields(text.value) if field[1] and not field[1].isdigit()):
        yield _at(
            node, "attributes and indexes in str.format are not supported by the compiled tier", "use an f-string"
        )


def _fields(text: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(string.Formatter().parse(text))
    except ValueError:
        return []


def _dict(node: ast.Dict) -> Iterator[Diagnostic]:
    if None in node.keys:
        yield _at(node, "`**` in a dict is not supported by the compiled tier", "use update")


def _percent(node: ast.BinOp) -> Iterator[Diagnostic]:
    match node:
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()) if "%(" in text:
            yield _at(node, "`%(name)s` is not supported by the compiled tier", "use an f-string")


def _try(node: ast.Try) -> Iterator[Diagnostic]:
    if not node.finalbody:
        return
    for part in [*node.body, *node.handlers, *node.orelse]:
        for leaving in _leaving(part, loops=True):
            yield _at(leaving, "leaving a `try` that has a `finally` is not supported by the compiled tier",
                      "set a variable and leave after it")  # fmt: skip


def _leaving(node: ast.AST, *, loops: bool) -> Iterator[ast.AST]:
    """Find what jumps out of a statement."""
    if isinstance(node, ast.Return) or (loops and isinstance(node, ast.Break | ast.Continue)):
        yield node
    elif not isinstance(node, ast.FunctionDef | ast.Lambda):
        inside = loops and not isinstance(node, ast.For | ast.While)
        for child in ast.iter_child_nodes(node):
            yield from _leaving(child, loops=inside)


_CHECKS: dict[type[ast.AST], Callable[..., Iterator[Diagnostic]]] = {
    ast.BinOp: _percent,
    ast.Call: _call,
    ast.Constant: _constant,
    ast.Dict: _dict,
    ast.FunctionDef: _function,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.Name: _name,
    ast.Try: _try,
}


# -- globals that would change


def _changed_globals(function: ast.FunctionDef, tree: ast.Module) -> Iterator[Diagnostic]:
    """Find changes of module globals, which are constants of the snapshot: C++ has no place for their new values."""
    names = {target.id for node in tree.body for target in _targets(node) if isinstance(target, ast.Name)}
    names -= _locals(function)
    for node in ast.walk(function):
        for name in _changed(node):
            if name.id in names:
                yield _at(name, f"module global `{name.id}` cannot change on the compiled tier",
                          "make a copy in the function, or pass it as an argument")  # fmt: skip


def _targets(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Assign():
            return node.targets
        case ast.AnnAssign() | ast.AugAssign() | ast.For():
            return [node.target]
    return []


def _locals(function: ast.FunctionDef) -> set[str]:
    stored = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stored | {argument.arg for node in _functions(function) for argument in node.args.args}


def _changed(node: ast.AST) -> Iterator[ast.Name]:
    """Name what a statement changes in place."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr=attribute)) if attribute in _MUTATING:
            yield name
        case ast.Subscript(ctx=ast.Store() | ast.Del()):
            base: ast.expr = node
            while isinstance(base, ast.Subscript):
                base = base.value
            if isinstance(base, ast.Name):
                yield base


# -- iterators that would be used twice

_ITERATORS = {"enumerate", "filter", "map", "reversed", "zip"}


def _used_up(function: ast.FunctionDef, tree: ast.Module) -> Iterator[Diagnostic]:
    """Find iterators that are walked over twice: each walk would begin where the first one began."""
    makers = _ITERATORS | {each.name for each in _functions(tree) if _yields(each)}
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=maker))) if maker in makers:
                yield from _second_use(function, name)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.GeneratorExp()):
                yield from _second_use(function, name)


def _yields(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Yield) for node in _own_nodes(function))


def _second_use(function: ast.FunctionDef, name: str) -> Iterator[Diagnostic]:
    nexts = {
        id(node.args[0])
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "next" and node.args
    }
    uses = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load) and id(node) not in nexts
    ]
    if len(uses) > 1:
        yield _at(
            uses[1], f"`{name}` is an iterator, which the compiled tier can walk over once only", "make a list of it"
        )


# -- texts and numbers that cannot meet


def _texts_and_numbers(function: ast.FunctionDef) -> Iterator[Diagnostic]:
    texts = {argument.arg for argument in function.args.args if function.name == HANDLER}
    texts -= {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(function):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            kinds = {_kind(node.left, texts), _kind(node.right, texts)}
            if kinds == {"text", "number"}:
                yield _at(node, "a str and a number cannot be added", "write str(number)")
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            kinds = {_kind(node.left, texts), _kind(node.comparators[0], texts)}
            if kinds == {"text", "number"} and not isinstance(node.ops[0], ast.In | ast.NotIn):
                yield _at(node, "a str and a number are never equal, nor is one less than the other",
                          "write int(text)")  # fmt: skip


def _kind(node: ast.expr, texts: set[str]) -> str:
    """Tell texts from numbers where that is certain; else nothing."""
    match node:
        case ast.JoinedStr() | ast.Constant(value=str()):
            return "text"
        case ast.Constant(value=int() | float()):
            return "number"
        case ast.Name(id=name):
            return "text" if name in texts else ""
        case ast.Call(func=ast.Name(id=name)) if name not in texts:
            return {"str": "text", "repr": "text", "len": "number", "int": "number", "float": "number"}.get(name, "")
        case ast.BinOp(left=left, right=right):
            return _kind(left, texts) or _kind(right, texts)
    return ""


# -- why a translation may fail


def circle(source: bytes) -> Diagnostic | None:
    """Find functions that call each other in a circle: Pythran often finds no types for them."""
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    calls = {name: _called(function) & functions.keys() for name, function in functions.items()}
    for name, function in functions.items():
        route = _route(name, name, calls, set())
        if len(route) > 1:
            names = ", ".join(f"`{each}`" for each in route)
            return _at(function, f"{names} call each other in a circle, and no type can be found for what they return",
                       'make one function of them, or use tier = "python"')  # fmt: skip
    return None


def _called(function: ast.FunctionDef) -> set[str]:
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _route(start: str, goal: str, calls: dict[str, set[str]], seen: set[str]) -> list[str]:
    """Return the functions on a way from one to another by calls, the first one included; empty if there is none."""
    for name in sorted(calls[start] - seen):
        if name == goal:
            return [start]
        rest = _route(name, goal, calls, seen | {name})
        if rest:
            return [start, *rest]
    return []
