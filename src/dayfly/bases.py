"""What programs of tier `python` stand on: the base, which is CPython frozen, and package layers on top of it.

They are releases without a tenant, made once on a machine and kept in its cache, of which data directories have copies:

    CACHE/python/
      releases/<digest>/   bases and layers, each layer beside its base
      base/<key>/          which of them is the base for this version of dayfly
      layer/<key>/         which of them is the layer of a base and a lock
"""

import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from dayfly import release
from dayfly.config import PYTHON_MEMORY_BYTES, Limits
from dayfly.core import Core, Snapshot
from dayfly.errors import DamagedRelease
from dayfly.release import Made
from dayfly.resolver import Lock, Packages
from dayfly.toolchain.progress import Progress
from dayfly.toolchain.python.bundle import layer_bundle
from dayfly.toolchain.store import Store, digest, refusals
from dayfly.toolchain.toolchain import default_cache

LIMITS = Limits(memory_bytes_max=PYTHON_MEMORY_BYTES, init_cpu_ns_max=60_000_000_000)
"""Of a base and its layers: they start once a machine, so they have time."""

BASES_KEPT = 8
"""In the cache: for versions and checkouts of dayfly beside each other. A base has 35 MiB, and a layer some ten."""

_NAME = "release"


@dataclass(frozen=True)
class Parent:
    """A base or a layer, and what was made for it."""

    directory: Path
    snapshot: Snapshot | None = None
    """None: it was there already."""


class Bases:
    """The bases and layers of this machine.

    Args:
        cache: where they are kept; owner only.
        program: makes the program of the base, one wasm module, telling what it does.

    """

    def __init__(self, cache: Path | None = None, program: Callable[[Progress], bytes] | None = None) -> None:
        self._root = (cache or default_cache()) / "python"
        self._store = Store(self._root)
        self._program = program or self._merged
        with refusals(self._root):
            (self._root / "releases").mkdir(mode=0o700, exist_ok=True)

    def base(self, core: Core, progress: Progress) -> Parent:
        """Return the base, after making it if there is none for this version of dayfly: half a minute."""

        def make() -> Made:
            steps = 0

            def step(what: str, done: int, of: int) -> None:
                nonlocal steps
                steps = of
                progress(what, done, of + 1)

            wasm = self._program(step)
            progress("compiling and freezing", steps, steps + 1)
            return Made("python", core.freeze(wasm, LIMITS), LIMITS, source=b"")

        with refusals(self._root):
            base = self._named("base", _version(), make)
            if base.snapshot:
                self._sweep()
        return base

    def layer(self, base: Path, lock: Lock, packages: Callable[[Lock], Packages], core: Core) -> Parent:
        """Return the layer of a lock, after making it if there is none: some seconds."""

        def make() -> Made:
            content = packages(lock)
            bundle = layer_bundle(content.source.files, content.imports)
            snapshot = core.freeze_on(base, bundle, LIMITS)
            return Made("python", snapshot, LIMITS, content.source.bundle, parent=base.name)

        with refusals(self._root):
            return self._named("layer", digest(base.name, lock.digest), make)

    @property
    def releases(self) -> Path:
        """Where they stand, each beside its parent."""
        return self._root / "releases"

    def adopt(self, directory: Path) -> Path:
        """Have a copy of a base or layer, and of what it stands on, from a data directory. Raises SystemRefused."""
        with self._store.scratch() as scratch:
            return release.adopt(directory, self.releases, scratch=scratch)

    def set_aside(self, digest: str) -> None:
        """Mark a damaged release: it keeps its files under another name and is never loaded again."""
        with refusals(self._root):
            release.set_aside(self.releases / digest)

    @contextmanager
    def holding(self, made: Made) -> Iterator[Path]:
        """Give the directory of a release beside its parent, for as long as the block lasts; nobody else sees it."""
        with self._store.scratch() as scratch:
            releases = scratch / "releases"
            releases.mkdir(mode=0o700)
            if made.parent:
                release.lend(self.releases / made.parent, releases)
            yield release.write(releases, made, scratch=scratch)

    def known(self) -> Path | None:
        """Return the base of this version of dayfly if it is made."""
        name = self._root / "base" / _version() / _NAME
        directory = self._directory(name.read_text(encoding="ascii")) if name.exists() else None
        return directory if directory and directory.is_dir() else None

    def _merged(self, progress: Progress) -> bytes:
        # Only where there is no base yet: its tools are heavy.
        build: Callable[[Path, Progress], bytes] = importlib.import_module("dayfly.toolchain.python.base").build
        # Its steps are not kept: they take twice the space of the base, and are not needed again.
        with self._store.scratch() as scratch:
            return build(scratch, progress)

    def _sweep(self) -> None:
        """Remove all bases but those that were used last, with the layers on them. Data directories keep theirs."""
        names = sorted((self._root / "base").iterdir(), key=lambda name: name.stat().st_mtime_ns, reverse=True)
        for name in names[BASES_KEPT:]:
            shutil.rmtree(name)
        kept = {(name / _NAME).read_text(encoding="ascii") for name in names[:BASES_KEPT]}
        for directory in list((self._root / "releases").iterdir()):
            if directory.name not in kept and not self._stands_on(directory, kept):
                shutil.rmtree(directory)

    def _stands_on(self, directory: Path, bases: set[str]) -> bool:
        try:
            return not directory.suffix and release.parent_of(directory) in bases
        except DamagedRelease:
            return False

    def _named(self, kind: str, key: str, make: Callable[[], Made]) -> Parent:
        """Return what a key names; other processes wait while it is being made."""
        snapshots: list[Snapshot] = []

        def fill(place: Path) -> None:
            made = make()
            with self._store.scratch() as scratch:
                directory = release.write(self._root / "releases", made, scratch=scratch)
            (place / _NAME).write_text(directory.name, encoding="ascii")
            snapshots.append(made.snapshot)

        place = self._store.entry(kind, key, fill)
        directory = self._directory((place / _NAME).read_text(encoding="ascii"))
        if directory.is_dir():
            os.utime(place)
            return Parent(directory, *snapshots)
        shutil.rmtree(place)
        return self._named(kind, key, make)

    def _directory(self, name: str) -> Path:
        return self._root / "releases" / name


@cache
def _version() -> str:
    """Digest everything that decides what a base is: what runs in it, what makes it, and the native half."""
    package = Path(__file__).parent
    inside = [package / "__init__.py", *package.glob("handler/**/*"), *package.glob("toolchain/python/**/*")]
    files = sorted(file for file in [*inside, *package.glob("_core*.so")] if file.is_file() and file.suffix != ".pyc")
    names = [file.relative_to(package).as_posix() for file in files]
    tools = [f"{tool} {_version_of(tool)}" for tool in ("componentize-py", "ziglang")]
    return digest(*names, *files, *tools)


def _version_of(tool: str) -> str:
    try:
        return metadata.version(tool)
    except metadata.PackageNotFoundError:
        return "none"
