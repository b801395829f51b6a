"""Which release each tenant is on, in a data directory that survives a crash at any moment.

DATA_DIR/
  lock                      held while a server or a build works here; names its process
  tenants/<name>.json       the tenant and its current release; replacing this file is the switch
  releases/<digest>/        manifest.json code.wasm image source.tar; named by the SHA-256 of the manifest
  releases/<digest>.damaged a release that did not have its digest; kept to be looked at
  cache/code/               machine code; may be deleted
  logs/<name>.log           what the tenant's program logged
  scratch/                  half-written things; emptied at every start
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pydantic import ValidationError

from dayfly import durable
from dayfly.config import Tenant
from dayfly.core import Snapshot
from dayfly.errors import ConfigError, DataDirectoryLocked, RegistryError
from dayfly.toolchain import Program

ABI_VERSION = 1
"""Version of the guest ABI that releases of this version speak."""


@dataclass(frozen=True)
class Release:
    """A recorded release of a tenant."""

    tenant: Tenant
    digest: str
    """SHA-256 of the manifest, in hexadecimal digits."""
    directory: Path
    origin: str
    """Digest of everything that the release was made from and by; equal origins make equal releases."""


class Registry:
    """The data directory, locked from `open` to `close`."""

    def __init__(self, directory: Path, lock: IO[str]) -> None:
        self.directory = directory
        self._lock = lock

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Lock a data directory and make what is missing in it.

        Raises DataDirectoryLocked if somebody else works there, RegistryError if it cannot be written.
        """
        with _refusals(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            registry = cls(directory, _lock(directory))
            for name in ("tenants", "releases", "cache/code", "logs"):
                (directory / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.rmtree(directory / "scratch", ignore_errors=True)
            (directory / "scratch").mkdir(mode=0o700)
        return registry

    def close(self) -> None:
        """Let go of the data directory."""
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def code_cache(self) -> Path:
        """Where machine code is kept."""
        return self.directory / "cache" / "code"

    @property
    def log_directory(self) -> Path:
        """Where the logs of the tenants are kept."""
        return self.directory / "logs"

    def current(self, name: str) -> Release | None:
        """Return the recorded release of a tenant. Raises RegistryError if the record cannot be read."""
        file = self._pointer(name)
        try:
            record = json.loads(file.read_bytes())
            tenant = Tenant.model_validate_json(json.dumps(record["tenant"]))
            digest, origin = str(record["release"]), str(record["origin"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise RegistryError(
                f"{file}: not a tenant's record ({type(error).__name__}); delete it and deploy the tenant again"
            ) from None
        return Release(tenant, digest, self._release(digest), origin)

    def names(self) -> list[str]:
        """Return the names of all recorded tenants, sorted."""
        return sorted(file.stem for file in (self.directory / "tenants").glob("[a-z0-9]*.json"))

    def check_routes(self, tenant: Tenant) -> None:
        """Raise ConfigError if another tenant has one of the tenant's hosts or paths."""
        for name in self.names():
            other = self.current(name)
            if other is None or name == tenant.name:
                continue
            taken = {*tenant.hosts, *tenant.paths} & {*other.tenant.hosts, *other.tenant.paths}
            if taken:
                raise ConfigError(
                    f"tenant `{tenant.name}`: `{min(taken)}` belongs to tenant `{name}`; choose another one, "
                    f"or take that tenant away by deleting {self._pointer(name)}"
                )

    def record(self, tenant: Tenant, program: Program, snapshot: Snapshot, origin: str) -> Release:
        """Write a release and make it the tenant's current one. Durable when this returns; raises RegistryError."""
        files = _files(tenant, program, snapshot)
        digest = hashlib.sha256(files["manifest.json"]).hexdigest()
        directory = self._release(digest)
        pointer = {"tenant": tenant.model_dump(), "release": digest, "origin": origin}
        with _refusals(self.directory):
            if not _holds(directory, files):
                self.set_aside(digest)
                durable.write_directory(directory, files, scratch=self.directory / "scratch")
            durable.write_file(self._pointer(tenant.name), _json(pointer))
        return Release(tenant, digest, directory, origin)

    def set_aside(self, digest: str) -> None:
        """Mark a damaged release: it keeps its files under another name and is never loaded again."""
        directory = self._release(digest)
        damaged = directory.with_name(f"{digest}.damaged")
        if not directory.exists():
            return
        with _refusals(self.directory):
            shutil.rmtree(damaged, ignore_errors=True)
            directory.rename(damaged)
            durable.sync_directory(damaged.parent)

    def _pointer(self, name: str) -> Path:
        return self.directory / "tenants" / f"{name}.json"

    def _release(self, digest: str) -> Path:
        return self.directory / "releases" / digest


def _files(tenant: Tenant, program: Program, snapshot: Snapshot) -> dict[str, bytes]:
    """Lay out a release: the manifest holds the digests of the other files, and its own is the release's name."""
    source = program.source.bundle
    manifest = {
        "abi": ABI_VERSION,
        "tier": program.tier,
        "code_sha256": _sha256(snapshot.code),
        "image_sha256": _sha256(snapshot.image),
        "source_sha256": _sha256(source),
        "layout": snapshot.layout,
        "takes": snapshot.takes,
        "fresh": snapshot.fresh,
        "limits": tenant.limits.model_dump(),
    }
    return {"manifest.json": _json(manifest), "code.wasm": snapshot.code, "image": snapshot.image, "source.tar": source}


def _holds(directory: Path, files: dict[str, bytes]) -> bool:
    """Tell whether a directory holds exactly these octets."""
    try:
        return all((directory / name).read_bytes() == content for name, content in files.items())
    except OSError:
        return False


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(value: object) -> bytes:
    """Write a value always in the same way, because its digest is a name."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _lock(directory: Path) -> IO[str]:
    """Hold the lock of a data directory until the file is closed, or the process ends in whatever way."""
    file = (directory / "lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read(20).strip() or "unknown"
        file.close()
        raise DataDirectoryLocked(
            f"data directory `{directory}` is in use by process {holder}; "
            "stop that one or choose another with --data-dir"
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


@contextmanager
def _refusals(directory: Path) -> Iterator[None]:
    """Turn what the system refuses into one line."""
    try:
        yield
    except OSError as error:
        raise RegistryError(
            f"data directory `{directory}` cannot be written: {error.strerror}; "
            "make it writable or choose another with --data-dir"
        ) from None
