"""Which release each tenant is on, in a data directory that survives a crash at any moment.

DATA_DIR/
  lock                      held while a server or a build works here; names its process
  tenants/<name>.json       the tenant and its current release; replacing this file is the switch
  releases/<digest>/        manifest.json image source.tar, and code.wasm if it has no parent; named by the SHA-256 of
                            the manifest. Bases and layers, the parents of python tenants, stand here too
  releases/<digest>.damaged a release that did not have its digest; kept to be looked at
  secrets/<name>.json       values of the tenant's secrets; no release and no cache ever holds one
  logs/<name>.log           what the tenant's program logged
  scratch/                  half-written things; emptied at every start
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pydantic import ValidationError

from dayfly import durable, release
from dayfly.config import Tenant
from dayfly.errors import ConfigError, DataDirectoryLocked, RegistryError
from dayfly.log import logger
from dayfly.release import Made


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
            for name in ("tenants", "releases", "secrets", "logs"):
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
    def releases(self) -> Path:
        """Where the releases stand, each beside its parent."""
        return self.directory / "releases"

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
        return Release(tenant, digest, self.releases / digest, origin)

    def names(self) -> list[str]:
        """Return the names of all recorded tenants, sorted."""
        return sorted(file.stem for file in (self.directory / "tenants").glob("[a-z0-9]*.json"))

    def check_routes(self, tenant: Tenant) -> None:
        """Raise ConfigError if another tenant has one of the tenant's hosts or paths."""
        for route in sorted({*tenant.hosts, *tenant.paths}):
            owner = self._routes.get(route, tenant.name)
            if owner != tenant.name:
                raise ConfigError(
                    f"tenant `{tenant.name}`: `{route}` belongs to tenant `{owner}`; choose another one, "
                    f"or take that tenant away by deleting {self._pointer(owner)}"
                )

    def write(self, made: Made) -> Path:
        """Write a release that no tenant is on yet; return its directory. Raises RegistryError.

        It is durable when a tenant is on it: one wait for the disk less.
        """
        with _refusals(self.directory):
            return release.write(self.releases, made, scratch=self.directory / "scratch", sync_parent=False)

    def record(self, tenant: Tenant, directory: Path, origin: str) -> Release:
        """Make a written release the tenant's current one. Durable when this returns; raises RegistryError."""
        with _refusals(self.directory):
            pointer = {"tenant": tenant.model_dump(), "release": directory.name, "origin": origin}
            durable.write_file(self._pointer(tenant.name), release.canonical(pointer), after=self.releases)
        self._take_routes(tenant)
        return Release(tenant, directory.name, directory, origin)

    def adopt(self, directory: Path) -> Path:
        """Have a copy of a base or layer, and of what it stands on, among the releases. Raises RegistryError."""
        with _refusals(self.directory):
            return release.adopt(directory, self.releases, scratch=self.directory / "scratch")

    def secrets(self, name: str) -> dict[str, str]:
        """Return the secrets of a tenant, with their values. Raises RegistryError if they cannot be read."""
        file = self._secrets(name)
        try:
            return _secrets_of(json.loads(file.read_bytes()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise RegistryError(
                f"{file}: not a tenant's secrets ({type(error).__name__}); delete it and set them again"
            ) from None

    def set_secret(self, name: str, variable: str, value: str | None) -> None:
        """Replace a secret of a tenant, or remove it. Durable when this returns; raises RegistryError."""
        secrets = {key: known for key, known in self.secrets(name).items() if key != variable}
        if value is not None:
            secrets[variable] = value
        with _refusals(self.directory):
            durable.write_file(self._secrets(name), release.canonical(secrets))

    def prune(self) -> list[str]:
        """Remove the releases that no tenant is on and that are nobody's parent; return their digests.

        Those that were set aside go too. Raises RegistryError, and removes nothing, if a record cannot be read.
        """
        kept: set[str] = set()
        for name in self.names():
            current = self.current(name)
            digest = current.digest if current else None
            while digest is not None and digest not in kept and (self.releases / digest).is_dir():
                kept.add(digest)
                digest = release.parent_of(self.releases / digest)
        with _refusals(self.directory):
            unused = [path for path in sorted(self.releases.iterdir()) if path.name not in kept]
            for path in unused:
                # Gone at once, also if this process ends in the middle: scratch is emptied at every start.
                path.rename(self.directory / "scratch" / path.name)
                shutil.rmtree(self.directory / "scratch" / path.name)
        return [path.name for path in unused]

    def set_aside(self, digest: str) -> None:
        """Mark a damaged release: it keeps its files under another name and is never loaded again."""
        with _refusals(self.directory):
            release.set_aside(self.releases / digest)

    @cached_property
    def _routes(self) -> dict[str, str]:
        """Whose each host and path is; read once, because nobody else writes here while the lock is held.

        Those of a record that cannot be read are not known, and said so.
        """
        known = [current.tenant for name in self.names() if (current := self._readable(name))]
        return {route: tenant.name for tenant in known for route in (*tenant.hosts, *tenant.paths)}

    def _readable(self, name: str) -> Release | None:
        try:
            return self.current(name)
        except RegistryError as error:
            logger.warning("%s; until then its hosts and paths are free for others", error)
            return None

    def _take_routes(self, tenant: Tenant) -> None:
        mine = {route for route, owner in self._routes.items() if owner == tenant.name}
        for route in mine:
            del self._routes[route]
        self._routes.update(dict.fromkeys((*tenant.hosts, *tenant.paths), tenant.name))

    def _secrets(self, name: str) -> Path:
        return self.directory / "secrets" / f"{name}.json"

    def _pointer(self, name: str) -> Path:
        return self.directory / "tenants" / f"{name}.json"


def _secrets_of(known: object) -> dict[str, str]:
    """Return what a file of secrets holds. Raises ValueError if it is not names and texts that UTF-8 can say."""
    if not isinstance(known, dict) or not all(isinstance(value, str) for value in known.values()):
        raise ValueError("not a table of texts")
    "".join([*known, *known.values()]).encode("utf-8")
    return known


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
        raise RegistryError(durable.refusal(f"data directory `{directory}`", error, "with --data-dir")) from None
