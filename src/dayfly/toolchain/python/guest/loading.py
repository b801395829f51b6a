"""Loads a bundle into the interpreter: the files of a tenant or of a package layer, and what they do when imported."""

import importlib
import json
import linecache
import os
import re
import sys
import zlib
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from dayfly.handler import EntryError, frameworks, make_entry
from dayfly.handler.asgi import run

from . import captures, environment, fresh, host, levers, origin, output, patterns
from .building import tree
from .report import report

_of_base: set[str] = set()
"""Modules that the base has imported: no file of a release hides them."""

_TOO_LARGE = (
    "the files do not fit into memory beside CPython and packages; "
    "take files or packages out, or raise memory_bytes_max if it is below 64 MiB"
)

_ROOM = bytes(64)
"""What follows each part of a bundle."""

_REHEARSALS = 20
_PROGRAMS = (
    """
import json
import re
from collections import OrderedDict

def on_init():
    print("a rehearsal", json.dumps(OrderedDict(a=1)))

def on_client_request():
    def generator():
        return "text/plain", re.sub("a", "b", "c")
    return generator
""",
    """
import re

PATTERN = re.compile("/a/([0-9]+)")
NAMES = [name.upper() for name in ("a", "b")]

class Thing:
    name = "a"

    def __init__(self, number):
        self.number = number

def on_client_request(path, query):
    found = PATTERN.fullmatch(path)
    return "text/plain", f"{Thing(1).number} {found} {query}"
""",
)
"""What is loaded for rehearsal: both go most ways that programs go when they are loaded."""


class Bundle:
    """What is to be loaded: one line of JSON that says what follows, and the contents of the files."""

    def __init__(self, octets: host.Bundle) -> None:
        self.head: dict[str, Any] = json.loads(octets.head())
        self._octets = octets

    @property
    def is_layer(self) -> bool:
        """Whether these are packages that programs will share."""
        return bool(self.head["kind"] == "layer")

    def mount(self) -> None:
        """Put the files into the tree, from the last one on: the bundle becomes smaller with each."""
        root = origin.PACKAGES if self.is_layer else origin.RELEASE
        time_ns = int(self.head.get("time", 0) * 1_000_000_000) or None
        for name, size in reversed(self.head["files"]):
            content, packed_size = self._octets.take(size), None
            if self.is_layer and name.endswith(".py"):
                content, packed_size = zlib.compress(content), size  # read again for tracebacks, if ever
            tree.mount(f"{root}/{name}", content, packed_size=packed_size, time_ns=time_ns)
        importlib.invalidate_caches()


def load(octets: host.Bundle) -> tuple[str, str] | str:
    """Load a bundle; return what became of it as JSON, or the text of the error."""
    bundle = Bundle(octets)
    try:
        _mount(bundle)
        facts = _load_layer(bundle.head) if bundle.is_layer else _load_tenant(bundle.head)
    except EntryError as error:
        return f"{error}\n"
    except BaseException as error:  # noqa: BLE001 - whatever a program raises
        return report(error)
    fresh.renew()
    _read_sources()
    patterns.prepare()
    return "application/json", json.dumps({"captured": captures.take()} | facts)


def _mount(bundle: Bundle) -> None:
    try:
        bundle.mount()
    except MemoryError:
        raise EntryError(_TOO_LARGE) from None


def _read_sources() -> None:
    """Have the lines of the release's modules at hand, so that a traceback of a request need not read files."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(f"{origin.RELEASE}/"):
            linecache.getlines(file)


def rehearse(times: int = _REHEARSALS) -> None:
    """Load and forget programs often enough, so that loading the real one finds its own code specialised."""
    for program in _PROGRAMS * times:
        octets = program.encode()
        head = {
            "kind": "tenant",
            "environ": {"A": "1"},
            "secrets": ["B"],
            "name": "app",
            "files": [["app.py", len(octets)]],
        }
        host.calls.rehearse(json.dumps(head).encode() + b"\n" + octets + _ROOM)
        host.calls.ran()
        _forget(head)
    _of_base.update(sys.modules)


def _nothing() -> None:
    """Stand for the program of a base."""


def _forget(head: dict[str, Any]) -> None:
    host.calls.set_entry(_nothing, 0, ())
    for name, _ in head["files"]:
        tree.find_directory(origin.RELEASE).entries.pop(name)
    sys.modules.pop(head["name"], None)
    for name in head["environ"]:
        del os.environ[name]
    environment.load({}, [])
    linecache.clearcache()
    re.purge()
    importlib.invalidate_caches()


def _load_layer(head: dict[str, Any]) -> dict[str, Any]:
    """Import the packages; one that needs what no sandbox has is left for its users to find out.

    Frameworks are used, so that programs of theirs find them in use. What packages drew is not their users' business.
    """
    failed = []
    for name in head.get("imports", ()):
        # The last words, if this import does not end: the host shows the log then.
        host.calls.log(output.DEBUG, f"importing `{name}`")
        try:
            __import__(name)
        except Exception as error:  # noqa: BLE001 - whatever a package raises
            failed.append((name, f"{type(error).__name__}: {error}"))
    levers.immortalise(host.calls)  # before their code is run, as in `starting`
    not_warmed = frameworks.warm()
    captures.take()
    return {"not_imported": failed, "not_warmed": not_warmed}


def _load_tenant(head: dict[str, Any]) -> dict[str, Any]:
    environment.load(head.get("environ", {}), head.get("secrets", []))
    _make_way(name for name, _ in head["files"])
    module = _execute(head.get("name", "app"))
    entry = make_entry(module)
    direct = entry.direct
    if direct:
        host.calls.set_entry(
            direct.function, entry.takes, direct.parts, direct.finish, direct.failed, direct.converters
        )
    else:
        host.calls.set_entry(entry.call, entry.takes, entry.parts)
    return {"interface": entry.interface}


def _make_way(files: Iterable[str]) -> None:
    """Forget what packages imported under names of the release's own modules, which come first on the path."""
    tops = {file.removesuffix("/__init__.py").removesuffix(".py") for file in files if file.endswith(".py")}
    for name in list(sys.modules):
        if name.partition(".")[0] in tops and name not in _of_base:
            del sys.modules[name]


def _execute(name: str) -> ModuleType:
    """Import the tenant's module, and let it prepare itself."""
    __import__(name)
    module = sys.modules[name]
    on_init = getattr(module, "on_init", None)
    if on_init is not None:
        result = on_init()
        if hasattr(result, "__await__"):
            run(result)
    return module
