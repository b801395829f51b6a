"""Tenants and their releases in one transaction: what is read stays true until it ends.

A tenant has releases, numbered from 1. One of them is current, another may be its canary; their hosts and paths are the
tenant's. Every change ends with `changed`, which notes it and gives the tenant its new revision.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy import BindParameter, Connection, Row, bindparam, delete, insert, or_, select, update

from dayfly.config import Tenant
from dayfly.errors import Conflict, NotFound, RegistryError, RouteTaken
from dayfly.registry import audit
from dayfly.registry.audit import Change
from dayfly.registry.schema import releases, routes, secrets, serving, tenants
from dayfly.registry.values import Actor, stamp
from dayfly.release import canonical

Role = Literal["current", "canary"]

_PREFIX_DIGITS_MIN = 6
"""Of a digest, where a part of it names a release."""

_RELEASE = (
    releases.c.number,
    releases.c.digest,
    releases.c.parent,
    releases.c.origin,
    releases.c.config,
    releases.c.made_at,
    releases.c.made_by,
    releases.c.why,
)

# Statements of a deploy are built once: building costs as much as running (2.0 ms a deploy became 1.1).
_NAME: BindParameter[str] = bindparam("tenant_name")
_SERVES = (serving.c.tenant == releases.c.tenant) & (serving.c.number == releases.c.number)
_ALL = (
    select(tenants, serving.c.role, serving.c.share, *_RELEASE)
    .select_from(tenants.outerjoin(serving, serving.c.tenant == tenants.c.name).outerjoin(releases, _SERVES))
    .order_by(tenants.c.name)
)
_ONE = _ALL.where(tenants.c.name == _NAME)
_REVISION = select(tenants.c.revision).where(tenants.c.name == _NAME)
_ENTER = insert(tenants).values(name=_NAME, revision=0, releases_made=0, limits="{}", environment="{}")
_CHANGED = update(tenants).where(tenants.c.name == _NAME).values(revision=bindparam("number"))
_NEXT_NUMBER = (
    update(tenants)
    .where(tenants.c.name == _NAME)
    .values(releases_made=tenants.c.releases_made + 1)
    .returning(tenants.c.releases_made)
)
_STANDING = (
    select(serving.c.role, serving.c.number, releases.c.digest)
    .select_from(serving.join(releases, _SERVES))
    .where(serving.c.tenant == _NAME)
)
_END = delete(serving).where(serving.c.tenant == _NAME, serving.c.role.in_(bindparam("roles", expanding=True)))
_SERVE = insert(serving)
_KNOWN = select(releases.c.number).where(
    releases.c.tenant == _NAME, releases.c.digest == bindparam("release"), releases.c.config == bindparam("said")
)
_MADE_FROM = (
    select(*_RELEASE, tenants.c.revision)
    .join_from(releases, tenants)
    .where(releases.c.tenant == _NAME, releases.c.origin == bindparam("made_from"))
    .order_by(releases.c.number.desc())
    .limit(1)
)
_ADD = insert(releases)
_FORGET = (
    delete(releases)
    .where(releases.c.tenant == _NAME, releases.c.number == bindparam("release_number"))
    .returning(releases.c.digest, releases.c.parent)
)
_OWNERS = (
    select(routes)
    .where(or_(routes.c.tenant == _NAME, routes.c.route.in_(bindparam("wanted", expanding=True))))
    .order_by(routes.c.route)
)
_SUPERSEDED = (
    select(releases.c.tenant, releases.c.number)
    .select_from(releases.outerjoin(serving, _SERVES))
    .where(serving.c.role.is_(None))
    .order_by(releases.c.tenant, releases.c.number)
)
_SUPERSEDED_OF = _SUPERSEDED.where(releases.c.tenant == _NAME)


@dataclass(frozen=True)
class Release:
    """A recorded release of a tenant."""

    tenant: Tenant
    """As it was when the release was deployed."""
    digest: str
    """SHA-256 of the manifest, in hexadecimal digits."""
    directory: Path
    origin: str
    """Digest of everything that the release was made from and by; equal origins make equal releases."""
    number: int = field(default=0, compare=False)
    """Counts the releases of the tenant, from 1."""
    revision: int = field(default=0, compare=False)
    """Of the tenant, when this was read."""


@dataclass(frozen=True)
class Canary:
    """A release that gets a share of the tenant's requests."""

    release: Release
    share: float
    """More than 0, at most 1."""


@dataclass(frozen=True)
class Recorded:
    """A tenant and what serves for it."""

    name: str
    revision: int
    current: Release | None
    """None: it has secrets or limits, and no release yet; or its record cannot be read, and `broken` says why."""
    canary: Canary | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    """The operator's word, over what its dayfly.toml says."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Likewise."""
    broken: str = ""

    def over(self, tenant: Tenant) -> Tenant:
        """Return what dayfly.toml makes of the tenant, with the operator's limits and variables over it."""
        if not (self.limits or self.environment):
            return tenant
        limits = tenant.limits.model_copy(update=dict(self.limits))
        environment = {**tenant.environment, **self.environment}
        return tenant.model_copy(update={"limits": limits, "environment": environment})


@dataclass(frozen=True)
class ReleaseRow:
    """What is known of a release."""

    number: int
    digest: str
    origin: str
    made_at: datetime
    made_by: str
    why: str
    bytes: int = 0
    """What it takes on this machine, without its parents."""
    is_current: bool = False
    is_canary: bool = False
    is_packed: bool = False
    """Compressed: it takes some milliseconds more to go back to it."""
    is_damaged: bool = False
    """Its files are not here, or not as they were."""


class Use(Enum):
    """What a release is there for."""

    SERVES = "serves"
    """For a tenant, or under a release that does."""
    KEPT = "kept"
    """For a rollback."""
    NONE = "none"
    """Nobody has it any more."""


@dataclass(frozen=True)
class Standing:
    """Which release of a tenant serves."""

    number: int
    digest: str


@dataclass(frozen=True)
class Making:
    """A release that is about to be recorded."""

    tenant: Tenant
    digest: str
    parent: str | None
    origin: str


@dataclass(frozen=True)
class Tenants:
    """The tables of tenants, on a connection."""

    connection: Connection
    shelf: Path
    """Where release files stand."""

    def names(self) -> list[str]:
        """Return the names of all tenants that have a release, sorted."""
        query = select(serving.c.tenant).where(serving.c.role == "current").order_by(serving.c.tenant)
        return list(self.connection.execute(query).scalars())

    def all(self) -> list[Recorded]:
        """Return all tenants, sorted by name."""
        return list(self._recorded(None))

    def get(self, name: str) -> Recorded | None:
        """Return one tenant."""
        return next(self._recorded(name), None)

    def _recorded(self, name: str | None) -> Iterator[Recorded]:
        found = self.connection.execute(_ALL) if name is None else self.connection.execute(_ONE, {"tenant_name": name})
        for _, rows in groupby(found, key=lambda row: str(row.name)):
            yield self._tenant({row.role: row for row in rows})

    def _tenant(self, rows: Mapping[Role | None, Row[*tuple[Any, ...]]]) -> Recorded:
        first = next(iter(rows.values()))
        current: Release | None = None
        canary: Canary | None = None
        broken = ""
        try:
            current = self._release(rows["current"], first.revision) if "current" in rows else None
            if "canary" in rows:
                canary = Canary(self._release(rows["canary"], first.revision), rows["canary"].share)
        except ValidationError as error:
            broken = f"what is recorded of tenant `{first.name}` cannot be read ({error.title}); deploy it again"
        limits, environment = json.loads(first.limits), json.loads(first.environment)
        return Recorded(first.name, first.revision, current, canary, limits, environment, broken)

    def _release(self, row: Row[*tuple[Any, ...]], revision: int) -> Release:
        tenant = Tenant.model_validate_json(row.config)
        return Release(tenant, row.digest, self.shelf / row.digest, row.origin, row.number, revision)

    def serving(self, name: str, role: Role) -> Release | Canary | None:
        """Return what serves for a tenant. Raises RegistryError if the record cannot be read."""
        found = self.get(name)
        if found and found.broken:
            raise RegistryError(found.broken)
        if found is None:
            return None
        return found.current if role == "current" else found.canary

    def standing(self, name: str) -> dict[Role, Standing]:
        """Return which releases serve for a tenant."""
        found = self.connection.execute(_STANDING, {"tenant_name": name})
        return {row.role: Standing(row.number, row.digest) for row in found}

    def rows(self, name: str) -> list[ReleaseRow]:
        """Return the releases of a tenant, newest first, without what only their files say."""
        numbers = {role: one.number for role, one in self.standing(name).items()}
        query = select(*_RELEASE).where(releases.c.tenant == name).order_by(releases.c.number.desc())
        return [
            ReleaseRow(
                number=row.number,
                digest=row.digest,
                origin=row.origin,
                made_at=datetime.fromisoformat(row.made_at),
                made_by=row.made_by,
                why=row.why,
                is_current=row.number == numbers.get("current"),
                is_canary=row.number == numbers.get("canary"),
            )
            for row in self.connection.execute(query)
        ]

    def made_from(self, name: str, origin: str) -> Release | None:
        """Return the newest release of a tenant that was made from the same things."""
        row = self.connection.execute(_MADE_FROM, {"tenant_name": name, "made_from": origin}).first()
        try:
            return row and self._release(row, row.revision)
        except ValidationError:
            return None

    def find(self, name: str, wanted: str | int | None) -> Release:
        """Return a release by its number, its digest or the beginning of that; None: the one before the current one.

        Raises NotFound.
        """
        if wanted is None:
            wanted = self._before(name)
        query = select(*_RELEASE, tenants.c.revision).join_from(releases, tenants).where(releases.c.tenant == name)
        if isinstance(wanted, int):
            query = query.where(releases.c.number == wanted)
        else:
            query = query.where(releases.c.digest.startswith(wanted, autoescape=True))
        found = self.connection.execute(query.order_by(releases.c.number.desc())).all()
        if isinstance(wanted, str) and len(wanted) < _PREFIX_DIGITS_MIN:
            raise NotFound(
                f"`{wanted}` is too short for a release; give {_PREFIX_DIGITS_MIN} digits of it, or its number"
            )
        if not found:
            raise NotFound(f"tenant `{name}` has no release `{wanted}`; see dayfly releases {name}", field="release")
        if len({row.digest for row in found}) > 1:
            raise NotFound(
                f"tenant `{name}` has several releases `{wanted}`; give more digits, or the number", field="release"
            )
        return self._release(found[0], found[0].revision)

    def _before(self, name: str) -> int:
        """Return the number of the release that was current when the current one came; else the next older one."""
        standing = self.standing(name)
        now = standing["current"].number if "current" in standing else None
        known = select(releases.c.number, releases.c.before).where(releases.c.tenant == name)
        before: dict[int, int | None] = {row.number: row.before for row in self.connection.execute(known)}
        if now is not None and (number := before[now]) is not None and number in before:
            return number
        older = [number for number in before if now is not None and number < now]
        if not older:
            raise NotFound(
                f"tenant `{name}` has no release before its current one; see dayfly releases {name}", field="release"
            )
        return max(older)

    def expect(self, name: str, revision: int | None) -> int | None:
        """Return the tenant's revision, None if there is no such tenant. Raises Conflict if it is not the given one.

        0 is the revision of a tenant that is not there.
        """
        found = self.connection.execute(_REVISION, {"tenant_name": name}).scalar()
        if revision is not None and revision != (found or 0):
            state = "is not there any more" if found is None else f"is at revision {found}"
            raise Conflict(
                f"tenant `{name}` {state}, and the change was made for revision {revision}; look at it and try again",
                found,
            )
        return None if found is None else int(found)

    def require(self, name: str, revision: int | None) -> None:
        """Likewise, and raise NotFound if there is no such tenant."""
        if self.expect(name, revision) is None:
            raise no_tenant(name)

    def enter(self, name: str, revision: int | None = None) -> None:
        """Make sure that the tenant is there, at the given revision if there is one. Raises Conflict."""
        if self.expect(name, revision) is None:
            self.connection.execute(_ENTER, {"tenant_name": name})

    def add(self, making: Making, replaced: int | None, *, by: Actor, why: str, at: datetime) -> int:
        """Add a release to those of a tenant, unless it has it already; return its number.

        `replaced`: number of the one that is current now.
        """
        name, config = making.tenant.name, canonical(making.tenant.model_dump()).decode("ascii").rstrip("\n")
        same = {"tenant_name": name, "release": making.digest, "said": config}
        known = self.connection.execute(_KNOWN, same).scalar()
        number = known or self._next_number(name)
        values = {"origin": making.origin, **({} if replaced in {None, number} else {"before": replaced})}
        if known:
            row = (releases.c.tenant == name) & (releases.c.number == known)
            self.connection.execute(update(releases).where(row).values(values))
            return int(known)
        row = {"tenant": name, "number": number, "digest": making.digest, "parent": making.parent, "config": config}
        made = {"made_at": stamp(at), "made_by": by.name, "why": why}
        self.connection.execute(_ADD, {"before": None} | row | made | values)
        return number

    def _next_number(self, name: str) -> int:
        return int(self.connection.execute(_NEXT_NUMBER, {"tenant_name": name}).scalar_one())

    def serve(self, name: str, role: Role, number: int, share: float = 1) -> None:
        """Have a release serve; a new current one ends the canary."""
        self._end(name, "canary", role)
        self.connection.execute(_SERVE, {"tenant": name, "role": role, "number": number, "share": share})

    def end_canary(self, name: str) -> None:
        """Have only the current release serve."""
        self._end(name, "canary")

    def _end(self, name: str, *roles: Role) -> None:
        self.connection.execute(_END, {"tenant_name": name, "roles": roles})

    def check_routes(self, tenant: Tenant) -> None:
        """Raise RouteTaken if another tenant has one of the tenant's hosts or paths."""
        self._owned(tenant.name, {*tenant.hosts, *tenant.paths})

    def claim(self, name: str, *serving_tenants: Tenant) -> None:
        """Give a tenant the hosts and paths of what serves for it, and no others. Raises RouteTaken."""
        wanted = {route for tenant in serving_tenants for route in (*tenant.hosts, *tenant.paths)}
        mine = self._owned(name, wanted)
        if gone := mine - wanted:
            self.connection.execute(delete(routes).where(routes.c.route.in_(sorted(gone))))
        if new := sorted(wanted - mine):
            self.connection.execute(insert(routes), [{"route": route, "tenant": name} for route in new])

    def _owned(self, name: str, wanted: set[str]) -> set[str]:
        """Return the routes of a tenant. Raises RouteTaken if a wanted one belongs to another."""
        asked = {"tenant_name": name, "wanted": sorted(wanted)}
        owners = {row.route: row.tenant for row in self.connection.execute(_OWNERS, asked)}
        for route, owner in owners.items():
            if owner != name:
                raise RouteTaken(
                    f"tenant `{name}`: `{route}` belongs to tenant `{owner}`; choose another one, "
                    f"or take that tenant away: dayfly rm {owner}",
                    field="paths" if route.startswith("/") else "hosts",
                )
        return set(owners)

    def changed(self, change: Change, at: datetime) -> int:
        """Note a change; return the revision that the tenant has from now on."""
        number = audit.append(self.connection, change, at)
        self.connection.execute(_CHANGED, {"tenant_name": change.tenant, "number": number})
        return number

    def remove(self, name: str) -> None:
        """Forget a tenant and all that it has; the audit table remembers."""
        for table in (serving, releases, routes, secrets):
            self.connection.execute(delete(table).where(table.c.tenant == name))
        self.connection.execute(delete(tenants).where(tenants.c.name == name))

    def withdraw(self, name: str) -> None:
        """Have nothing serve for a tenant."""
        for table in (serving, routes):
            self.connection.execute(delete(table).where(table.c.tenant == name))

    def drop(self, name: str, numbers: Iterable[int]) -> dict[str, str | None]:
        """Forget releases that do not serve; return their digests, each with its parent's."""
        dropped: dict[str, str | None] = {}
        for number in numbers:
            row = {"tenant_name": name, "release_number": number}
            dropped |= {gone.digest: gone.parent for gone in self.connection.execute(_FORGET, row)}
        return dropped

    def superseded(self, name: str | None = None) -> dict[str, list[int]]:
        """Return the numbers of the releases that do not serve, oldest first, by tenant."""
        query = _SUPERSEDED if name is None else _SUPERSEDED_OF
        found: dict[str, list[int]] = {}
        for row in self.connection.execute(query, {} if name is None else {"tenant_name": name}):
            found.setdefault(row.tenant, []).append(row.number)
        return found

    def use_of(self, digest: str) -> Use:
        """Tell whether a release serves for anybody, or is kept; not whether it is a parent."""
        query = select(serving.c.role).select_from(releases.outerjoin(serving, _SERVES))
        found = self.connection.execute(query.where(releases.c.digest == digest)).scalars().all()
        return Use.NONE if not found else Use.SERVES if any(found) else Use.KEPT

    def serving_digests(self) -> list[str]:
        """Return the digests of all releases that serve."""
        query = select(releases.c.digest).select_from(releases.join(serving, _SERVES)).distinct()
        return list(self.connection.execute(query).scalars())

    def parents(self) -> list[str]:
        """Return the digests that some release names as its parent."""
        query = select(releases.c.parent).where(releases.c.parent.is_not(None)).distinct()
        return [str(parent) for parent in self.connection.execute(query).scalars()]

    def digests(self, *, name: str | None = None) -> dict[str, str | None]:
        """Return the digests of releases, each with its parent's."""
        query = select(releases.c.digest, releases.c.parent).distinct()
        if name is not None:
            query = query.where(releases.c.tenant == name)
        return {row.digest: row.parent for row in self.connection.execute(query)}


def no_tenant(name: str) -> NotFound:
    """Say that there is no such tenant."""
    return NotFound(f"there is no tenant `{name}`; see dayfly ls", field="tenant")
