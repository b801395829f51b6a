"""Small values that everything here speaks of: who, when, and words that people gave."""

from dataclasses import dataclass
from datetime import UTC, datetime

from dayfly.errors import ConfigError

WORDS_MAX = 1_000
"""Characters of a reason, a note or a name that somebody gives."""


@dataclass(frozen=True)
class Actor:
    """Who makes a change: `local`, `watch`, `token:ID`."""

    name: str


LOCAL = Actor("local")
"""Whoever may write to the data directory, and has not said more."""


def now() -> datetime:
    """Return the time; tests pass another function."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Write a time so that later ones sort after earlier ones, in either database."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def words(what: str, text: str) -> str:
    """Return text that somebody gave, if both databases can keep it. Raises ConfigError."""
    if len(text) > WORDS_MAX or not text.isprintable():
        raise ConfigError(
            f"`{what}` must be one line of at most {WORDS_MAX} printable characters; shorten it", field=what
        )
    return text
