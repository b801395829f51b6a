"""What the host offers, as the rest of the runtime sees it.

`calls` is the module `_dayfly`, which the C side makes when the base is frozen. Until then, while the base is being
built, and in tests, it is `Alone`, which can do without a host.
"""

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol


class Bundle(Protocol):
    """What is to be loaded, taken bit by bit."""

    def head(self) -> bytes:
        """Return the first line, which it has no longer then."""

    def take(self, size: int, /) -> bytes:
        """Return the last part, which has this size and is no longer there then."""


class Calls(Protocol):
    """The functions of `_dayfly`."""

    def log(self, level: int, text: str, /) -> None:
        """Write one line to the tenant's log."""

    def clock(self, which: int, /) -> int:
        """Return nanoseconds: 0 since 1970, 1 monotonic."""

    def random(self, count: int, /) -> bytes:
        """Draw random octets."""

    def sleep(self, duration_ns: int, /) -> None:
        """Wait."""

    def freezing(self) -> bool:
        """Say whether the snapshot is still to be taken."""

    def secret(self, name: str, /) -> bytes | None:
        """Return a secret of the tenant, or None."""

    def later(self, callback: Callable[[], object], /) -> None:
        """Call once, after the entry has returned and before the reply is made."""


class Alone:
    """Without a host: real time, predictable octets, no log."""

    def log(self, level: int, text: str, /) -> None:
        """Write to the real standard error stream, if there is one."""
        if sys.__stderr__ is not None:
            sys.__stderr__.write(f"{level} {text}\n")

    def clock(self, which: int, /) -> int:
        """Return real time."""
        return time.monotonic_ns() if which else time.time_ns()

    def random(self, count: int, /) -> bytes:
        """Return octets that count up."""
        return bytes(number & 0xFF for number in range(count))

    def sleep(self, duration_ns: int, /) -> None:
        """Do not wait."""

    def freezing(self) -> bool:
        """Say no: building comes before."""
        return False

    def secret(self, name: str, /) -> bytes | None:
        """There are none."""

    def later(self, callback: Callable[[], object], /) -> None:
        """Nothing ends."""


calls: Any = Alone()
