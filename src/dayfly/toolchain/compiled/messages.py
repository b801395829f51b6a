"""What Pythran and clang say, in Python terms: one place, one reason, and never a page of C++."""

import re
from collections.abc import Iterator

from dayfly.toolchain.compiled.diagnostics import Diagnostic

ELSE_PYTHON = 'spell it otherwise, or use tier = "python"'

# What Pythran says -> what it means to a tenant, and what to do.
_PYTHRAN: list[tuple[str, str, str]] = [
    (r"Unbound identifier (\w+)", r"`\1` is not defined, or no builtin of the compiled tier", ""),
    (r"Attribute '(\w+)' unknown", r"nothing on the compiled tier has `.\1`", ELSE_PYTHON),
    (r"identifier '(\w+)' not found in module '([\w.]+)'", r"`\2` has no `\1` on the compiled tier", ELSE_PYTHON),
    (r"Module '([\w.]+)' unknown", r"module `\1` is not part of the compiled tier", ELSE_PYTHON),
    (r"large int not supported", "an int has 64 bits on the compiled tier", ""),
    (r"Unable to unify (.*)", r"types do not fit together: \1", ELSE_PYTHON),
]

_CXX: list[tuple[str, str]] = [
    (
        r"'(?:[\w() ]+::)*(?:empty_(dict|list|set)|(dict)_container<.*?>)'.*(?:does not provide a subscript|no member)",
        "an empty {1} is given to a function that fills it, and its type cannot be found",
    ),
    (r"no viable overloaded '='", "a name has values of types that do not fit together"),
    (r"static assertion failed.*?TypeError: ([\w ()]+)", r"\1"),
    (r"invalid operands to binary expression \('(.*)' and '(.*)'\)", r"an operator cannot take {1} and {2}"),
    (r"(?:no viable conversion|cannot convert|no viable constructor).*? from '(.*?)'(?: \(.*?\))? to '(.*?)'",
     r"a value of type {1} stands where {2} is expected"),
    (r"__combined<(.*?), *(.*?)>", r"a name has values of types that do not fit together: {1} and {2}"),
    (r"no member named '(\w+)' in '(.*?)'", r"a value of type {2} has no `\1`"),
    (r"no matching function for call to object of type '.*?::(\w+)'", r"`\1` cannot take values of these types"),
    (r"no matching function for call to '(\w+)'", r"`\1` cannot take values of these types"),
]  # fmt: skip

# The order matters: the first that is found anywhere in a C++ type names it.
_TYPES: list[tuple[str, str]] = [
    (r"^(?:const )?(?:pythonic::)?(?:types::)?(?:str|chr|sliced_str)\b|char", "str"),
    (r"\bdict\b|empty_dict", "dict"),
    (r"\bndarray\b|\bnumpy_", "a numpy array"),
    (r"\blist\b|list_version|empty_list", "list"),
    (r"\bset\b|empty_set", "set"),
    (r"tuple", "tuple"),
    (r"none_type", "None"),
    (r"\bnone<", "a value or None"),
    (r"\bbool\b", "bool"),
    (r"long long|int64_t|\bint\b|\blong\b", "int"),
    (r"\bdouble\b|\bfloat\b", "float"),
    (r"\bstr\b|\bchr\b", "str"),
]


def from_pythran(reason: str, line: int, column: int) -> Diagnostic:
    """Translate what Pythran refuses."""
    for pattern, meaning, hint in _PYTHRAN:
        if found := re.search(pattern, reason, re.DOTALL):
            return Diagnostic(line, column, _one_line(found.expand(meaning)), hint)
    text = _one_line(reason).rstrip(".")
    return Diagnostic(line, column, text[:1].lower() + text[1:], ELSE_PYTHON)


def from_clang(errors: str, log: str) -> Diagnostic:
    """Translate what a C++ compiler says. `log` names where all of it is kept."""
    parts = list(_errors(errors)) or [""]
    line = next(_lines(parts), 0)
    # Our own headers refuse in Python terms.
    if ours := re.search(r"static assertion failed.*?: dayfly: (.*)", errors):
        reason, _, hint = ours[1].partition("; ")
        return Diagnostic(line, 0, reason, hint)
    return Diagnostic(line, 0, _meaning(parts[0]), f"{ELSE_PYTHON}; what the compiler said is in {log}")


def _lines(parts: list[str]) -> Iterator[int]:
    """Find lines of the program in errors: of a statement, else of the function whose declarations are wrong."""
    for pattern in (r"^app\.py:(\d+):", r"^app\.py@(\d+):"):
        for part in parts:
            if place := re.search(pattern, part, re.MULTILINE):
                yield int(place[1])


def _errors(errors: str) -> Iterator[str]:
    """Cut the output into errors, each with the notes that belong to it."""
    yield from re.split(r"^(?=\S[^\n]*: (?:fatal )?error: )", errors, flags=re.MULTILINE)[1:]


def _meaning(error: str) -> str:
    heading = error.partition("\n")[0]
    for text in (heading, error):
        for pattern, meaning in _CXX:
            if found := re.search(pattern, text):
                types = [python_type(group) for group in found.groups() if group]
                return _one_line(found.expand(meaning).format("", *types))
    return "types do not fit together here"


def python_type(cxx: str) -> str:
    """Name a C++ type as Python does."""
    return next((name for pattern, name in _TYPES if re.search(pattern, cxx)), "another type")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
