"""Who changed what, when and why: a table that only grows, each entry holding the digest of the one before it.

Whoever changes or removes an entry has to write every later one again; who has noted a number with its digest elsewhere
sees it. An entry's number is the tenant's revision after the change.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from dayfly.errors import RegistryError
from dayfly.registry.schema import audit
from dayfly.registry.values import Actor, stamp, words
from dayfly.release import canonical, sha256

_FIRST = "0" * 64
"""What stands for the digest before the first entry."""

_LAST = select(audit.c.number, audit.c.digest).order_by(audit.c.number.desc()).limit(1)
_APPEND = insert(audit)

_DIGESTED = ("number", "at", "by", "what", "tenant", "release", "why", "details", "previous")


@dataclass(frozen=True)
class Change:
    """What is about to be noted."""

    what: str
    by: Actor
    why: str = ""
    tenant: str | None = None
    release: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """One entry."""

    number: int
    """Also the tenant's revision from then on."""
    at: datetime
    by: str
    what: str
    """One of `deploy activate canary promote abort withdraw remove secret override token revoke key import`."""
    tenant: str | None
    release: str | None
    """Digest of the release that it is about."""
    why: str
    details: Mapping[str, Any]
    digest: str
    """Over all of this and the digest before it."""


def append(connection: Connection, change: Change, at: datetime) -> int:
    """Add an entry; return its number. Nobody else may write meanwhile."""
    last = connection.execute(_LAST).first()
    number, previous = (last.number + 1, last.digest) if last else (1, _FIRST)
    row: dict[str, Any] = {
        "number": number,
        "at": stamp(at),
        "by": words("by", change.by.name),
        "what": change.what,
        "tenant": change.tenant,
        "release": change.release,
        "why": words("why", change.why),
        "details": canonical(dict(change.details)).decode("ascii").rstrip("\n"),
        "previous": previous,
    }
    connection.execute(_APPEND, {**row, "digest": _digest(row)})
    return number


def history(connection: Connection, tenant: str | None, limit: int, before: int | None) -> list[Event]:
    """Return the newest entries, newest first: those of a tenant, or all; `before`: only those with lower numbers."""
    query = select(audit).order_by(audit.c.number.desc()).limit(limit)
    if tenant is not None:
        query = query.where(audit.c.tenant == tenant)
    if before is not None:
        query = query.where(audit.c.number < before)
    return [_event(row) for row in connection.execute(query).mappings()]


def verify(connection: Connection) -> tuple[int, str]:
    """Compute every digest again; return number and digest of the last entry, to be noted elsewhere.

    Raises RegistryError, which names the first entry that is not as it was written.
    """
    expected, previous = 1, _FIRST
    for row in _all(connection):
        if row["number"] != expected or row["previous"] != previous or row["digest"] != _digest(row):
            raise RegistryError(
                f"entry {expected} of the audit table was changed or removed after it was written; "
                "compare it with a backup, and find out who could"
            )
        expected, previous = expected + 1, str(row["digest"])
    return expected - 1, previous


def _all(connection: Connection) -> Iterator[RowMapping]:
    rows = connection.execution_options(yield_per=1_000).execute(select(audit).order_by(audit.c.number))
    yield from rows.mappings()


def _digest(row: Mapping[str, Any] | RowMapping) -> str:
    return sha256(canonical([row[name] for name in _DIGESTED]))


def _event(row: RowMapping) -> Event:
    fields = {name: row[name] for name in ("number", "by", "what", "tenant", "release", "why", "digest")}
    return Event(at=datetime.fromisoformat(row["at"]), details=json.loads(row["details"]), **fields)
