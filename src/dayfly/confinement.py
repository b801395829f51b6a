"""What a process of ours gives up for good before it meets a tenant's program.

`confine` is called by the process itself, first of all: it holds for the threads and children that come later. The
profiles, and what each may ask of the kernel, stand in `crates/dayfly-sys/src/confine`.
"""

import json
import os
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from dayfly import _core

Profile = Literal["worker", "freezer", "toolchain", "resolver"]
"""What a process is for: it decides what it may ask of the kernel."""

USERS = range(1_900_000_000, 1_900_001_000)
"""Users that own nothing and that no other software gives out: of those that systemd's table of users calls unused."""

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/local/lib", "/etc/ld.so.cache")
_FACTS = (
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/sys/vm",
    "/sys/devices/system/cpu",
)
_NETWORK = (
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
)


@dataclass(frozen=True)
class Policy:
    """How a process is to be confined; everything that is not named is out of reach."""

    profile: Profile
    read: tuple[str, ...] = ()
    """Files and directories that it may read; those that are not there are passed over."""
    write: tuple[str, ...] = ()
    """Those that it may change."""
    exec: tuple[str, ...] = ()
    """Those that it may read and run."""
    memory_bytes_max: int | None = None
    """Data of each process."""
    cpu_seconds_max: int | None = None
    """Of each process."""
    descriptors_max: int | None = None
    file_bytes_max: int | None = None
    """Each file that it writes."""
    processes_max: int | None = None
    """Processes and threads of its user, whatever they do; the kernel counts those of root as none."""
    user: int | None = None
    """User and group to become; needs the rights of root."""
    parent: int | None = None
    """The process that has started it: when that is gone, it is killed."""
    allow_unconfined: bool = False
    """Go on with what the kernel offers."""


@dataclass(frozen=True)
class Confined:
    """What holds from now on."""

    landlock: int
    """Version of landlock's interface that is in use; 0: none."""
    seccomp: bool
    user: bool
    """Whether it runs as a user of its own."""
    missing: list[str]
    """What was asked for, and this kernel does not do."""


def confine(policy: Policy) -> Confined:
    """Confine this process, which must have one thread. Raises SystemRefused: then it is to end."""
    return Confined(**json.loads(_core.confine(json.dumps(asdict(policy)))))


def readable(*more: Path) -> tuple[str, ...]:
    """Return what our processes read: the interpreter, packages, dayfly, the C library, and facts of the machine."""
    return tuple(dict.fromkeys([*_interpreter(), *_LIBRARIES, *_FACTS, *map(str, more)]))


def reaching_the_network() -> tuple[str, ...]:
    """Return what finding and trusting a host takes."""
    return _NETWORK


def runnable(*programs: Path) -> tuple[str, ...]:
    """Return what has to be named for programs to run: they, the interpreter, and what loads them."""
    loaders = [path for place in ("/lib64", "/lib") for path in Path(place).glob("ld-*.so*")]
    return tuple(str(path.resolve()) for path in (Path(sys.executable), *loaders, *programs))


def user_of_its_own(number: int) -> int | None:
    """Return a user for a process, one for each number; None where we are not root, and cannot give it one."""
    return USERS[number % len(USERS)] if os.geteuid() == 0 else None


def _interpreter() -> Iterable[str]:
    """Give the directories that modules come from, as they are named and as they are."""
    named = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values(), str(Path(__file__).parent)}
    for place in sorted(named - {"/", "/usr", "/usr/local"}):
        yield place
        yield str(Path(place).resolve())
    # A distribution's interpreter stands in /usr, of which the rest is nobody's business.
    yield str(Path(sys.executable).resolve())
