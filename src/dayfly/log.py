"""Two logs: the operator's on standard error, and one for each tenant in the data directory."""

import json
import logging
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from dayfly.core import Core, LogRecord

LOG_BYTES_MAX = 10 << 20
"""A tenant's log file is set aside at this size; one older file is kept."""

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


class TenantLogs:
    """Writes what programs log: as JSON lines into the tenant's file, and readable into the operator's log."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, RotatingFileHandler] = {}

    def write(self, record: LogRecord) -> None:
        """Write one line. Control characters of the program never reach the operator's terminal."""
        entry = {
            "time": round(record.time_s, 3),
            "level": LEVELS[record.level],
            "release": record.release[:12],
            "request": record.request_id,
            "text": record.text,
        }
        self._file(record.tenant).handle(logging.makeLogRecord({"msg": json.dumps(entry)}))
        logger.info("%s %s: %s", record.tenant, LEVELS[record.level], printable(record.text))

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

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()

    def _file(self, tenant: str) -> RotatingFileHandler:
        if tenant not in self._files:
            path = self._directory / f"{tenant}.log"
            self._files[tenant] = RotatingFileHandler(
                path, maxBytes=LOG_BYTES_MAX, backupCount=1, encoding="utf-8", delay=True
            )
        return self._files[tenant]


def printable(text: str) -> str:
    """Replace what a terminal would obey instead of showing."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def cpu_time(nanoseconds: int) -> str:
    """Write a time with the unit that suits it."""
    milliseconds = nanoseconds / 1e6
    return f"{milliseconds:.1f} ms" if milliseconds >= 1 else f"{nanoseconds / 1e3:.0f} µs"
