"""Pythran's C++ headers as dayfly compiles them: mended, and with 64-bit ints.

Three things happen to the copy in the cache. `cxx/pythonic.patch` is applied and the files of `cxx/mended` replace or
join those of Pythran: both mend what differs from Python. Then every C `long` becomes `int64_t`: Pythran writes a
Python int as `long`, which has 32 bits on wasm32. The same is done to what Pythran generates.
"""

import importlib.metadata
import importlib.util
import re
import shutil
from functools import cache
from pathlib import Path

from dayfly.toolchain.compiled import process, zig
from dayfly.toolchain.store import Store, digest

PATCH = zig.CXX / "pythonic.patch"
OVERLAY = zig.CXX / "mended"

# Names that lead to one header of ours: functions, methods of str, and math, Pythran's and more.
_LEADING = {
    "builtins": ("dayfly/spelling.hpp", "dayfly_format dayfly_print dayfly_reply dayfly_repr dayfly_steady dayfly_str"),
    "builtins/str": (
        "dayfly/str_methods.hpp",
        """capitalize center endswith find isalnum isalpha isdigit islower isspace isupper join ljust lower lstrip
        partition removeprefix removesuffix replace rfind rjust rpartition rsplit rstrip split splitlines startswith
        strip swapcase title upper zfill""",
    ),
    "math": (
        "dayfly/math.hpp",
        """acos acosh asin asinh atan atan2 atanh ceil copysign cos cosh degrees erf erfc exp expm1 fabs factorial floor
        fmod frexp gamma gcd hypot isfinite isinf isnan isqrt ldexp lgamma log log10 log1p log2 modf pow radians sin
        sinh sqrt tan tanh trunc""",
    ),
}

# Texts and comments stay. `long double`, `long long`, `unsigned long` and `signed long` mean what they say.
_WORDS = re.compile(
    r"""
    (?P<keep> "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])+' | //[^\n]* | /\*.*?\*/ | ^\#\s*(?:include|line)[^\n]*
      | \b(?:unsigned|signed)\s+long\b(?:\s+long\b)? | \blong\s+(?:double|long)\b )
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
    return "int64_t" if match["long"] else match["suffix"] + "L"


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
    ours = [path for path in sorted(zig.CXX.rglob("*")) if path.is_file()]
    return digest(pythran_version(), Path(__file__), *ours)


def options(store: Store) -> list[str | Path]:
    """Return what the compiler needs to see the headers; the first call on a machine writes and precompiles them."""
    place = store.entry("headers", key(), _write)
    flags: list[str | Path] = [
        *("-std=c++20", "-Wno-narrowing", f"-I{zig.CXX}", f"-I{zig.CXX / 'blas'}", f"-I{place}"),
        f"-isystem{pythran_root()}",
    ]

    def precompile(directory: Path) -> None:
        command = zig.precompile(zig.CXX / "dayfly/prelude.hpp", directory / "prelude.pch", *flags)
        outcome = process.run(command, directory=directory, allowance=process.Allowance())
        if outcome.status != 0:
            raise RuntimeError(f"the prelude does not compile:\n{outcome.errors}")

    # It remembers where everything stands. It makes a program compile in 0.7 s instead of 2.6 s.
    prelude = store.entry("prelude", digest(key(), zig.recipe(), str(zig.root()), *map(str, flags)), precompile)
    return [*flags, "-include-pch", prelude / "prelude.pch"]


def _write(directory: Path) -> None:
    unpack(directory / "pythonic")
    for header in directory.rglob("*.hpp"):
        header.write_text(widen(header.read_text()))


def unpack(directory: Path) -> None:
    """Write the mended headers, ints still `long`, into a directory that is not there yet."""
    shutil.copytree(pythran_root() / "pythonic", directory, ignore=shutil.ignore_patterns("__pycache__"))
    apply(PATCH.read_text(), directory)
    shutil.copytree(OVERLAY, directory, dirs_exist_ok=True)
    for module, (header, names) in _LEADING.items():
        for name in names.split():
            for half in ("include", "."):
                (directory / half / module / f"{name}.hpp").write_text(f'#include "{header}"\n')


def apply(patch: str, directory: Path) -> None:
    """Apply a unified diff whose places are exact: the version of Pythran is fixed."""
    for part in re.split(r"^--- .*\n", patch, flags=re.MULTILINE)[1:]:
        heading, _, hunks = part.partition("\n")
        file = directory / heading.removeprefix("+++ ").split("\t")[0]
        file.write_text("".join(_patched(file.read_text().splitlines(keepends=True), hunks)))


def _patched(lines: list[str], hunks: str) -> list[str]:
    result: list[str] = []
    done = 0
    for hunk in re.split(r"^(?=@@ )", hunks, flags=re.MULTILINE)[1:]:
        heading, *body = hunk.splitlines(keepends=True)
        found = re.match(r"@@ -(\d+)", heading)
        if found is None:
            raise RuntimeError(f"no place in the patch: {heading}")
        start = int(found[1]) - 1
        result += lines[done:start]
        old = [line[1:] for line in body if line[0] in " -"]
        if lines[start : start + len(old)] != old:
            raise RuntimeError(f"the headers of Pythran {pythran_version()} are not those that dayfly mends: {heading}")
        result += [line[1:] for line in body if line[0] in " +"]
        done = start + len(old)
    return result + lines[done:]
