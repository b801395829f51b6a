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

_REHEARSALS = 20
_REHEARSAL = """
import json
import re
from collections import OrderedDict

def on_init():
    json.dumps(OrderedDict(a=1))

def on_client_request():
    def generator():
        return "text/plain", re.sub("a", "b", "c")
    return generator
"""


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


class _Octets:
    """The bundle of a rehearsal."""

    def __init__(self, head: bytes, content: bytes) -> None:
        self._head = head
        self._content = content

    def head(self) -> bytes:
        return self._head

    def take(self, size: int, /) -> bytes:
        at = len(self._content) - size
        taken, self._content = self._content[at:], self._content[:at]
        return taken


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


def rehearse() -> None:
    """Load and forget a program often enough, so that loading the real one finds its own code specialised."""
    octets = _REHEARSAL.encode()
    head = {
        "kind": "tenant",
        "environ": {"A": "1"},
        "secrets": ["B"],
        "name": "app",
        "files": [["app.py", len(octets)]],
    }
    for _ in range(_REHEARSALS):
        load(_Octets(json.dumps(head).encode(), octets))
        _forget(head)
    _of_base.update(sys.modules)


def _forget(head: dict[str, Any]) -> None:
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
