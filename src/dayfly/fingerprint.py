"""Whether the files of a tenant directory are what they were: asked of the file system, without reading them."""

import fcntl
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from dayfly.toolchain.source import regular_files

TICK_NS = 50_000_000
"""Two writes within this time may leave the same date: kernels date by a clock that moves every 1 to 10 ms."""


@dataclass(frozen=True)
class Fingerprint:
    """Names of all files of a source, and for each what changes whenever it is written or replaced."""

    files: tuple[tuple[str, int, int, int, int], ...]
    """Name, inode, octets, and the times of the last change of content and of anything, in nanoseconds."""
    certain: bool = field(compare=False)
    """All files had rested when they were looked at. Otherwise they may have changed since, and be dated the same."""

    @classmethod
    def of(cls, directory: Path) -> Self:
        """Look at a directory; a link to one counts as what it leads to now. Raises OSError."""
        looked_at = time.time_ns()
        files, youngest = [], 0
        for path in regular_files(directory):
            facts = path.stat()
            name = path.relative_to(directory).as_posix()
            files.append((name, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns))
            youngest = max(youngest, facts.st_ctime_ns)
        return cls(tuple(sorted(files)), looked_at - youngest > TICK_NS)

    def changed(self, before: "Fingerprint | None") -> list[str]:
        """Return the names of the files that are new or not what they were before."""
        known = set(before.files) if before else set()
        return [entry[0] for entry in self.files if entry not in known]


def being_written(file: Path) -> bool:
    """Tell whether a process has a file open for writing. False where the system does not say: on other people's files.

    It is asked for a lease on the file, which is given if nobody writes, and given back.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # Who opens the file for writing just now waits until the lease is given back, and we are told by this signal:
        # the default one would end the process, this one is ignored by all that do not ask for it.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
