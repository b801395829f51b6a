"""Stands for the native module `_dayfly` where there is no sandbox: a developer's machine, an editor, a test.

It takes as little as the real one takes: what is no `str` there is none here.
"""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from .failure import failure

BODY_PART = 4
FIELD_PART = 3
TOTAL_PART = 5
PAIR = 2
LONG_FORM = 4
STATUSES = range(200, 600)


class ProgramFailed(Exception):
    """What the tenant's log would show beside a 500; its text is the traceback."""


@dataclass
class Frame:
    """A request, in the parts that the host writes for a program."""

    method: str = "GET"
    path: str = "/"
    query: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    client: str = "127.0.0.1"
    scheme: str = "http"
    host: str = "localhost"
    mount: str = ""


@dataclass
class Reply:
    """What the host would send."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes


class Current:
    """What the functions below tell of."""

    frame: Frame | None = None
    is_freezing: bool = False


def _frame() -> Frame:
    if Current.frame is None:
        raise ValueError("there is no request")
    return Current.frame


def part(index: int) -> Any:  # noqa: ANN401 - bytes for the content, else str
    """Part of the request: made anew whenever it is asked for."""
    frame = _frame()
    names = {0: "method", 1: "path", 2: "query", 4: "body", 6: "client", 7: "scheme", 8: "host", 9: "mount"}
    if index not in names:
        raise ValueError("there is no such part")
    return getattr(frame, names[index])


def fields() -> list[tuple[str, str]]:
    """Header fields of the request."""
    return list(_frame().fields)


def body(offset: int, length: int) -> bytes:
    """Content of the request."""
    return _frame().body[offset : offset + length]


def log(level: int, text: str) -> None:
    """One line for the tenant's log: here, standard error."""
    sys.stderr.write(f"{('debug', 'info', 'warning', 'error', 'critical')[level]}: {text}\n")


def clock(which: int) -> int:
    """Nanoseconds: 0 real time, 1 a steady clock."""
    return time.monotonic_ns() if which else time.time_ns()


def sleep(nanoseconds: int) -> None:
    """Wait."""
    if nanoseconds > 0:
        time.sleep(nanoseconds / 1e9)


def freezing() -> bool:
    """Tell whether the snapshot is still to be taken."""
    return Current.is_freezing


def set_freezing(*, is_freezing: bool) -> None:
    """Say so."""
    Current.is_freezing = is_freezing


def call(entry: Callable[..., object], parts: tuple[int, ...], frame: Frame) -> Reply:
    """Do what the host does for a request; a failure is raised."""
    Current.frame = frame
    try:
        return reply(entry(*map(part, parts)))
    except UnicodeEncodeError as error:
        raise ProgramFailed(failure(error)) from error
    finally:
        Current.frame = None


def reply(value: object) -> Reply:
    """Read what an entry returned: one of two forms of a tuple, or a traceback."""
    if type(value) is str:
        raise ProgramFailed(value)
    if type(value) is not tuple or len(value) not in {PAIR, LONG_FORM}:
        raise TypeError("the entry returned neither an answer nor why there is none")
    if len(value) == PAIR:
        value = (200, value[0], None, value[1])
    status, content_type, pairs, content = value
    if type(status) is not int or status not in STATUSES:
        raise ValueError(f"status {status} is not in 200 to 599")
    if content_type is not None:
        pairs = [("Content-Type", content_type), *(pairs or ())]
    check(pairs or ())
    if type(content) is str:
        content = content.encode()
    if type(content) is not bytes:
        raise TypeError("the content is neither str nor bytes")
    return Reply(status, list(pairs or ()), content)


def check(pairs: Iterable[object]) -> None:
    """Raise what the host would raise of fields that are none."""
    for pair in pairs:
        if type(pair) is not tuple or [type(text) for text in pair] != [str, str]:
            raise TypeError("a field is a tuple (name, value) of str")
        for text in pair:
            text.encode("latin-1")
