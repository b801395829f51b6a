"""Whether this machine is one that dayfly runs well on: what is looked at, found, and to be done about it."""

import errno
import fcntl
import json
import os
import platform
import resource
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from dayfly import __version__, kernel
from dayfly.bases import Bases
from dayfly.core import CoreOptions, NativeCore
from dayfly.errors import DayflyError
from dayfly.kernel import Missing
from dayfly.toolchain.toolchain import default_cache

Level = Literal["ok", "warn", "fail"]
"""`warn`: dayfly works, but less well; `fail`: something does not work."""

TOOLS = ("componentize-py", "pythran", "ziglang")
"""What the toolchain runs, as packages."""

KERNEL_MIN = (5, 10)
CPU_FEATURES = ("ssse3", "sse4_1", "sse4_2", "popcnt", "avx", "avx2", "bmi1", "bmi2", "fma", "abm")
"""What compiled code is faster with; `abm` holds `lzcnt`."""
DESCRIPTORS_WANTED = 16_384
"""As many as a thread may have connections."""
MAPPINGS_WANTED = 65_530
"""The kernel's default, on which the budgets of the core rest."""
ADDRESS_SPACE_WANTED = 16 << 40
"""What is reserved for sandboxes, and not used."""
DISK_BYTES_WANTED = 2 << 30
DISK_BYTES_MIN = 200 << 20
"""A base in the cache and one in the data directory, with room to write."""
MEMORY_BYTES_WANTED = 1 << 30

_STRICT_OVERCOMMIT = "2"

_CONFINE = """
import dataclasses, json
from dayfly.confinement import Policy, confine, readable
confined = confine(Policy("toolchain", read=readable(), allow_unconfined=True))
print(json.dumps(dataclasses.asdict(confined)))
"""


@dataclass(frozen=True)
class Place:
    """Where a server would stand and listen."""

    data_directory: Path
    host: str = "127.0.0.1"
    port: int = 8080


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it stands, and what to do about it."""

    check: str
    level: Level
    found: str
    cure: str = ""


def examine(place: Place) -> Iterator[Finding]:
    """Look at everything, in an order that explains later findings by earlier ones. Changes nothing but the cache.

    Takes about a second.
    """
    checks: list[Callable[[], Iterator[Finding]]] = [
        _versions,
        _kernel,
        _protection,
        _confinement,
        _limits,
        _processor,
        lambda: _places(place),
        lambda: _address(place),
        _load_generator,
    ]
    for check in checks:
        yield from check()


def _versions() -> Iterator[Finding]:
    yield Finding("dayfly", "ok", f"{__version__}, on Python {platform.python_version()} in {sys.prefix}")
    for tool in TOOLS:
        try:
            yield Finding(tool, "ok", metadata.version(tool))
        except metadata.PackageNotFoundError:
            yield Finding(tool, "fail", "not installed", f"pip install {tool}")


def _kernel() -> Iterator[Finding]:
    system = f"{platform.system()} {platform.release()} on {platform.machine()}"
    parts = platform.release().split(".")
    known = tuple(int(part) for part in parts[:2] if part.isdigit())
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        yield Finding("kernel", "fail", system, "dayfly needs Linux on x86-64")
    elif known < KERNEL_MIN:
        yield Finding("kernel", "fail", system, "dayfly needs Linux 5.10 or later")
    else:
        yield Finding("kernel", "ok", system)
    yield _offer(
        "userfaultfd",
        kernel.write_protection,
        "write protection in user mode",
        "first writes to a page cost about 3 µs more; allow the system call `userfaultfd`, Linux 6.4 or later",
    )
    yield _offer(
        "PAGEMAP_SCAN", kernel.pagemap_scan, "there", "only --paranoid is slower without it; Linux 6.7 or later"
    )
    yield _offer(
        "landlock",
        lambda: f"version {kernel.landlock_version()}",
        "",
        "builds cannot be shut out of the file system; Linux 5.13 or later, with `landlock` among lsm=",
    )
    yield _offer("seccomp", kernel.seccomp_filters, "filters can be set", "processes cannot give up system calls")


def _offer(check: str, ask: Callable[[], str | None], found: str, cure: str) -> Finding:
    try:
        return Finding(check, "ok", ask() or found)
    except Missing as missing:
        return Finding(check, "warn", str(missing), cure)


def _protection() -> Iterator[Finding]:
    """Start the engine, which is what has to work."""
    try:
        with tempfile.TemporaryDirectory() as scratch:
            name = NativeCore(CoreOptions(code_cache=Path(scratch), threads=1, overflow_threads=1)).stats()[
                "protection"
            ]
    except DayflyError as error:
        found, _, cure = str(error).partition("; ")
        yield Finding("protection", "fail", found, cure or "without it nothing runs")
        return
    slow = "" if name == "userfault" else "see userfaultfd above"
    yield Finding("protection", "warn" if slow else "ok", f"`{name}` notices first writes", slow)


def _confinement() -> Iterator[Finding]:
    """Have a process of its own give up what builds give up: it is for good."""
    command = [sys.executable, "-c", _CONFINE]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        last = (done.stderr.splitlines() or ["it ended without a word"])[-1]
        yield Finding("confinement", "fail", last, "see landlock and seccomp above")
        return
    missing = json.loads(done.stdout)["missing"]
    found = f"without {', '.join(missing)}" if missing else "processes can give up files, network and system calls"
    yield Finding("confinement", "warn" if missing else "ok", found, "a newer kernel has it" if missing else "")


def _limits() -> Iterator[Finding]:
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    low = descriptors != resource.RLIM_INFINITY and descriptors < DESCRIPTORS_WANTED
    cure = f"each connection needs one; raise it: LimitNOFILE={DESCRIPTORS_WANTED}, or ulimit -Hn" if low else ""
    yield Finding("descriptors", "warn" if low else "ok", _count(descriptors), cure)

    mappings = int(_setting("vm/max_map_count") or MAPPINGS_WANTED)
    low = mappings < MAPPINGS_WANTED
    cure = f"sysctl vm.max_map_count={MAPPINGS_WANTED}, or busy tenants leave requests without a sandbox"
    yield Finding("max_map_count", "warn" if low else "ok", f"{mappings}", cure if low else "")

    strict = _setting("vm/overcommit_memory") == _STRICT_OVERCOMMIT
    cure = "sandboxes reserve memory that they do not use; sysctl vm.overcommit_memory=0" if strict else ""
    yield Finding("overcommit", "warn" if strict else "ok", "strict" if strict else "as usual", cure)

    space = resource.getrlimit(resource.RLIMIT_AS)[1]
    low = space != resource.RLIM_INFINITY and space < ADDRESS_SPACE_WANTED
    cure = "16 TiB are reserved and not used; ulimit -v unlimited, or there are fewer sandboxes" if low else ""
    yield Finding("address space", "warn" if low else "ok", "limited" if low else "enough", cure)

    available = _memory_bytes()
    low = available < MEMORY_BYTES_WANTED
    yield Finding(
        "memory",
        "warn" if low else "ok",
        f"{_size(available)} available",
        f"builds of tier `compiled` and many tenants want {_size(MEMORY_BYTES_WANTED)}" if low else "",
    )


def _processor() -> Iterator[Finding]:
    flags = _processor_flags()
    missing = [feature for feature in CPU_FEATURES if feature not in flags]
    count = len(os.sched_getaffinity(0))
    found = f"{count} for this process" + (f", without {', '.join(missing)}" if missing else "")
    cure = "programs run slower; a newer or less hidden processor has them" if missing else ""
    yield Finding("processors", "warn" if missing else "ok", found, cure)


def _places(place: Place) -> Iterator[Finding]:
    yield _data_directory(place.data_directory)
    yield _disk("disk of data directory", place.data_directory)
    try:
        cache = default_cache()
    except DayflyError as error:
        found, _, cure = str(error).partition("; ")
        yield Finding("cache", "fail", found, cure)
        return
    yield Finding("cache", "ok", f"{cache}, of its owner only")
    yield _disk("disk of cache", cache)
    base = Bases().known()
    cure = "" if base else "the first deploy makes it, in half a minute; ahead of that: dayfly base build"
    yield Finding("base", "ok" if base else "warn", base.name[:12] if base else "not made yet", cure)


def _data_directory(directory: Path) -> Finding:
    check, other = "data directory", "choose another with --data-dir"
    try:
        facts = directory.stat()
    except FileNotFoundError:
        parent = _existing(directory)
        if os.access(parent, os.W_OK | os.X_OK):
            return Finding(check, "ok", f"{directory} will be made")
        return Finding(check, "fail", f"{directory} cannot be made in {parent}", other)
    except OSError as error:
        return Finding(check, "fail", f"{directory}: {error.strerror}", other)
    for is_wrong, what, cure in (
        (not stat.S_ISDIR(facts.st_mode), "is not a directory", other),
        (facts.st_uid != os.geteuid(), f"belongs to user {facts.st_uid}", "run as that user"),
        (facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH), "may be written to by others", f"chmod go-w {directory}"),
        (not os.access(directory, os.W_OK | os.X_OK), "cannot be written to", "mount it writable, or chmod u+rwx"),
    ):
        if is_wrong:
            return Finding(check, "fail", f"{directory} {what}", cure)
    holder = _holder(directory / "lock")
    return Finding(check, "ok", f"{directory}, in use by process {holder}" if holder else f"{directory}")


def _holder(lock: Path) -> str | None:
    """Return who works on a data directory, without disturbing."""
    try:
        with lock.open("r", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return lock.read_text(encoding="ascii").strip() or "unknown"
    except OSError:
        return None
    return None


def _disk(check: str, directory: Path) -> Finding:
    free = shutil.disk_usage(_existing(directory)).free
    found = f"{_size(free)} free"
    if free < DISK_BYTES_MIN:
        return Finding(check, "fail", found, f"free some: a deploy needs up to {_size(DISK_BYTES_MIN)}")
    if free < DISK_BYTES_WANTED:
        return Finding(check, "warn", found, "free some, or remove what no tenant is on: dayfly prune")
    return Finding(check, "ok", found)


def _address(place: Place) -> Iterator[Finding]:
    address = f"{place.host}:{place.port}"
    try:
        family, kind, protocol, _, sockaddr = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(sockaddr)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            yield Finding(
                "port", "warn", f"{address} is in use", "by a server that runs, or choose another with --port"
            )
        elif error.errno == errno.EACCES:
            cure = "ports below 1024 need a right: AmbientCapabilities=CAP_NET_BIND_SERVICE"
            yield Finding("port", "fail", f"{address} may not be listened on", cure)
        else:
            yield Finding("port", "fail", f"{address}: {error.strerror or error}", "choose another with --host")
        return
    yield Finding("port", "ok", f"{address} is free")


def _load_generator() -> Iterator[Finding]:
    found = shutil.which("wrk")
    cure = "" if found else "only some of `dayfly bench` needs it: apt-get install wrk"
    yield Finding("wrk", "ok" if found else "warn", found or "not installed", cure)


def _existing(directory: Path) -> Path:
    """Return a directory, or the nearest above it that exists."""
    return next(place for place in (directory.absolute(), *directory.absolute().parents) if place.exists())


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _processor_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())


def _memory_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return MEMORY_BYTES_WANTED
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable")), MEMORY_BYTES_WANTED)


def _count(limit: int) -> str:
    return "no limit" if limit == resource.RLIM_INFINITY else f"{limit}"


def _size(octets: int) -> str:
    return f"{octets / 2**30:.1f} GiB" if octets >= 1 << 30 else f"{octets / 2**20:.0f} MiB"
