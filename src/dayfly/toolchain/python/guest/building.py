"""What happens while the base is built: the builder's file system is there, and no host yet."""

import os
import site
import struct
import sys

from . import host, library, mounting, origin
from .descriptors import Files
from .tree import Tree

_MADE_NS = 315_532_800_000_000_000
"""1980, the first year that archives know: the time of every file that is part of a release."""

_HOME = "/python"
"""Where the builder has the standard library."""

_ZONES = "/usr/share/zoneinfo"
"""Where programs find time zones. The database is a package, `tzdata`."""

_BUILDER_MODULES = ("componentize_py_", "wit_world", "poll_loop")
_BUILDER = {"/bundled": "/builder", "/world": "/builder"}
"""Modules of the builder, which it imports when this one is done."""


def _now() -> int:
    return _MADE_NS if host.calls.freezing() else host.calls.clock(0)


def _draw(size: int) -> bytes:
    return os.urandom(size)


def _nothing(_size: int) -> bytes:
    return b""


def _write_standard(descriptor: int, data: bytes) -> int:
    from .output import write_standard

    return write_standard(descriptor, data)


tree = Tree(lambda: _MADE_NS)
"""The files of this interpreter."""


def build() -> None:
    """Move the standard library and this runtime into memory, and import what programs want."""
    here = __file__.removesuffix("/dayfly/guest/building.py")
    places = library.collect(tree, _HOME, origin.LIBRARY)
    library.collect(tree, f"{here}/dayfly/guest/stand_ins", origin.LIBRARY)
    library.collect(tree, here, origin.SITE)
    for directory, target in _BUILDER.items():
        library.collect(tree, directory, target)
    _directories()
    mounting.mount(Files(tree, _write_standard))
    library.move(f"{_HOME}/", f"{origin.LIBRARY}/")
    library.move(f"{here}/", f"{origin.SITE}/")
    _system()
    _import()
    library.compile_rest(tree, places)
    sys.path.extend(set(_BUILDER.values()))
    tree.now = _now


def built() -> None:
    """Forget the builder."""
    for target in set(_BUILDER.values()):
        sys.path.remove(target)
        del tree.root.entries[target.removeprefix("/")]
    for name in [name for name in sys.modules if name.startswith(_BUILDER_MODULES)]:
        del sys.modules[name]


def _directories() -> None:
    for place in (origin.RELEASE, origin.PACKAGES, "/dev", "/etc"):
        tree.mount_directory(place)
    tree.mount_directory("/tmp", writable=True)  # noqa: S108 - its own, new for each request
    tree.mount_device("/dev/null", _nothing)
    tree.mount_device("/dev/urandom", _draw)
    for zone in ("UTC", "Etc/UTC", "GMT"):
        tree.mount(f"{_ZONES}/{zone}", _utc(zone[-3:]))
    tree.directory = origin.RELEASE


def _utc(name: str) -> bytes:
    """Return a file of the time zone that needs no database (RFC 9636): one kind of time, no offset."""
    counts, kind = struct.pack(">6l", 0, 0, 0, 0, 1, 4), struct.pack(">lbb4s", 0, 0, 0, name.encode())
    block = b"TZif2" + bytes(15) + counts + kind
    return block + block + f"\n{name}0\n".encode()


def _system() -> None:
    """Let the interpreter describe itself as one that is installed in the tree."""
    sys.path[:] = [origin.RELEASE, origin.PACKAGES, origin.LIBRARY, origin.SITE]
    sys.prefix = sys.exec_prefix = sys.base_prefix = sys.base_exec_prefix = "/usr"
    sys._stdlib_dir = origin.LIBRARY  # type: ignore[attr-defined] # where frozen modules have their files
    site.PREFIXES[:] = [sys.prefix]
    sys.argv[:] = [""]
    sys.executable = ""
    sys.dont_write_bytecode = True
    sys.meta_path[:] = [finder for finder in sys.meta_path if getattr(finder, "__module__", "").startswith("_frozen")]


def _import() -> None:
    import zoneinfo

    from . import absent, digests, environment, fresh, output, preload, report

    fresh.install()
    environment.install()
    output.install()
    preload.preload()
    zoneinfo.reset_tzpath([_ZONES])
    absent.install()
    digests.install()
    report.install()
    from . import levers, loading, starting  # noqa: F401 - ready for `start`
