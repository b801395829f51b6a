"""Runs the resolver's process and keeps what it found: a lock for each list of requirements, files for each lock."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dayfly.errors import DayflyError, IndexUnreachable, InternalError, PackagesRefused, SystemRefused
from dayfly.resolver.index import without_user
from dayfly.resolver.lock import Lock
from dayfly.resolver.requirements import Wanted
from dayfly.resolver.target import ENVIRONMENT, PURE_FALLBACK
from dayfly.toolchain import Source
from dayfly.toolchain.store import Store
from dayfly.toolchain.toolchain import default_cache

LOCK_NAME = "lock.json"
FILES_NAME = "packages.tar"

PACKAGES_BYTES_MAX = 32 << 20
"""Of all packages of a tenant together: downloaded, and unpacked."""

TRANSFER_BYTES_MAX = 256 << 20
"""Of all answers of the index for one list: pages and metadata have some MiB; where an index has no metadata, wheels
come twice, and those of versions that do not fit once."""

_KINDS: dict[str, type[DayflyError]] = {kind.kind: kind for kind in (PackagesRefused, IndexUnreachable)}


@dataclass(frozen=True)
class ResolverOptions:
    """Where packages come from and what finding them may use."""

    index: str = ""
    """Address of the index; empty: `DAYFLY_INDEX`, else the one that pip on this machine is set to."""
    cache: Path = field(default_factory=lambda: default_cache() / "packages")
    bytes_max: int = PACKAGES_BYTES_MAX
    transfer_bytes_max: int = TRANSFER_BYTES_MAX
    cpu_seconds_max: int = 60
    memory_bytes_max: int = 1 << 30
    wall_seconds_max: int = 300


@dataclass(frozen=True)
class ResolveOrder:
    """What the one-shot process is told: requirements, or a lock to fetch again."""

    index: str
    wanted: list[dict[str, Any]]
    lock: str
    output: str
    bytes_max: int
    transfer_bytes_max: int
    cpu_seconds_max: int
    memory_bytes_max: int


@dataclass(frozen=True)
class Packages:
    """A lock and the files of its packages."""

    lock: Lock
    source: Source

    @property
    def imports(self) -> list[str]:
        """The modules at the top level, which a layer imports before it is frozen."""
        return sorted({name for path in self.source.files if (name := _top_module(path))})


class Resolver:
    """Finds packages; keeps what it found, so that the index is asked once for each list."""

    def __init__(self, options: ResolverOptions | None = None) -> None:
        self.options = options or ResolverOptions()
        self._store = Store(self.options.cache)

    def lock(self, wanted: Sequence[Wanted]) -> Lock:
        """Return the versions for a list of requirements. Blocks; raises PackagesRefused or IndexUnreachable."""

        def make(place: Path) -> None:
            self._run(place, wanted=[asdict(one) for one in wanted], lock="")
            lock = Lock.of((place / LOCK_NAME).read_bytes())

            def keep(files: Path) -> None:
                (place / FILES_NAME).rename(files / FILES_NAME)

            self._store.entry("files", lock.digest, keep)
            (place / FILES_NAME).unlink(missing_ok=True)

        place = self._store.entry("locks", _key(wanted, without_user(self.options.index or _named_index())), make)
        return Lock.of((place / LOCK_NAME).read_bytes())

    def packages(self, lock: Lock) -> Packages:
        """Return the files of a lock; fetches them again if they are not kept any more."""

        def make(place: Path) -> None:
            self._run(place, wanted=[], lock=lock.text)

        place = self._store.entry("files", lock.digest, make)
        return Packages(lock, Source.unpack(place, (place / FILES_NAME).read_bytes()))

    def _run(self, place: Path, *, wanted: list[dict[str, Any]], lock: str) -> None:
        options = self.options
        order = ResolveOrder(
            index=options.index or configured_index(),
            wanted=wanted,
            lock=lock,
            output=str(place),
            bytes_max=options.bytes_max,
            transfer_bytes_max=options.transfer_bytes_max,
            cpu_seconds_max=options.cpu_seconds_max,
            memory_bytes_max=options.memory_bytes_max,
        )
        # -P: no module is ever taken from the current directory.
        command = [sys.executable, "-P", "-m", "dayfly.resolver"]
        try:
            done = subprocess.run(
                command,
                # No argument: one has at most 128 KiB (MAX_ARG_STRLEN), and everybody on the machine sees it.
                input=json.dumps(asdict(order)).encode(),
                stdout=subprocess.PIPE,
                timeout=options.wall_seconds_max,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PackagesRefused(
                f"resolving the packages took more than {options.wall_seconds_max} s; pin versions, or try again"
            ) from None
        if done.returncode:
            raise self._error(done.returncode, done.stdout)

    def _error(self, status: int, output: bytes) -> DayflyError:
        """Turn the way the process ended into the error it stands for."""
        if status == -signal.SIGXCPU:
            return PackagesRefused(
                f"resolving the packages used more than {self.options.cpu_seconds_max} s of CPU time; "
                "pin versions, or take some out"
            )
        if status == -signal.SIGKILL:
            return SystemRefused("the resolver was killed, for lack of memory perhaps; free some, and try again")
        try:
            report = json.loads(output)
            return _KINDS.get(report["kind"], InternalError)(report["message"])
        except (ValueError, KeyError, TypeError):
            return InternalError(f"the resolver ended with status {status} and no report")


def configured_index() -> str:
    """Return the index of `DAYFLY_INDEX`, else pip's. Nothing of a tenant's directory is looked at."""
    return _named_index() or _pip_index()


def _named_index() -> str:
    """Return the index that the environment names; pip takes a second to be asked for its own."""
    return os.environ.get("DAYFLY_INDEX") or os.environ.get("PIP_INDEX_URL") or ""


def wanted_of(entry: Mapping[str, Any]) -> Wanted:
    """Read a requirement that went through JSON."""
    return Wanted(**{**entry, "extras": tuple(entry["extras"]), "sha256": tuple(entry["sha256"])})


def _pip_index() -> str:
    """Ask pip: its configuration, else the default that its help names."""
    pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory(prefix="dayfly-pip-") as nowhere:

        def said(*words: str) -> str:
            run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
            return run([*pip, *words], cwd=nowhere, capture_output=True, text=True, check=False).stdout.strip()

        if configured := said("config", "get", "global.index-url"):
            return configured
        words = " ".join(said("help", "install").split())
    found = re.search(r"--index-url <url> .*?\(default (\S+)\)", words)
    if not found:
        raise IndexUnreachable("no package index is set, and there is no pip to ask; give its address with --index")
    return found[1]


def _key(wanted: Sequence[Wanted], index: str) -> str:
    """Digest what decides which versions fit: the requirements, wherever they stand, what they must fit, the index."""
    asked = sorted((one.name, *map(str, (one.extras, one.specifier, one.marker, one.sha256))) for one in wanted)
    decides = [index, asked, ENVIRONMENT, sorted(PURE_FALLBACK)]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def _top_module(path: str) -> str:
    """Return the module at the top level that a file belongs to; empty: none that can be imported."""
    top, _, rest = path.partition("/")
    name = top if rest == "__init__.py" else top.removesuffix(".py") if not rest and top.endswith(".py") else ""
    return name if name.isidentifier() and not name.startswith("_") else ""
