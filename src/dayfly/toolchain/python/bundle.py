"""What a base loads: one line of JSON, then the contents of the files, with some room after each."""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from dayfly.config import CONFIG_NAME
from dayfly.errors import BuildError, PackagesRefused
from dayfly.toolchain.source import Source

ENTRY = "app.py"
_MODULE = "app"

FILES_BYTES_MAX = 24 << 20
"""Of a release or of all its packages: 64 MiB are CPython's 36, these, and 4 for what programs and requests make."""

_ROOM = bytes(64)
"""After each file: what an object of the guest has beside its content."""

_NATIVE = {".so", ".pyd", ".dll", ".dylib"}
_NOT_LOADED = {CONFIG_NAME}


def tenant_bundle(source: Source, environment: Mapping[str, str], secrets: Sequence[str]) -> bytes:
    """Return the octets of a tenant's program. Raises BuildError for what cannot become one."""
    if ENTRY not in source.files:
        raise BuildError(
            f"{source.directory}: there is no {ENTRY}, where a program of tier `python` begins; "
            "add it or set another `tier` in dayfly.toml"
        )
    for name in source.files:
        if PurePosixPath(name).suffix.lower() in _NATIVE:
            raise BuildError(f"{name}: native code does not run in a sandbox; take it out, or use plain Python")
    files = {name: content for name, content in source.files.items() if name not in _NOT_LOADED}
    if reason := _too_large(files):
        raise BuildError(f"{source.directory}: {reason}; take files out, or make them smaller")
    head: dict[str, object] = {"kind": "tenant", "name": _MODULE, "environ": environment, "secrets": list(secrets)}
    # Frameworks make a static file's ETag of its time and size: without a time, a new release's file could pass for
    # the old one.
    return _encoded(head | {"time": source.modified_s}, files)


def layer_bundle(files: Mapping[str, bytes], imports: Sequence[str]) -> bytes:
    """Return the octets of a package layer: unpacked packages, and the modules to import before it is frozen.

    A package's own `app` is not: each program has another one. Raises PackagesRefused for what does not fit.
    """
    if reason := _too_large(files):
        raise PackagesRefused(f"the packages: {reason}; take packages out")
    return _encoded({"kind": "layer", "imports": [name for name in imports if name != _MODULE]}, files)


def _too_large(files: Mapping[str, bytes]) -> str:
    """Say what does not fit; all but the largest are copied, one at a time."""
    *_, second, largest = sorted(
        [("", 0), ("", 0), *((name, len(content)) for name, content in files.items())], key=_size
    )
    total = sum(map(len, files.values()))
    if total + second[1] <= FILES_BYTES_MAX:
        return ""
    shown = " and ".join(f"`{name}` {size / 2**20:.1f}" for name, size in (largest, second) if name)
    return (
        f"its files have {total / 2**20:.1f} MiB ({shown}), and with the second largest counted twice "
        f"{FILES_BYTES_MAX >> 20} MiB fit beside CPython"
    )


def _size(file: tuple[str, int]) -> int:
    return file[1]


def _encoded(head: dict[str, object], files: Mapping[str, bytes]) -> bytes:
    """Write always in the same way: same files, same octets, same release.

    The guest takes files from the end, each into the place of the one before, so they become smaller; what is left is
    the first one, the largest, which needs no room for a copy (`glue.c`).
    """
    *others, largest = sorted(files.items(), key=lambda file: (len(file[1]), file[0])) or [("", b"")]
    ordered = [largest, *others] if files else []
    head["files"] = [[name, len(content)] for name, content in ordered]
    line = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
    return b"".join([line, b"\n", *(part for _, content in ordered for part in (content, _ROOM))])
