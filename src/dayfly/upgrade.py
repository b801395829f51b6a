"""Replacing a running server by the version of dayfly that is installed now.

`dayfly upgrade` asks with SIGHUP. The server tries whether the installed version runs at all, ends its admin API and
its watch over directories, and becomes that version: same process, same sockets, the data directory locked throughout.
The old worker serves until a new one, which has all that is published and its machine code in the cache, serves on the
same sockets.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from dayfly import __version__, durable
from dayfly.errors import RegistryError, ServerUnreachable
from dayfly.log import logger

TRY_SECONDS = 60
"""How long the installed version may take to say that it runs."""

WAIT_SECONDS = 600.0
"""How long an upgrade may take: a new version may have to make its base, and all releases of named directories."""

LOOK_SECONDS = 0.05

_FILE = "upgrade.json"


@dataclass(frozen=True)
class Attempt:
    """The last upgrade of a server on a data directory."""

    number: int = 0
    failure: str = ""
    version: str = ""
    """The version that serves since then."""

    @classmethod
    def last(cls, directory: Path) -> Self:
        """Return what is recorded; an attempt that nobody can read is none."""
        try:
            return cls(**json.loads((directory / _FILE).read_bytes()))
        except (OSError, ValueError, TypeError):
            return cls()

    @classmethod
    def ended(cls, directory: Path, failure: str = "") -> None:
        """Record how one ended; where that cannot be recorded the server goes on, and who asked waits in vain."""
        attempt = cls(cls.last(directory).number + 1, failure, __version__)
        try:
            durable.write_file(directory / _FILE, json.dumps(asdict(attempt)).encode())
        except OSError as error:
            logger.error("how the upgrade ended cannot be recorded: %s", error)


def on_hangup() -> threading.Event:
    """Note SIGHUP from now on, instead of ending by it."""
    hung_up = threading.Event()
    signal.signal(signal.SIGHUP, lambda _number, _frame: hung_up.set())
    return hung_up


def command() -> list[str]:
    """Return the command line that this process was started with."""
    return [sys.executable, *sys.orig_argv[1:]]


def is_possible(directory: Path) -> bool:
    """Try whether the installed version runs; say so, and record it, if it does not."""
    words = command()[: -len(sys.argv[1:]) or None]
    try:
        done = subprocess.run(
            [*words, "serve", "--help"], capture_output=True, text=True, timeout=TRY_SECONDS, check=False
        )
        failure = (done.stderr.strip().splitlines() or ["it says nothing"])[-1] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        failure = str(error)
    if failure:
        logger.error("no upgrade: the installed version does not run: %s", failure)
        Attempt.ended(directory, failure)
    return not failure


def ask(directory: Path, process: int) -> Attempt:
    """Ask the server on a data directory for an upgrade, and wait for it. Raises ServerUnreachable or RegistryError."""
    before = Attempt.last(directory)
    _send(process, signal.SIGHUP)
    end = time.monotonic() + WAIT_SECONDS
    while (attempt := Attempt.last(directory)).number == before.number:
        if not _send(process, 0):
            raise ServerUnreachable("the server has ended over it; see its log")
        if time.monotonic() > end:
            raise ServerUnreachable(f"the server has not become another version for {WAIT_SECONDS:g} s; see its log")
        time.sleep(LOOK_SECONDS)
    if attempt.failure:
        raise RegistryError(f"the installed version does not run, and the server goes on: {attempt.failure}")
    return attempt


def _send(process: int, number: int) -> bool:
    """Send a signal, or none but try; tell whether the process is there."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise ServerUnreachable(f"process {process} belongs to another user; upgrade as that one") from None
    return True
