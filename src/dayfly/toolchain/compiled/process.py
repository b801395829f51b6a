"""Commands that read a tenant's source: limited, in a directory of their own, with nothing of our environment."""

import errno
import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dayfly.toolchain.children import ending_with_us

DISK_BYTES_MIN = 1 << 20
"""Where less is free, a command that failed has failed for want of space: none of them needs less."""

DISK_BYTES_ENOUGH = 1 << 30
"""Where more is free, none has. In between it must say so: some take back what they wrote before they end."""

_NO_SPACE = ("No space left on device", "StorageFull", "NoSpaceLeft", "Disk quota exceeded")


@dataclass(frozen=True)
class Allowance:
    """What one command may use; the defaults are those of a build."""

    cpu_s: int = 60
    wall_s: float = 180  # other builds share the cores
    memory_bytes: int = 2 << 30
    file_bytes: int = 256 << 20  # each file that it writes


@dataclass(frozen=True)
class Outcome:
    """How a command ended; `cause` names the limit that ended it, else it is empty."""

    status: int
    output: str
    errors: str
    cause: str = ""


def environment(directory: Path) -> dict[str, str]:
    """Return the whole environment of a command; caches and temporary files stay in its directory."""
    return {
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
        "PYTHONHASHSEED": "0",
        "TMPDIR": str(directory),
        "ZIG_GLOBAL_CACHE_DIR": str(directory / "zig-global"),
        "ZIG_LOCAL_CACHE_DIR": str(directory / "zig-local"),
    }


def run(command: Sequence[str | Path], *, directory: Path, allowance: Allowance, **extra: str) -> Outcome:
    """Run a command to its end, to its limits or to our end; `extra` adds to its environment. Blocks.

    Raises OSError if it failed on a full disk: then it is not the source's fault.
    """
    child = subprocess.Popen(
        ending_with_us(command),
        cwd=directory,
        env=environment(directory) | extra,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    _limit(child.pid, allowance)
    try:
        output, errors = child.communicate(timeout=allowance.wall_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        output, errors = child.communicate()
        return Outcome(child.returncode, output, errors, "wall")
    if child.returncode and _is_full(directory, errors):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(directory))
    return Outcome(child.returncode, output, errors, _cause(child.returncode))


def _limit(pid: int, allowance: Allowance) -> None:
    # Set from outside, right after the start: a hook between fork and exec is unsafe in a process with threads.
    limits = {
        resource.RLIMIT_CPU: allowance.cpu_s,
        resource.RLIMIT_AS: allowance.memory_bytes,
        resource.RLIMIT_FSIZE: allowance.file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    for which, most in limits.items():
        try:
            resource.prlimit(pid, which, (most, most))
        except ProcessLookupError:  # it has ended already
            return


def _is_full(directory: Path, errors: str) -> bool:
    # Words alone would not do: a tenant's source may be quoted among them.
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize
    return free < DISK_BYTES_MIN or (free < DISK_BYTES_ENOUGH and any(words in errors for words in _NO_SPACE))


def _cause(status: int) -> str:
    return {-signal.SIGXCPU: "cpu", -signal.SIGKILL: "cpu", -signal.SIGXFSZ: "size"}.get(status, "")
