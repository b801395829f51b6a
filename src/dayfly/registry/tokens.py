"""Tokens of the admin API: a prefix that scanners know, 256 random bits, and a checksum that finds typing errors.

Only the SHA-256 of a token is kept. A token of 256 random bits needs no slow hash, and cannot be guessed by how long
the search for its digest takes.
"""

import hmac
import re
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from dayfly.config import NAME
from dayfly.errors import BadToken, NotFound
from dayfly.registry.schema import tokens
from dayfly.registry.values import Actor, stamp, words
from dayfly.release import sha256

PREFIX = "dayfly_"
ADMIN = "admin"
READ = "read"
DEPLOY = "deploy:"

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY_DIGITS = 43
"""62⁴³ > 2²⁵⁶."""
_CHECK_DIGITS = 6
"""62⁶ > 2³²."""
_LENGTH = len(PREFIX) + _BODY_DIGITS + _CHECK_DIGITS
_SECONDS_MAX = 10 * 366 * 86_400


@dataclass(frozen=True)
class Grant:
    """What the bearer of an accepted token may do."""

    token: str
    """Its name, not the token."""
    scopes: tuple[str, ...]

    @property
    def actor(self) -> Actor:
        """Who it is in the audit table."""
        return Actor(f"token:{self.token}")

    def allows(self, scope: str) -> bool:
        """Tell whether something that needs a scope may be done; `admin` may do everything."""
        return ADMIN in self.scopes or scope in self.scopes


@dataclass(frozen=True)
class TokenRow:
    """What is known of a token that was issued."""

    id: str
    scopes: tuple[str, ...]
    note: str
    made_at: datetime
    made_by: str
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_valid(self, at: datetime) -> bool:
        """Tell whether it was accepted at a time, if shown."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


def issue(
    connection: Connection, scopes: Iterable[str], *, by: Actor, note: str, at: datetime, expires_s: float | None
) -> tuple[TokenRow, str]:
    """Make a token; return it once, with what is kept of it. Raises BadToken."""
    allowed = tuple(sorted(set(scopes)))
    if not allowed or not all(re.fullmatch(rf"{ADMIN}|{READ}|{DEPLOY}{NAME}", scope) for scope in allowed):
        raise BadToken(
            f"a token's scopes cannot be {list(allowed)!r}; allowed: admin, read, deploy:TENANT", field="scopes"
        )
    if expires_s is not None and not 0 < expires_s <= _SECONDS_MAX:
        raise BadToken(
            f"a token cannot expire in {expires_s} s; allowed: more than 0, ten years at most, or never",
            field="expires_s",
        )
    text = _text(secrets.randbits(256))
    expires = None if expires_s is None else stamp(at + timedelta(seconds=expires_s))
    row = {
        "id": secrets.token_hex(4),
        "digest": sha256(text.encode()),
        "scopes": " ".join(allowed),
        "note": words("note", note),
        "made_at": stamp(at),
        "made_by": by.name,
        "expires_at": expires,
        "revoked_at": None,
    }
    connection.execute(insert(tokens), [row])
    return _row(row), text


def grant(connection: Connection, text: str, at: datetime) -> Grant | None:
    """Return what a token allows; None for one that is unknown, expired or revoked. Ask `is_token` first."""
    digest = sha256(text.encode())
    found = connection.execute(select(tokens).where(tokens.c.digest == digest)).mappings().first()
    # The digest of what was shown is no secret of ours; compared in constant time all the same.
    if found is None or not hmac.compare_digest(str(found["digest"]), digest):
        return None
    row = _row(found)
    return Grant(row.id, row.scopes) if row.is_valid(at) else None


def is_token(text: str) -> bool:
    """Tell whether a text has the form of a token and the right checksum; asks nobody, whatever its size."""
    if len(text) != _LENGTH or not text.isascii() or not text.startswith(PREFIX):
        return False
    return hmac.compare_digest(text[-_CHECK_DIGITS:], _check(text[:-_CHECK_DIGITS]))


def issued(connection: Connection) -> list[TokenRow]:
    """Return all tokens, oldest first, those that are not valid any more among them."""
    return [_row(row) for row in connection.execute(select(tokens).order_by(tokens.c.made_at, tokens.c.id)).mappings()]


def revoke(connection: Connection, name: str, at: datetime) -> TokenRow:
    """Have a token accepted nowhere from now on. Raises NotFound; revoking again changes nothing."""
    found = connection.execute(select(tokens).where(tokens.c.id == name)).mappings().first()
    if found is None:
        raise NotFound(f"there is no token `{name}`; see dayfly token list", field="token_id")
    if found["revoked_at"] is None:
        connection.execute(update(tokens).where(tokens.c.id == name).values(revoked_at=stamp(at)))
    return _row(found)


def withdraw(connection: Connection, tenant: str, at: datetime) -> None:
    """Take the right to deploy a tenant from every token: whoever has its name next is somebody else."""
    scope = f"{DEPLOY}{tenant}"
    # A blank at both ends finds whole scopes only.
    padded = " " + tokens.c.scopes + " "
    for row in connection.execute(select(tokens).where(padded.contains(f" {scope} "))).mappings().all():
        rest = [known for known in str(row["scopes"]).split() if known != scope]
        values = {"scopes": " ".join(rest)} if rest else {"revoked_at": row["revoked_at"] or stamp(at)}
        connection.execute(update(tokens).where(tokens.c.id == row["id"]).values(values))


def _text(number: int) -> str:
    body = PREFIX + _in_base_62(number, _BODY_DIGITS)
    return body + _check(body)


def _check(body: str) -> str:
    return _in_base_62(zlib.crc32(body.encode()), _CHECK_DIGITS)


def _in_base_62(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text


def _row(row: Any) -> TokenRow:  # noqa: ANN401 - a row of the table, or what becomes one
    expires, revoked = (row[name] and datetime.fromisoformat(row[name]) for name in ("expires_at", "revoked_at"))
    return TokenRow(
        id=row["id"],
        scopes=tuple(row["scopes"].split()),
        note=row["note"],
        made_at=datetime.fromisoformat(row["made_at"]),
        made_by=row["made_by"],
        expires_at=expires or None,
        revoked_at=revoked or None,
    )
