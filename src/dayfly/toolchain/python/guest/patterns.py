"""Regular expressions that stand as literals in a program's functions are compiled before the snapshot is taken.

`re.sub("[/ ]+", ...)` compiles its pattern when it is called first and keeps it. Here every request is the first; so
what the module would keep anyway is put there beforehand.
"""

import dis
import gc
import re
import warnings
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from . import origin

_FUNCTIONS = (re.compile, re.search, re.match, re.fullmatch, re.split, re.findall, re.finditer, re.sub, re.subn)
_PATTERNS_MAX = 200
"""`re` keeps 512 and drops the oldest; a program with more of them is not helped."""
_LOOK_AHEAD = 2
"""Instructions between a function and its first argument."""


def prepare() -> None:
    """Compile the patterns of all functions of the release."""
    left = _PATTERNS_MAX
    for item in gc.get_objects():
        if left and type(item) is FunctionType and item.__code__.co_filename.startswith(f"{origin.RELEASE}/"):
            for pattern in _patterns(item.__code__, item.__globals__):
                left -= 1
                _compile(pattern)


def _compile(pattern: Any) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        pass  # it raises when it is used, if it ever is


def _patterns(code: CodeType, names: dict[str, Any]) -> Iterator[str | bytes]:
    """Find the literals that are first arguments of functions of `re`, in a code object and those within."""
    if any(names.get(name) is re or _is_function(names.get(name)) for name in code.co_names):
        yield from _literals(code, names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _patterns(constant, names)


def _literals(code: CodeType, names: dict[str, Any]) -> Iterator[str | bytes]:
    value: Any = None
    left = 0
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL":
            value = names.get(instruction.argval)
            left = _LOOK_AHEAD if _is_function(value) else 0
        elif instruction.opname == "LOAD_ATTR" and value is re:
            value = getattr(re, instruction.argval, None)
            left = _LOOK_AHEAD if _is_function(value) else 0
        elif left and instruction.opname == "LOAD_CONST" and isinstance(instruction.argval, (str, bytes)):
            yield instruction.argval
            left = 0
        elif left:
            left -= 1


def _is_function(value: Any) -> bool:
    return any(value is function for function in _FUNCTIONS)
