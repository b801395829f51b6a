"""`print` and `logging` go to the tenant's log: one record a line, with its level."""

import io
import logging
import sys
from typing import Any

from . import host

DEBUG, INFO, WARNING, ERROR, CRITICAL = range(5)
"""Levels of the host's log."""


LINE_CHARS_MAX = 1 << 16
"""Of a line that does not end: what is longer becomes several records, so that memory does not fill with it."""


class Stream(io.TextIOBase):
    """Standard output or error: each line is one record. What has no line end yet is written when the request ends."""

    def __init__(self, level: int, descriptor: int, name: str) -> None:
        self.level = level
        self.name = name
        self._descriptor = descriptor
        self._begun: list[str] = []
        """Pieces of the line that has no end yet: joined once, however many they are."""
        self._begun_chars = 0
        self._writer: Writer | None = None

    encoding = "utf-8"
    errors = "backslashreplace"
    mode = "w"
    line_buffering = True

    def writable(self) -> bool:  # noqa: D102 - from here on as io says
        return True

    def fileno(self) -> int:  # noqa: D102
        return self._descriptor

    def isatty(self) -> bool:  # noqa: D102
        return False

    def write(self, text: str) -> int:  # noqa: D102
        if type(text) is not str and not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if "\n" not in text:
            if text:
                self._begin(text)
            return len(text)
        if self._begun:
            self._begun.append(text)
            *lines, rest = self._take().split("\n")
        else:
            *lines, rest = text.split("\n")
        for line in lines:
            host.calls.log(self.level, line)
        if rest:
            self._begin(rest)
        return len(text)

    def _begin(self, piece: str) -> None:
        """Keep a piece of a line; the host calls one function when the request ends, so that it is one for all."""
        if not self._begun:
            host.calls.later(end)
        self._begun.append(piece)
        self._begun_chars += len(piece)
        if self._begun_chars >= LINE_CHARS_MAX:
            self.end()

    def _take(self) -> str:
        begun = "".join(self._begun)
        self._begun.clear()
        self._begun_chars = 0
        return begun

    def flush(self) -> None:
        """Do nothing: a line is written when it ends, so that flushing after each part does not cut it up."""

    def end(self) -> None:
        """Write what has no line end."""
        if self._begun:
            host.calls.log(self.level, self._take())

    def record(self, level: int, text: str) -> None:
        """Write the lines of a text at another level."""
        self.end()
        for line in text.split("\n"):
            host.calls.log(level, line)

    @property
    def buffer(self) -> "Writer":
        """The stream for octets."""
        if self._writer is None:
            self._writer = Writer(self)
        return self._writer

    def reconfigure(self, **_options: Any) -> None:
        """Keep everything as it is."""


class Writer(io.RawIOBase):
    """The octets beneath a stream: `sys.stdout.buffer`."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def writable(self) -> bool:  # noqa: D102 - as io says
        return True

    def fileno(self) -> int:  # noqa: D102
        return self._stream.fileno()

    def write(self, data: Any) -> int:  # noqa: D102
        octets = bytes(data)
        self._stream.write(octets.decode("utf-8", "backslashreplace"))
        return len(octets)


def level_of(number: int) -> int:
    """Return the host's level for one of `logging`."""
    return min(max(number // 10 - 1, DEBUG), CRITICAL)


class LastResort(logging.Handler):
    """Where records go that no handler of the program takes: to the log, from WARNING on, as Python has it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write it."""
        try:
            text = self.format(record)
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - logging never raises into the program
            self.handleError(record)
            return
        stderr.record(level_of(record.levelno), text)


_emit = logging.StreamHandler.emit


def emit(handler: "logging.StreamHandler[Any]", record: logging.LogRecord) -> None:
    """Write a record with its own level where the stream is the log, and as ever elsewhere."""
    stream = handler.stream
    if type(stream) is not Stream:
        _emit(handler, record)
        return
    try:
        stream.record(level_of(record.levelno), handler.format(record))
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001 - logging never raises into the program
        handler.handleError(record)


stdout = Stream(INFO, 1, "<stdout>")
stderr = Stream(ERROR, 2, "<stderr>")


def end() -> None:
    """Write the lines of both that have no end."""
    stdout.end()
    stderr.end()


def write_standard(descriptor: int, data: bytes) -> int:
    """Write to one of the standard descriptors, as `os.write` does."""
    (stdout if descriptor == 1 else stderr).write(data.decode("utf-8", "backslashreplace"))
    return len(data)


def install() -> None:
    """Make these the standard streams and the way of `logging`."""
    system: Any = sys
    system.stdout = system.__stdout__ = stdout
    system.stderr = system.__stderr__ = stderr
    system.stdin = system.__stdin__ = io.TextIOWrapper(io.BytesIO(), "utf-8")
    logs: Any = logging
    logs.lastResort = LastResort(logging.WARNING)
    logs.StreamHandler.emit = emit
