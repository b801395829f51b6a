"""Pythran's C++ headers as dayfly compiles them: 64-bit ints and the mends of `edits`.

Pythran writes a Python int as C `long`, which has 32 bits on wasm32. Every such `long`, in the headers and in what
Pythran generates, becomes `long long`: a change of words that can be made mechanically.
"""

import importlib.metadata
import importlib.util
import re
import shutil
from functools import cache
from pathlib import Path

from dayfly.toolchain.compiled import zig
from dayfly.toolchain.compiled.store import Store, digest

# Texts and comments stay. `long double`, `long long`, `unsigned long` and `signed long` mean what they say.
_WORDS = re.compile(
    r"""
    (?P<keep> "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])+' | //[^\n]* | /\*.*?\*/ | ^\#\s*include[^\n]*
      | \b(?:unsigned|signed|long)\s+long\b | \blong\s+(?:double|long)\b )
    | (?P<long> \blong\b (?:\s+int\b)? )
    | (?P<suffix> \b\d+L\b )
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


def widen(text: str) -> str:
    """Make every C `long` of a source text 64 bits wide."""
    return _WORDS.sub(_wider, text)


def _wider(match: re.Match[str]) -> str:
    if match["keep"]:
        return match["keep"]
    return "long long" if match["long"] else match["suffix"] + "L"


@cache
def pythran_root() -> Path:
    """Return the directory of the pythran package; it is found, never imported here."""
    spec = importlib.util.find_spec("pythran")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the compiled tier needs the package `pythran`", name="pythran")
    return Path(spec.origin).parent


@cache
def pythran_version() -> str:
    """Return the version of Pythran."""
    return importlib.metadata.version("pythran")


def key() -> str:
    """Return what the headers are made from, digested."""
    overlay = [path for path in sorted(zig.CXX.rglob("*")) if path.is_file()]
    return digest(pythran_version(), Path(__file__), *overlay)


def includes(store: Store) -> list[str | Path]:
    """Return the options that make the headers visible; the first call on a machine writes them."""
    place = store.entry("headers", key(), _write)
    return [f"-I{zig.CXX}", f"-I{place}", f"-isystem{pythran_root()}"]


def _write(directory: Path) -> None:
    source = pythran_root() / "pythonic"
    for header in source.rglob("*.hpp"):
        target = directory / "pythonic" / header.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(widen(header.read_text()))
    overlay = zig.CXX / "pythonic"
    if overlay.is_dir():
        shutil.copytree(overlay, directory / "pythonic", dirs_exist_ok=True)
