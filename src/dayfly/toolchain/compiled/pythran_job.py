"""Pythran in a process of its own: `app.py` to C++. Started by path, so it imports nothing of dayfly.

Usage: pythran_job.py SOURCE NAME RESULT. Writes RESULT.json, and RESULT.cpp if there is nothing to report.

Pythran is changed in five places, all from outside: it learns functions and methods that dayfly's headers add; `x += y`
and subscripts are spelled so that the checked operators see them; f-strings become formatting calls; optimizations that
assume C's arithmetic are left out; and the C++ says which line of `app.py` each statement comes from.
"""

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import gast as ast

# The package's own start imports the analyses, which copy the tables that are to be extended: it is left out.
_package = types.ModuleType("pythran")
_package.__path__ = list(importlib.util.find_spec("pythran").submodule_search_locations)  # type: ignore[union-attr, arg-type] # it is a dependency
sys.modules["pythran"] = _package

from pythran import tables  # noqa: E402
from pythran.intrinsic import ConstFunctionIntr, ConstMethodIntr  # noqa: E402
from pythran.typing import Fun, List, Tuple, TypeVar, Union  # noqa: E402

_ANY = TypeVar("DayflyAny")
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
    "repr": Fun[[_ANY], str],
    "format": Union[Fun[[_ANY], str], Fun[[_ANY, str], str]],
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
    for name, signature in FUNCTIONS.items():
        function = ConstFunctionIntr(signature=signature)
        tables.MODULES["builtins"][name] = function
        tables.functions.setdefault(name, []).append((("builtins",), function))
    for operator, name in AUGMENTED.items():
        tables.update_operator_to_lambda[operator] = ("(pythonic::show::assign_" + name + "({0}, {1}))").format


teach()

from pythran import backend, cxxgen, metadata, toolchain  # noqa: E402
from pythran.config import cfg  # noqa: E402
from pythran.passmanager import Transformation  # noqa: E402
from pythran.transformations import remove_fstrings  # noqa: E402
from pythran.utils import isextslice, isnum, isstr  # noqa: E402

# Without PatternTransform, Square, ModIndex and the like, which trade Python's meaning for speed that clang finds anyway.
OPTIMIZATIONS = """
    pythran.optimizations.InlineBuiltins
    pythran.optimizations.Inlining
    pythran.optimizations.RemoveDeadFunctions
    pythran.optimizations.ForwardSubstitution
    pythran.optimizations.DeadCodeElimination
    pythran.optimizations.ConstantFolding
    pythran.optimizations.PartialConstantFolding
    pythran.optimizations.SimplifyExcept
    pythran.optimizations.IterTransformation
    pythran.transformations.FalsePolymorphism
    pythran.optimizations.ListToTuple
    pythran.optimizations.TupleToShape
""".split()

class FormattedStrings(Transformation, ast.NodeTransformer):
    """Turns f"a {b:.2f} {c!r}" into "a %s %s" % (format(b, ".2f"), repr(c))."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:  # noqa: N802 -- the name is Pythran's
        self.update = True
        text, values = "", []
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += part.value.replace("%", "%%")
            else:
                text += "%s"
                values.append(self._formatted(part))
        if not values:
            return ast.copy_location(ast.Constant(text.replace("%%", "%"), None), node)
        items = ast.Tuple(values, ast.Load())
        joined = ast.BinOp(ast.Constant(text, None), ast.Mod(), items)
        return ast.fix_missing_locations(ast.copy_location(joined, node))

    def _formatted(self, part: ast.FormattedValue) -> ast.expr:
        value = self.visit(part.value)
        if part.conversion in {ord("r"), ord("a")}:
            value = _call("repr", value)
        elif part.conversion == ord("s"):
            value = _call("str", value)
        if part.format_spec is not None:
            value = _call("format", value, self.visit(part.format_spec))
        return value


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load(), None, None), list(arguments), [])


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


class _Line(cxxgen.InstrumentedStatement):  # type: ignore[misc] # Pythran has no types
    """A statement and the line of `app.py` that it comes from."""

    def __init__(self, statement: Any, instrumentation: str) -> None:
        line = instrumentation.removeprefix("pythran_trace_lineno(").removesuffix(");")
        super().__init__(statement, f'\n#line {line} "app.py"\n')


def change() -> None:
    """Put everything below into Pythran's place."""
    for generator in (backend.CxxFunction, backend.CxxGenerator):
        generator.visit_Subscript = _Functions.visit_Subscript
        generator.visit_AugAssign = _Functions.visit_AugAssign
    remove_fstrings.RemoveFStrings.visit_JoinedStr = FormattedStrings.visit_JoinedStr
    remove_fstrings.RemoveFStrings._formatted = FormattedStrings._formatted  # noqa: SLF001
    backend.InstrumentedStatement = _Line
    cfg.set("backend", "annotate", "true")
    cfg.set("backend", "annotation_kind", "lineno")


def translate(source: str, name: str) -> tuple[str, list[str]]:
    """Return the C++ and the names of the module's globals in order."""
    manager, module, _ = toolchain.front_middle_end(name, source, OPTIMIZATIONS)
    content = manager.dump(backend.Cxx, module)
    names = [node.name for node in module.body if isinstance(node, ast.FunctionDef) and _is_global(node)]
    return str(content), names


def _is_global(node: ast.FunctionDef) -> bool:
    return bool(metadata.get(node.body[0], metadata.StaticReturn))


def main() -> None:
    """Translate; report what Pythran refuses."""
    source, name, result = sys.argv[1:]
    change()
    report: dict[str, Any] = {}
    try:
        code, report["globals"] = translate(Path(source).read_text(), name)
        Path(result + ".cpp").write_text(code)
    except SyntaxError as error:
        report["error"] = {"reason": error.args[0], "line": error.lineno or 0, "column": (error.offset or 0) + 1}
    Path(result + ".json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
