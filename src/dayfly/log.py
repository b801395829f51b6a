"""Two logs: the operator's on standard error, and one for each tenant in the data directory."""

import json
import logging
import os
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

from dayfly.core import Core, LogRecord

LOG_BYTES_MAX = 10 << 20
"""A tenant's log file is set aside at this size; one older file is kept."""

WAITING_LINES_MAX = 1_000
"""Lines that wait for one reader; a slower one misses the oldest."""

FILES_MAX = 64
"""Files of tenants that are open at a time; the one that was written longest ago is closed."""

TAIL_BYTES_MAX = 1 << 20
"""How far back the end of a log is looked for."""

LEVELS = ("debug", "info", "warning", "error", "critical")
"""Names of the levels of a program's log lines."""

logger = logging.getLogger("dayfly")
"""The operator's log."""


class Harmless(logging.Formatter):
    """Replaces what a terminal would obey: programs and packages have a say in many messages."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one line, whatever is in it."""
        return printable(super().format(record))


def to_standard_error() -> None:
    """Write the operator's log to standard error, one line a record, with the time in UTC."""
    formatter = Harmless("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


@dataclass(frozen=True)
class LogLine:
    """One line of a tenant's log, as its file has it."""

    time: float
    """Seconds since 1970."""
    tenant: str
    level: str
    """One of `LEVELS`."""
    release: str
    """The first digits of its digest."""
    request: str
    """What the error answer called the request; `init`: the line is from the program's start."""
    text: str

    @classmethod
    def of(cls, record: LogRecord) -> "LogLine":
        """Write a record as a line."""
        time_s, level = round(record.time_s, 3), LEVELS[record.level]
        return cls(time_s, record.tenant, level, record.release[:12], record.request_id, record.text)

    @property
    def entry(self) -> dict[str, object]:
        """What stands in the file of its tenant."""
        return {key: value for key, value in vars(self).items() if key != "tenant"}


class Subscription:
    """Log lines as they come, for one reader. It never makes a writer wait: a slow reader misses the oldest lines."""

    def __init__(self, tenant: str | None, wake: Callable[[], None]) -> None:
        """`tenant`: whose lines; None: everybody's. Any thread calls `wake` when there is something to take."""
        self._tenant = tenant
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: deque[LogLine] = deque(maxlen=WAITING_LINES_MAX)
        self._missed = 0
        self.is_closed = False

    def put(self, line: LogLine) -> None:
        """Hand over one line, if it is wanted."""
        if self._tenant in {None, line.tenant}:
            with self._lock:
                self._missed += len(self._waiting) == WAITING_LINES_MAX
                self._waiting.append(line)
            self._wake()

    def take(self) -> tuple[list[LogLine], int]:
        """Take the lines that wait, and how many were missed before them."""
        with self._lock:
            taken = list(self._waiting), self._missed
            self._waiting.clear()
            self._missed = 0
        return taken

    def close(self) -> None:
        """Say that nothing comes any more."""
        self.is_closed = True
        self._wake()


class TenantLogs:
    """Writes what programs log: as JSON lines into the tenant's file, and readable into the operator's log."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._files: OrderedDict[str, RotatingFileHandler] = OrderedDict()
        """The one written last comes last."""
        self._subscriptions: list[Subscription] = []

    def write(self, record: LogRecord) -> None:
        """Write one line. Control characters of the program never reach the operator's terminal."""
        line = LogLine.of(record)
        with self._writing:
            self._file(line.tenant).handle(logging.makeLogRecord({"msg": json.dumps(line.entry)}))
        logger.info("%s %s: %s", line.tenant, line.level, printable(line.text))
        with self._lock:
            readers = list(self._subscriptions)
        for reader in readers:
            reader.put(line)

    def take(self, core: Core) -> bool:
        """Write what waits in a core; tell whether there was anything."""
        records = core.logs()
        for record in records:
            self.write(record)
        return bool(records)

    def write_init(self, tenant: str, release: str, lines: tuple[tuple[int, str], ...]) -> None:
        """Write what a program logged while it was frozen."""
        for level, text in lines:
            self.write(LogRecord(time.time(), tenant, release, "init", level, text))

    def tail(self, tenant: str, lines: int) -> list[LogLine]:
        """Return the last lines of a tenant's log, the oldest first; what is no line of ours is left out."""
        try:
            with (self._directory / f"{tenant}.log").open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - TAIL_BYTES_MAX))
                found = file.read(TAIL_BYTES_MAX).split(b"\n")
        except FileNotFoundError:
            return []
        # The first piece is half a line unless the file was read whole; the last one is what follows the last line end.
        whole = found[:-1] if size <= TAIL_BYTES_MAX else found[1:-1]
        parsed = [_line_of(tenant, octets) for octets in whole[-lines:]] if lines else []
        return [line for line in parsed if line]

    def subscribe(self, tenant: str | None, wake: Callable[[], None]) -> Subscription:
        """Have the lines of a tenant, or of all, from now on, until `unsubscribe`."""
        subscription = Subscription(tenant, wake)
        with self._lock:
            self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Have no more of them."""
        with self._lock:
            self._subscriptions.remove(subscription)

    @property
    def readers(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscriptions)

    def hang_up(self) -> None:
        """Close all subscriptions, so that who waits for lines goes away."""
        with self._lock:
            readers = list(self._subscriptions)
        for reader in readers:
            reader.close()

    def close(self) -> None:
        """Close all files and subscriptions."""
        self.hang_up()
        with self._writing:
            while self._files:
                self._files.popitem()[1].close()

    def _file(self, tenant: str) -> RotatingFileHandler:
        if tenant not in self._files:
            if len(self._files) == FILES_MAX:
                self._files.popitem(last=False)[1].close()
            path = self._directory / f"{tenant}.log"
            self._files[tenant] = RotatingFileHandler(
                path, maxBytes=LOG_BYTES_MAX, backupCount=1, encoding="utf-8", delay=True
            )
        self._files.move_to_end(tenant)
        return self._files[tenant]


def _line_of(tenant: str, octets: bytes) -> LogLine | None:
    try:
        return LogLine(tenant=tenant, **json.loads(octets))
    except (ValueError, TypeError):
        return None


def printable(text: str) -> str:
    """Replace what a terminal would obey instead of showing."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def cpu_time(nanoseconds: int) -> str:
    """Write a time with the unit that suits it."""
    milliseconds = nanoseconds / 1e6
    return f"{milliseconds:.1f} ms" if milliseconds >= 1 else f"{nanoseconds / 1e3:.0f} µs"
