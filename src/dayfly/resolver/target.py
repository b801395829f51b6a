"""What packages must fit: CPython 3.14 in WebAssembly, and nothing that was compiled for another machine."""

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

PYTHON_VERSION = "3.14.0"
_MINOR = 14

ENVIRONMENT = {
    "implementation_name": "cpython",
    "implementation_version": PYTHON_VERSION,
    "os_name": "posix",
    "platform_machine": "wasm32",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "WASI",
    "platform_version": "",
    "python_full_version": PYTHON_VERSION,
    "python_version": "3.14",
    "sys_platform": "wasi",
}
"""What markers are compared with: the base, not the machine that resolves."""

NATIVE_SUFFIXES = (".so", ".pyd", ".dll", ".dylib")

PURE_FALLBACK = frozenset({"markupsafe", "msgpack", "multidict", "pyyaml", "wrapt"})
"""Packages whose wheels are built for machines, and whose Python modules do the same without the native ones.

Each of them tries its native module, and goes on without it at ImportError. The native files are left out when the
wheel is unpacked.
"""

_NO_SOCKETS = "a sandbox has no sockets, so it cannot talk to servers"
_ARRAYS = 'plain Python, or numpy\'s arrays with tier = "compiled"'
_ONE_REQUEST = "a sandbox serves one request and needs no event loop or threads of its own; take it out"

ADVICE = {
    "pydantic-core": "use dataclasses, or attrs with cattrs; instead of FastAPI use Starlette, on which it stands",
    "fastapi": "use Starlette, on which it stands",
    "numpy": f"use {_ARRAYS}",
    "scipy": f"use {_ARRAYS}",
    "pandas": f"use the csv and statistics modules, {_ARRAYS}",
    "scikit-learn": f"use {_ARRAYS}",
    "pillow": "make pictures elsewhere, or as SVG",
    "lxml": "use xml.etree.ElementTree, or beautifulsoup4 with html.parser",
    "orjson": "use the json module",
    "ujson": "use the json module",
    "python-rapidjson": "use the json module",
    "msgspec": "use the json module and dataclasses",
    "rpds-py": "write jsonschema<4.18, which does without it",
    "regex": "use the re module",
    "cryptography": "use hashlib, hmac and secrets for digests and signatures; encrypt in front of dayfly",
    "bcrypt": "check passwords in front of dayfly",
    "argon2-cffi-bindings": "check passwords in front of dayfly",
    "cffi": "find a package in pure Python",
    "greenlet": _ONE_REQUEST,
    "gevent": _ONE_REQUEST,
    "uvloop": _ONE_REQUEST,
    "httptools": _ONE_REQUEST,
    "granian": _ONE_REQUEST,
    "psycopg2": _NO_SOCKETS,
    "psycopg2-binary": _NO_SOCKETS,
    "psycopg-binary": _NO_SOCKETS,
    "psycopg-c": _NO_SOCKETS,
    "asyncpg": _NO_SOCKETS,
    "mysqlclient": _NO_SOCKETS,
    "aiohttp": _NO_SOCKETS,
    "grpcio": _NO_SOCKETS,
    "pyzmq": _NO_SOCKETS,
    "hiredis": _NO_SOCKETS,
}
"""What to do without a package that is native."""

OTHERWISE = "find a package in pure Python, or pin an older version that is"


WRONG_MARKER = (UndefinedComparison, UndefinedEnvironmentName, KeyError)
"""What a marker that compares what cannot be compared raises when it is asked."""


def applies(marker: str, extras: tuple[str, ...] = ()) -> bool:
    """Tell whether a requirement with this marker is needed here, for one of the extras or for none."""
    if not marker:
        return True
    parsed = Marker(marker)
    return any(parsed.evaluate({**ENVIRONMENT, "extra": extra}) for extra in extras or ("",))


def rank(filename: str, name: str) -> tuple[int, bool, str] | None:
    """Return how well a wheel fits, least first, or None if it cannot be used."""
    try:
        tags = parse_wheel_filename(filename)[3]
    except (InvalidWheelFilename, ValueError):
        return None
    if any(_is_pure(tag) for tag in tags):
        return 0, False, filename
    if name not in PURE_FALLBACK:
        return None
    ages = [_MINOR - minor for tag in tags if (minor := _minor_of(tag.interpreter, "cp3")) <= _MINOR]
    # Whose native files are left out does not matter; always the same ones, and the most usual.
    return (1 + min(ages), "manylinux" not in filename, filename) if ages else None


def _is_pure(tag: Tag) -> bool:
    python = tag.interpreter == "py3" or _minor_of(tag.interpreter, "py3") <= _MINOR
    return tag.platform == "any" and tag.abi == "none" and (python or tag.interpreter == f"cp3{_MINOR}")


def _minor_of(interpreter: str, prefix: str) -> int:
    digits = interpreter.removeprefix(prefix)
    return int(digits) if interpreter.startswith(prefix) and digits.isdigit() else _MINOR + 1
