"""The door to all that is recorded: a data directory, locked, and its database.

DATA_DIR/
  lock            held while a server or a build works here; names its process
  registry.db     tenants, releases, who serves, secrets (sealed), tokens (digests), the audit table; unless the
                  database is elsewhere
  key             what secrets are sealed with; unless the environment has it
  releases/ packed/ scratch/   release files: `files`
  logs/NAME.log   what the tenant's program logged

A change is one transaction. Release files are durable before the transaction that names them, so a crash at any moment
leaves the old state or the new one, and what nothing names is swept at the next start.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pydantic import ValidationError
from sqlalchemy import Connection, delete, insert, select, update

from dayfly import durable, release
from dayfly.config import Limits, Tenant
from dayfly.errors import (
    ConfigError,
    Conflict,
    DamagedRelease,
    DataDirectoryLocked,
    NotFound,
    QuotaExceeded,
    RegistryError,
    RouteTaken,
)
from dayfly.log import logger
from dayfly.registry import audit, old, tokens
from dayfly.registry.audit import Change, Event
from dayfly.registry.database import Database, refused
from dayfly.registry.files import Files, sweep
from dayfly.registry.memory import Memory
from dayfly.registry.schema import secrets, settings
from dayfly.registry.schema import tenants as tenants_table
from dayfly.registry.tenants import Canary, Making, Recorded, Release, ReleaseRow, Tenants, Use, no_tenant
from dayfly.registry.tokens import Grant, TokenRow
from dayfly.registry.values import LOCAL, Actor, now, words
from dayfly.registry.vault import NEXT_FILE, Key
from dayfly.release import Made


@dataclass(frozen=True)
class DiskQuotas:
    """What releases may take of the disk."""

    tenant_bytes_max: int = 0
    """All releases of a tenant, without bases and layers. 0: no limit."""
    total_bytes_max: int = 0
    """All that stands in `releases` and `packed`. 0: no limit."""
    superseded_max: int = 10
    """Releases of a tenant that do not serve, kept for a rollback; older ones are forgotten."""


ORPHAN_SECONDS = 15
"""How long the workers of a server that was killed may hold a data directory; their own limit is 12 s."""

ORPHAN_LOOK_SECONDS = 0.02


class Registry:
    """What is recorded, from `open` to `close`. Its methods may be called from any thread."""

    def __init__(self, directory: Path, lock: IO[str], database: Database, quotas: DiskQuotas) -> None:
        self.directory = directory
        self.quotas = quotas
        self.now: Callable[[], datetime] = now
        self.on_superseded: Callable[[], None] = lambda: None
        """Called when there may be something to tidy; see `Housekeeper`."""
        self._lock = lock
        self._database = database
        self._files = Files(directory)
        self._memory = Memory(is_used=not database.is_shared)
        self._key: Key | None = None

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        database_url: str | None = None,
        key: Key | None = None,
        quotas: DiskQuotas = DiskQuotas(),
        lock: int | None = None,
    ) -> Self:
        """Lock a data directory, make what is missing in it, and bring it to this version.

        `database_url`: of PostgreSQL, else the data directory has the database. `key`: for secrets, else that of the
        environment or of the data directory. `lock`: a descriptor that has the lock already. Raises
        DataDirectoryLocked if somebody else works there, RegistryError if it cannot be used, was written by a newer
        version, or the key is not the one that its secrets were sealed with.
        """
        with _refusals(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = _lock(directory, lock)
        try:
            registry = cls(directory, file, Database.open(directory, database_url), quotas)
        except BaseException:
            file.close()
            raise
        try:
            with _refusals(directory):
                registry._start(key)
        except BaseException:
            registry.close()
            raise
        return registry

    def _start(self, key: Key | None) -> None:
        """Bring what is there in order."""
        self._files.make()
        self.log_directory.mkdir(mode=0o700, exist_ok=True)
        with self._database.read() as connection:
            Key.settle(self.directory, _fingerprint(connection))
        self._key = key or Key.find(self.directory)
        self._check_key()
        if old.is_here(self.directory):
            self._take_over()
        sweep(self._files, self._needed)
        self._settle_packing()

    def _settle_packing(self) -> None:
        """Have whole what serves: it may be packed since a backup was made. What is left to pack, tidying does."""
        with self._read() as tenants:
            serving, kept = tenants.serving_digests(), tenants.digests()
        for digest in filter(self._files.is_packed, serving):
            try:
                self._files.ready(digest)
            except DamagedRelease as error:
                logger.error("%s", error)
        self._files.note(digest for digest in kept.keys() - serving if (self.releases / digest).is_dir())

    @property
    def lock(self) -> int:
        """Return the descriptor that holds the lock: the directory is free when all its copies are closed."""
        return self._lock.fileno()

    def end_writing(self) -> None:
        """Wait for a change that is being recorded, and refuse all that come after it, with a RegistryError."""
        self._database.end_writing()

    def close(self) -> None:
        """Let go of database and data directory. Whoever is late changes nothing any more."""
        self._database.close()
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
        return self._files.releases

    @property
    def scratch(self) -> Path:
        """Where half-written things stand; emptied at every start."""
        return self._files.scratch

    @property
    def log_directory(self) -> Path:
        """Where the logs of the tenants are kept."""
        return self.directory / "logs"

    # What is recorded

    def names(self) -> list[str]:
        """Return the names of all tenants that have a release, sorted."""
        with self._read() as tenants:
            return tenants.names()

    def tenants(self) -> list[Recorded]:
        """Return all tenants with what serves for them, sorted by name: one question for a whole start."""
        return self._memory.all(self._all)

    def tenant(self, name: str) -> Recorded:
        """Return one tenant. Raises NotFound."""
        found = self._recorded(name)
        if found is None:
            raise no_tenant(name)
        return found

    def find(self, name: str) -> Recorded | None:
        """Return one tenant, if it is there. Raises RegistryError if the record cannot be read."""
        found = self._recorded(name)
        if found and found.broken:
            raise RegistryError(found.broken)
        return found

    def current(self, name: str) -> Release | None:
        """Return the release that serves. Raises RegistryError if the record cannot be read."""
        found = self.find(name)
        return None if found is None else found.current

    def canary(self, name: str) -> Canary | None:
        """Return the release that gets a share of the requests. Raises RegistryError if the record cannot be read."""
        found = self.find(name)
        return None if found is None else found.canary

    def made_from(self, name: str, origin: str) -> Release | None:
        """Return the newest release of a tenant that was made from the same things and is still here."""
        with self._read() as tenants:
            found = tenants.made_from(name, origin)
        return found if found and self._files.is_here(found.digest) else None

    def releases_of(self, name: str) -> list[ReleaseRow]:
        """Return the releases of a tenant, newest first. Raises NotFound if there is no such tenant."""
        with self._read() as tenants:
            tenants.require(name, None)
            rows = tenants.rows(name)
        return [
            replace(
                row,
                bytes=self._files.size(row.digest),
                is_packed=self._files.is_packed(row.digest),
                is_damaged=not self._files.is_here(row.digest),
            )
            for row in rows
        ]

    def history(self, name: str | None = None, limit: int = 100, before: int | None = None) -> list[Event]:
        """Return what was changed, newest first: of a tenant, also one that was removed, or of all.

        `before`: only entries with lower numbers.
        """
        with self._database.read() as connection:
            return audit.history(connection, name, limit, before)

    def verify_audit(self) -> tuple[int, str]:
        """Check the chain of the audit table; return number and digest of its end, to be noted elsewhere.

        Raises RegistryError, which names the first entry that is not as it was written.
        """
        with self._database.read() as connection:
            return audit.verify(connection)

    def look(self, tenant: Tenant, expected_revision: int | None = None) -> Recorded | None:
        """Return what is recorded of a tenant that is about to be deployed, None if there is nothing.

        Raises Conflict if it is not at the revision, RouteTaken if another tenant has one of its hosts or paths.
        """
        with self._read() as tenants:
            tenants.expect(tenant.name, expected_revision)
            tenants.check_routes(tenant)
            return tenants.get(tenant.name)

    # Release files

    @contextmanager
    def deploying(self) -> Iterator[None]:
        """Keep what a deploy writes, adopts or unpacks from being collected before it is recorded."""
        try:
            with self._files.holding():
                yield
        finally:
            self.on_superseded()

    def write(self, made: Made) -> Path:
        """Write a release that no tenant is on yet; return its directory. Raises RegistryError.

        It is durable when a tenant is on it: one wait for the disk less.
        """
        with _refusals(self.directory):
            return self._files.write(made)

    def adopt(self, directory: Path) -> Path:
        """Have a copy of a base or layer, and of what it stands on, among the releases. Raises RegistryError."""
        with _refusals(self.directory):
            return self._files.adopt(directory)

    def set_aside(self, digest: str) -> None:
        """Mark a damaged release: it keeps its files under another name and is never loaded again."""
        with _refusals(self.directory):
            self._files.set_aside(digest)

    # Which release serves

    def record(
        self,
        tenant: Tenant,
        directory: Path,
        origin: str,
        *,
        by: Actor = LOCAL,
        why: str = "",
        expected_revision: int | None = None,
        canary: float | None = None,
    ) -> Release:
        """Make a written release the tenant's current one, or with a share its canary. Durable when this returns.

        `expected_revision`: what the tenant was when the deploy was decided on; 0: not there. Raises Conflict,
        RouteTaken, QuotaExceeded or RegistryError; then everything is as before.
        """
        making = Making(tenant, directory.name, release.parent_of(directory), origin)
        name = tenant.name
        with _refusals(self.directory):
            # The release has its name when the transaction that says it is committed; synced while that is prepared.
            wait = durable.start_syncing(self.releases)
            try:
                with self._write() as tenants:
                    tenants.enter(name, expected_revision)
                    replaced = self._replaced(tenants, name)
                    number = tenants.add(making, replaced, by=by, why=words("why", why), at=self.now())
                    if canary is None:
                        tenants.claim(name, tenant)
                        tenants.serve(name, "current", number)
                    else:
                        _serve_canary(tenants, name, tenant, number, canary)
                    self._make_room(tenants, making, replaced)
                    change = Change("deploy", by, why, name, making.digest, _details(number, canary))
                    revision = tenants.changed(change, self.now())
                    wait()
            except BaseException:
                _quietly(wait)
                raise
        self.on_superseded()
        return Release(tenant, making.digest, directory, origin, number, revision)

    def activate(
        self,
        name: str,
        wanted: str | int | None = None,
        *,
        by: Actor = LOCAL,
        why: str = "",
        expected_revision: int | None = None,
    ) -> Release:
        """Make a recorded release the current one: by number, by digest, or the one before. Durable when this returns.

        Its files are whole when this returns; nothing is built. Raises NotFound, Conflict, RouteTaken, or
        DamagedRelease if its files are not here any more; then everything is as before.
        """
        with self._files.holding(), _refusals(self.directory):
            target = self.whole(name, wanted, expected_revision)
            with self._write() as tenants:
                tenants.require(name, expected_revision)
                again = tenants.find(name, wanted)
                if again.number != target.number:
                    raise _changed_meanwhile(name, again.revision)
                self._replaced(tenants, name)
                tenants.claim(name, target.tenant)
                tenants.serve(name, "current", target.number)
                change = Change("activate", by, why, name, target.digest, {"number": target.number})
                revision = tenants.changed(change, self.now())
        self.on_superseded()
        return replace(target, revision=revision)

    def whole(self, name: str, wanted: str | int | None, expected_revision: int | None = None) -> Release:
        """Return a recorded release, its files whole, which may take some milliseconds; for whoever is `deploying`.

        `wanted`: as for `activate`, which raises the same.
        """
        with self._read() as tenants:
            tenants.require(name, expected_revision)
            target = tenants.find(name, wanted)
        self._files.ready(target.digest)
        return target

    def set_canary(
        self,
        name: str,
        wanted: str | int,
        share: float,
        *,
        by: Actor = LOCAL,
        why: str = "",
        expected_revision: int | None = None,
    ) -> Canary:
        """Give a recorded release a share of the requests. Raises as `activate` does."""
        with self._files.holding(), _refusals(self.directory):
            target = self.whole(name, wanted, expected_revision)
            with self._write() as tenants:
                tenants.require(name, expected_revision)
                target = tenants.find(name, target.number)
                self._replaced(tenants, name)
                _serve_canary(tenants, name, target.tenant, target.number, share)
                details = _details(target.number, share)
                revision = tenants.changed(Change("canary", by, why, name, target.digest, details), self.now())
        self.on_superseded()
        return Canary(replace(target, revision=revision), share)

    def promote(self, name: str, *, by: Actor = LOCAL, why: str = "", expected_revision: int | None = None) -> Release:
        """Make the canary the current release. Raises as `activate` does, and Conflict if there is no canary."""
        with self._files.holding(), _refusals(self.directory):
            with self._read() as tenants:
                target = _canary(tenants, name, expected_revision)
            self._files.ready(target.digest)
            with self._write() as tenants:
                again = _canary(tenants, name, expected_revision)
                if again.number != target.number:
                    raise _changed_meanwhile(name, again.revision)
                self._replaced(tenants, name)
                tenants.claim(name, target.tenant)
                tenants.serve(name, "current", target.number)
                change = Change("promote", by, why, name, target.digest, {"number": target.number})
                revision = tenants.changed(change, self.now())
        self.on_superseded()
        return replace(target, revision=revision)

    def abort(self, name: str, *, by: Actor = LOCAL, why: str = "", expected_revision: int | None = None) -> Release:
        """End the canary; return the current release. Raises NotFound, or Conflict if there is no canary."""
        with self._write() as tenants:
            target = _canary(tenants, name, expected_revision)
            current = _current(tenants, name)
            self._replaced(tenants, name)
            tenants.claim(name, current.tenant)
            tenants.end_canary(name)
            change = Change("abort", by, why, name, target.digest, {"number": target.number})
            revision = tenants.changed(change, self.now())
        self.on_superseded()
        return replace(current, revision=revision)

    def remove(self, name: str, *, by: Actor = LOCAL, why: str = "", expected_revision: int | None = None) -> int:
        """Forget a tenant: releases, hosts, secrets, limits, the right of tokens to deploy it.

        The audit table remembers; returns the number of the entry there. Raises NotFound or Conflict.
        """
        with self._write() as tenants:
            tenants.require(name, expected_revision)
            self._files.note(_with_parents(tenants.digests(name=name)))
            tenants.remove(name)
            tokens.withdraw(tenants.connection, name, self.now())
            number = tenants.changed(Change("remove", by, why, name), self.now())
        self.on_superseded()
        return number

    def withdraw(self, name: str, *, by: Actor = LOCAL, why: str = "", expected_revision: int | None = None) -> int:
        """Have a tenant serve nothing until something is deployed or activated; its releases, secrets and limits stay.

        Its hosts and paths are free for others. Returns the new revision. Raises NotFound or Conflict.
        """
        with self._write() as tenants:
            tenants.require(name, expected_revision)
            self._replaced(tenants, name)
            tenants.withdraw(name)
            number = tenants.changed(Change("withdraw", by, why, name), self.now())
        self.on_superseded()
        return number

    # Secrets

    def secrets(self, name: str) -> dict[str, str]:
        """Return the secrets of a tenant, with their values. Raises RegistryError if one is damaged."""
        query = select(secrets.c.variable, secrets.c.sealed).where(secrets.c.tenant == name)
        with self._database.read() as connection:
            sealed = {row.variable: row.sealed for row in connection.execute(query.order_by(secrets.c.variable))}
        if not sealed:
            return {}
        key = self._known_key()
        return {variable: key.open(name, variable, value) for variable, value in sealed.items()}

    def secret_names(self, name: str) -> list[str]:
        """Return the names of the secrets of a tenant, sorted."""
        query = select(secrets.c.variable).where(secrets.c.tenant == name).order_by(secrets.c.variable)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def secret_names_of_all(self) -> dict[str, list[str]]:
        """Return the names of the secrets of each tenant that has some, sorted."""
        names: dict[str, list[str]] = {}
        query = select(secrets.c.tenant, secrets.c.variable).order_by(secrets.c.tenant, secrets.c.variable)
        with self._database.read() as connection:
            for row in connection.execute(query):
                names.setdefault(row.tenant, []).append(row.variable)
        return names

    def set_secret(
        self,
        name: str,
        variable: str,
        value: str | None,
        *,
        by: Actor = LOCAL,
        why: str = "",
        expected_revision: int | None = None,
    ) -> int:
        """Replace a secret of a tenant, or with None remove it; return the tenant's revision.

        Durable when this returns. Raises Conflict, NotFound if there is none to be removed, or RegistryError.
        """
        with _refusals(self.directory), self._write() as tenants:
            tenants.enter(name, expected_revision)
            mine = (secrets.c.tenant == name) & (secrets.c.variable == variable)
            removed = tenants.connection.execute(delete(secrets).where(mine)).rowcount
            if value is not None:
                sealed = self._key_to_seal_with(tenants.connection).seal(name, variable, value)
                tenants.connection.execute(insert(secrets), [{"tenant": name, "variable": variable, "sealed": sealed}])
            elif not removed:
                raise NotFound(
                    f"tenant `{name}` has no secret `{variable}`; see dayfly secret list {name}", field="variable"
                )
            details = {"variable": variable, "removed": value is None}
            return tenants.changed(Change("secret", by, why, name, details=details), self.now())

    def change_key(self, new: Key | None = None, *, by: Actor = LOCAL, why: str = "") -> None:
        """Seal all secrets with another key: a given one, which stands elsewhere, else a new one of the data directory.

        A crash leaves all secrets under the old key or all under the new one. Raises RegistryError.
        """
        self._known_key()
        if new is None and Key.is_elsewhere():
            raise RegistryError("the key does not stand in the data directory; say which one to take from now on")
        with _refusals(self.directory):
            key = new or Key.make(self.directory, self.scratch, name=NEXT_FILE)
            with self._database.write() as connection:
                _check_fingerprint(connection, self._known_key())
                for row in connection.execute(select(secrets)).all():
                    mine = (secrets.c.tenant == row.tenant) & (secrets.c.variable == row.variable)
                    value = self._known_key().open(row.tenant, row.variable, row.sealed)
                    sealed = key.seal(row.tenant, row.variable, value)
                    connection.execute(update(secrets).where(mine).values(sealed=sealed))
                connection.execute(update(settings).where(settings.c.name == "key").values(value=key.fingerprint))
                audit.append(connection, Change("key", by, why), self.now())
            self._key = key
            Key.settle(self.directory, key.fingerprint)

    # The operator's word

    def override(
        self,
        name: str,
        *,
        limits: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        by: Actor = LOCAL,
        why: str = "",
        expected_revision: int | None = None,
    ) -> Recorded:
        """Replace the operator's limits or variables of a tenant; None leaves them, an empty table takes them away.

        They stand over what dayfly.toml says: see `effective`. Raises ConfigError or Conflict.
        """
        values = {
            key: release.canonical(dict(value)).decode("ascii").rstrip("\n")
            for key, value in (("limits", limits and _limits(limits)), ("environment", _environment(name, environment)))
            if value is not None
        }
        with self._write() as tenants:
            tenants.enter(name, expected_revision)
            change = tenants_table.update().where(tenants_table.c.name == name)
            if values:
                tenants.connection.execute(change.values(values))
            # Names only: a variable may hold what should not be read for years.
            details = {"limits": dict(limits or {}), "environment": sorted(environment or ())}
            tenants.changed(Change("override", by, why, name, details=details), self.now())
            found = tenants.get(name)
        assert found is not None  # noqa: S101 - entered above
        return found

    def effective(self, tenant: Tenant) -> Tenant:
        """Return a tenant as it is under the operator's limits and variables."""
        found = self._recorded(tenant.name)
        return found.over(tenant) if found else tenant

    # Tokens

    def issue_token(
        self, scopes: Iterable[str], *, by: Actor = LOCAL, note: str = "", expires_s: float | None = None
    ) -> tuple[TokenRow, str]:
        """Make a token; return what is kept of it, and the token, which nobody can be told again. Raises BadToken."""
        with self._database.write() as connection:
            row, text = tokens.issue(connection, scopes, by=by, note=note, at=self.now(), expires_s=expires_s)
            details = {"token": row.id, "scopes": list(row.scopes), "expires_s": expires_s}
            audit.append(connection, Change("token", by, note, details=details), self.now())
        return row, text

    def grant(self, text: str) -> Grant | None:
        """Return what the bearer of a token may do; None if it is mistyped, unknown, expired or revoked."""
        if not tokens.is_token(text):
            return None
        with self._database.read() as connection:
            return tokens.grant(connection, text, self.now())

    def tokens(self) -> list[TokenRow]:
        """Return all tokens that were issued, oldest first, also those that are not valid any more."""
        with self._database.read() as connection:
            return tokens.issued(connection)

    def revoke_token(self, token: str, *, by: Actor = LOCAL, why: str = "") -> None:
        """Have a token, by its name, accepted nowhere from now on. Raises NotFound."""
        with self._database.write() as connection:
            row = tokens.revoke(connection, token, self.now())
            if row.revoked_at is None:
                audit.append(connection, Change("revoke", by, why, details={"token": token}), self.now())

    # Keeping house

    def prune(self) -> list[str]:
        """Forget the releases that do not serve, and remove all that is nobody's parent; return their digests.

        Those that were set aside go too. Raises RegistryError, and removes nothing, if a parent cannot be read.
        """
        with _refusals(self.directory):
            with self._write() as tenants:
                for name, numbers in tenants.superseded().items():
                    tenants.drop(name, numbers)
            return self._files.collect(self._needed, damaged_too=True)

    def tidy(self, *, recent: bool = False) -> None:
        """Compress the releases that do not serve, and remove what nobody needs.

        `recent`: look only at what was replaced, forgotten or not recorded since the last time, or could not be tidied
        then. May take a second for each; no deploy waits for it meanwhile. Raises the first RegistryError when it is
        through with the others.
        """
        noted = self._files.take_noted()
        wanted, failed = sorted(noted if recent else self._needed()), dict[str, RegistryError]()
        # What is removed makes room for what is packed.
        for tidy_one in (self._discard, self._pack):
            for digest in wanted:
                try:
                    with _refusals(self.directory):
                        tidy_one(digest)
                except RegistryError as error:
                    failed.setdefault(digest, error)
        self._files.note(failed)
        if not recent:
            with _refusals(self.directory):
                self._files.collect(self._needed)
        if failed:
            raise next(iter(failed.values()))

    def _discard(self, digest: str) -> None:
        if self._use_of(digest) is Use.NONE and (
            parent := self._files.discard(digest, lambda: self._use_of(digest) is not Use.NONE)
        ):
            self._discard(parent)

    def _pack(self, digest: str) -> None:
        if self._use_of(digest) is Use.KEPT:
            self._files.pack(digest, lambda: self._use_of(digest) is not Use.KEPT)

    def _use_of(self, digest: str) -> Use:
        with self._read() as tenants:
            use = tenants.use_of(digest)
            parents = tenants.parents() if use is not Use.SERVES else ()
        return Use.SERVES if digest in self._files.with_parents(parents) else use

    def _needed(self) -> dict[str, str | None]:
        with self._read() as tenants:
            return tenants.digests()

    def _replaced(self, tenants: Tenants, name: str) -> int | None:
        """Return the number of the current release, where it or its canary is about to be replaced.

        Both serve until their successor is published: whoever holds what a deploy uses holds them too.
        """
        standing = tenants.standing(name)
        for one in standing.values():
            self._files.hold(one.digest)
        self._files.note(one.digest for one in standing.values())
        return standing["current"].number if "current" in standing else None

    def _make_room(self, tenants: Tenants, making: Making, replaced: int | None) -> None:
        """Forget old releases of a tenant until the rest is within its bounds. Raises QuotaExceeded."""
        name, digest = making.tenant.name, making.digest
        superseded = tenants.superseded(name).get(name, [])
        superseded_max = self.quotas.superseded_max
        if replaced in superseded:
            superseded.remove(replaced)
            superseded_max -= 1
        going = superseded[: max(len(superseded) - superseded_max, 0)]
        kept = superseded[len(going) :]
        dropped = tenants.drop(name, going)
        while (excess := self._excess(tenants, name, dropped)) and kept:
            dropped |= tenants.drop(name, [kept.pop(0)])
        self._files.note(_with_parents(dropped))
        if excess:
            raise QuotaExceeded(f"release `{digest[:12]}` of tenant `{name}` does not fit: {excess}")

    def _excess(self, tenants: Tenants, name: str, dropped: Iterable[str]) -> str:
        """Say which share of the disk is exceeded, and what to do. What was dropped is removed a second later."""
        mine, all_together = self.quotas.tenant_bytes_max, self.quotas.total_bytes_max
        if mine and (taken := sum(map(self._files.size, tenants.digests(name=name)))) > mine:
            return f"with the one that serves it takes {taken} octets, and the tenant has {mine}; make it smaller"
        if not all_together:
            return ""
        freed = sum(self._files.size(digest) for digest in dropped if tenants.use_of(digest) is Use.NONE)
        if (taken := self._files.total() - freed) > all_together:
            return f"all releases take {taken} octets, and {all_together} are allowed; dayfly prune, or allow more"
        return ""

    # Inside

    @contextmanager
    def _read(self) -> Iterator[Tenants]:
        with self._database.read() as connection:
            yield Tenants(connection, self.releases)

    @contextmanager
    def _write(self) -> Iterator[Tenants]:
        try:
            with self._database.write() as connection:
                yield Tenants(connection, self.releases)
        finally:
            self._memory.forget()

    def _all(self) -> list[Recorded]:
        with self._read() as tenants:
            return tenants.all()

    def _recorded(self, name: str) -> Recorded | None:
        known = self._memory.known()
        if known is not None:
            return known.get(name)
        with self._read() as tenants:
            return tenants.get(name)

    def _known_key(self) -> Key:
        if self._key is None:
            self._key = Key.find(self.directory)
        if self._key is None:
            raise RegistryError(
                "the key that the secrets are sealed with is missing; set DAYFLY_KEY or DAYFLY_KEY_FILE, "
                f"or put {self.directory / 'key'} back"
            )
        return self._key

    def _key_to_seal_with(self, connection: Connection) -> Key:
        """Return the key; the first secret makes one. In a writing transaction, so that no two make each its own."""
        key = self._key or Key.find(self.directory) or Key.make(self.directory, self.scratch)
        _check_fingerprint(connection, key)
        self._key = key
        return key

    def _check_key(self) -> None:
        """Refuse a start that would serve tenants without their secrets. Raises RegistryError."""
        with self._database.read() as connection:
            if connection.execute(select(secrets.c.tenant).limit(1)).first() is None:
                return
            _compare_fingerprint(connection, self._known_key())

    def _take_over(self) -> None:
        """Take over what version 0.1.0 kept in files, all at once; then delete those."""
        done: list[Path] = []
        values = [found for found in old.secrets(self.directory) if found.values]
        with self._write() as tenants:
            for record in old.releases(self.directory):
                try:
                    self._take_over_release(tenants, record)
                except RouteTaken as error:
                    logger.error("%s: cannot be taken over: %s", record.file, error)
                else:
                    done.append(record.file)
            for found in values:
                self._take_over_secrets(tenants, found, self._key_to_seal_with(tenants.connection))
                done.append(found.file)
        old.forget(self.directory, done)
        if done:
            logger.info("%s: %d files of an earlier version taken over into the registry", self.directory, len(done))

    def _take_over_release(self, tenants: Tenants, record: old.OldRelease) -> None:
        name = record.tenant.name
        if tenants.standing(name):  # taken over before a crash
            return
        directory = self.releases / record.digest
        parent = release.parent_of(directory) if release.is_sound(directory) else None
        tenants.check_routes(record.tenant)
        tenants.enter(name)
        making = Making(record.tenant, record.digest, parent, record.origin)
        number = tenants.add(making, None, by=LOCAL, why="", at=self.now())
        tenants.claim(name, record.tenant)
        tenants.serve(name, "current", number)
        tenants.changed(Change("import", LOCAL, "", name, record.digest, {"number": number}), self.now())

    def _take_over_secrets(self, tenants: Tenants, found: old.OldSecrets, key: Key) -> None:
        name = found.tenant
        tenants.enter(name)
        known = set(tenants.connection.execute(select(secrets.c.variable).where(secrets.c.tenant == name)).scalars())
        rows = [
            {"tenant": name, "variable": variable, "sealed": key.seal(name, variable, value)}
            for variable, value in found.values.items()
            if variable not in known
        ]
        if rows:
            tenants.connection.execute(insert(secrets), rows)
            details = {"variables": sorted(found.values)}
            tenants.changed(Change("import", LOCAL, "", name, details=details), self.now())


def _serve_canary(tenants: Tenants, name: str, tenant: Tenant, number: int, share: float) -> None:
    """Give a release a share of what the current one gets now. Hosts and paths of both are the tenant's meanwhile."""
    if not 0 < share <= 1:
        raise ConfigError(
            f"the share of a canary cannot be {share:g}; allowed: more than 0, at most 1 (100%)", field="canary"
        )
    current = _current(tenants, name)
    if current.number == number:
        raise Conflict(
            f"release {number} of tenant `{name}` is the current one already; nothing to try", current.revision
        )
    tenants.claim(name, current.tenant, tenant)
    tenants.serve(name, "canary", number, share)


def _current(tenants: Tenants, name: str) -> Release:
    current = tenants.serving(name, "current")
    if not isinstance(current, Release):
        raise Conflict(
            f"tenant `{name}` has no release to compare a canary with; deploy it without one",
            tenants.expect(name, None),
        )
    return current


def _canary(tenants: Tenants, name: str, expected_revision: int | None) -> Release:
    tenants.require(name, expected_revision)
    canary = tenants.serving(name, "canary")
    if not isinstance(canary, Canary):
        raise Conflict(f"tenant `{name}` has no canary; see dayfly show {name}", tenants.expect(name, None))
    return canary.release


def _changed_meanwhile(name: str, revision: int) -> Conflict:
    return Conflict(f"tenant `{name}` was changed meanwhile; look at it and try again", revision)


def _details(number: int, share: float | None) -> dict[str, Any]:
    return {"number": number} if share is None else {"number": number, "share": share}


def _with_parents(digests: Mapping[str, str | None]) -> set[str]:
    return set(digests) | {parent for parent in digests.values() if parent is not None}


def _limits(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return limits as numbers. Raises ConfigError."""
    try:
        return Limits.model_validate(dict(limits)).model_dump(include=set(limits))
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        known = Limits.model_fields.get(key)
        allowed = f"`{key}` cannot be {first['input']!r}; allowed: {known.description}" if known else ""
        unknown = f"unknown limit `{key}`; allowed: {', '.join(Limits.model_fields)}"
        raise ConfigError(allowed or unknown, field=f"limits.{key}") from None


def _environment(name: str, environment: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Return variables, if a tenant can have them. Raises ConfigError."""
    if environment is None:
        return None
    try:
        return Tenant(name=name, hosts=(), environment=dict(environment)).environment
    except ValidationError as error:
        what = ".".join(str(part) for part in error.errors()[0]["loc"] if part != "[key]")
        description = Tenant.model_fields["environment"].description
        raise ConfigError(f"`{what}` cannot be that; allowed: {description}", field=what) from None


def _check_fingerprint(connection: Connection, key: Key) -> None:
    """Remember which key the secrets are sealed with; if there are some, it must be this one."""
    if connection.execute(select(secrets.c.tenant).limit(1)).first() is not None:
        _compare_fingerprint(connection, key)
        return
    connection.execute(delete(settings).where(settings.c.name == "key"))
    connection.execute(insert(settings), [{"name": "key", "value": key.fingerprint}])


def _fingerprint(connection: Connection) -> str | None:
    found = connection.execute(select(settings.c.value).where(settings.c.name == "key")).scalar()
    return None if found is None else str(found)


def _compare_fingerprint(connection: Connection, key: Key) -> None:
    if _fingerprint(connection) != key.fingerprint:
        raise RegistryError(
            "the key is not the one that the secrets were sealed with; set DAYFLY_KEY or DAYFLY_KEY_FILE to that one, "
            "or put the file `key` of the data directory back"
        )


def _quietly(wait: Callable[[], None]) -> None:
    """Wait for what was started, whatever came of it: something else went wrong, and is reported."""
    try:
        wait()
    except OSError as error:
        logger.debug("%s", error)


def _lock(directory: Path, held: int | None) -> IO[str]:
    """Hold the lock of a data directory until the file is closed, or the process ends in whatever way.

    Workers have the descriptor too: it is one that nobody can write through.
    """
    path = directory / "lock"
    path.touch()
    file = open(path if held is None else held, encoding="ascii")  # noqa: PTH123, SIM115 - a descriptor has no path
    if held is None and not _locked(file):
        file.seek(0)
        holder = file.read(20).strip() or "unknown"
        file.close()
        raise DataDirectoryLocked(
            f"data directory `{directory}` is in use by process {holder}; "
            "stop that one or choose another with --data-dir"
        )
    path.write_text(f"{os.getpid()}\n", encoding="ascii")
    return file


def _locked(file: IO[str]) -> bool:
    """Take the lock. Where its holder is gone, its workers finish what they had begun: wait for them."""
    end = time.monotonic() + ORPHAN_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            if time.monotonic() > end or _is_alive(file.read(20).strip()):
                return False
            time.sleep(ORPHAN_LOOK_SECONDS)
        else:
            return True


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except PermissionError:
        return True
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    return True


@contextmanager
def _refusals(directory: Path) -> Iterator[None]:
    """Turn what the system refuses into one line."""
    try:
        yield
    except OSError as error:
        raise refused(directory, error) from None
