"""A process that builds or freezes is taken over by its tenant: what it can reach then, item by item.

A program of ours plays it, in the sandbox of each profile: as a user of its own where we are root, and as the server's
own user, where landlock and seccomp must do without the kernel's users.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from dayfly.confinement import Policy, Profile, readable, runnable, user_of_its_own

PROFILES: tuple[Profile, ...] = ("worker", "freezer", "toolchain", "resolver")
BUILDERS: tuple[Profile, ...] = ("freezer", "toolchain")
USERS = ["its_own", "ours"] if os.geteuid() == 0 else ["ours"]

_BEGIN = """
import ctypes, errno, fcntl, json, mmap, os, resource, signal, socket, subprocess, sys, threading, time
from pathlib import Path
from dayfly.confinement import Policy, confine
place = json.loads(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
confine(Policy(**json.loads(sys.argv[1])))

def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
"""

READS = {
    "key_file": "{data}/key",
    "data_directory": "{data}",
    "registry": "{data}/registry.db",
    "other_build": "{other}/source.tar",
    "home": "{home}",
    "passwords": "/etc/shadow",
    "users": "/etc/passwd",
    "root_directory": "/",
    "kernel_log": "/dev/kmsg",
    "physical_memory": "/dev/mem",
    "kernel_memory": "/proc/kcore",
    "terminal": "/dev/tty",
    "shared_memory": "/dev/shm",
    "processes": "/proc",
    "supervisor_memory": "/proc/{supervisor}/mem",
    "supervisor_maps": "/proc/{supervisor}/maps",
    "supervisor_environment": "/proc/{supervisor}/environ",
    "supervisor_command": "/proc/{supervisor}/cmdline",
    "supervisor_descriptors": "/proc/{supervisor}/fd",
    "supervisor_key_descriptor": "/proc/{supervisor}/fd/{key_descriptor}",
    "supervisor_root": "/proc/{supervisor}/root",
    "supervisor_directory": "/proc/{supervisor}/cwd",
}
"""What may not be opened."""

WRITES = {
    "data_directory": "{data}/new",
    "registry": "{data}/registry.db",
    "other_build": "{other}/source.tar",
    "temporary_files": "/tmp/dayfly-hostile",
    "shared_memory": "/dev/shm/dayfly-hostile",
    "home": "{home}/.profile",
    "interpreter": "{package}/confinement.py",
    "supervisor_memory": "/proc/{supervisor}/mem",
    "supervisor_oom_score": "/proc/{supervisor}/oom_score_adj",
    "kernel_settings": "/proc/sys/kernel/core_pattern",
    "cgroup": "/sys/fs/cgroup/cgroup.procs",
}
"""What may not be written."""

CALLS = {
    "ptrace": "call(101, 16, place['supervisor'], 0, 0)",
    "process_vm_readv": "call(310, place['supervisor'], 0, 0, 0, 0, 0)",
    "process_vm_writev": "call(311, place['supervisor'], 0, 0, 0, 0, 0)",
    "process_madvise": "call(440, 0, 0, 0, 0, 0)",
    "pidfd_open": "call(434, place['supervisor'], 0)",
    "pidfd_getfd": "call(438, 0, 0, 0)",
    "kcmp": "call(312, place['supervisor'], os.getpid(), 0, 0, 0)",
    "signal": "os.kill(place['supervisor'], 0)",
    "signal_to_a_thread": "call(234, place['supervisor'], place['supervisor'], 0)",
    "signal_by_thread_number": "call(200, place['supervisor'], 0)",
    "queued_signal": "call(129, place['supervisor'], 0, 0)",
    "signal_by_descriptor": "fcntl.fcntl(0, fcntl.F_SETOWN, place['supervisor'])",
    "limits_of_the_supervisor": "call(302, place['supervisor'], 7, 0, 0)",
    "priority_of_the_supervisor": "os.setpriority(os.PRIO_PROCESS, place['supervisor'], 19)",
    "priority_of_its_group": "os.setpriority(os.PRIO_PGRP, 0, 19)",
    "priority_of_its_user": "os.setpriority(os.PRIO_USER, 0, 19)",
    "processors_of_the_supervisor": "os.sched_setaffinity(place['supervisor'], {0})",
    "memory_of_the_supervisor_moved": "call(256, place['supervisor'], 0, 0, 0)",
    "mount": "call(165, 0, 0, 0, 0, 0)",
    "new_mount": "call(430, 0, 0)",
    "chroot": "os.chroot('/')",
    "pivot_root": "call(155, 0, 0)",
    "unshare": "call(272, 0x10000000)",
    "setns": "call(308, 0, 0)",
    "keyctl": "call(250, 0, 0, 0, 0, 0)",
    "bpf": "call(321, 0, 0, 0)",
    "perf": "call(298, 0, 0, -1, -1, 0)",
    "io_uring": "call(425, 1, 0)",
    "kernel_module": "call(313, 0, 0, 0)",
    "kexec": "call(246, 0, 0, 0, 0)",
    "reboot": "call(169, 0, 0, 0, 0)",
    "clock": "call(227, 0, 0)",
    "host_name": "socket.sethostname('x')",
    "handles_of_files": "call(304, 0, 0, 0)",
    "device": "os.mknod(place['own'] + '/device', 0o20666, os.makedev(1, 1))",
    "personality": "call(135, 0x40000)",
    "kernel_faults": "call(323, 0)",
    "other_user": "os.setresuid(0, 0, 0)",
    "owner": "os.chown(place['own'], 0, 0)",
    "unix_socket": "socket.socket(socket.AF_UNIX)",
    "pair_of_sockets": "socket.socketpair()",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "raw_socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "virtual_machine_socket": "socket.socket(socket.AF_VSOCK)",
}
"""What may not be asked of the kernel; numbers as in its table for x86-64."""

NETWORK = {
    "connection": "socket.socket().connect(('127.0.0.1', place['port']))",
    "datagram": "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
    "admin_socket": "socket.socket(socket.AF_UNIX).connect(place['data'] + '/admin.sock')",
}

LOCK = {"lock": "fcntl.flock(2, fcntl.LOCK_UN)"}
"""A worker shares that of the data directory."""

_TRY = """
def attempt(what):
    try:
        what()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "done"

def read(path):
    if os.path.isdir(path):
        return os.listdir(path)
    with open(path, "rb") as file:
        return file.read(1)

answers = {"reads " + name: attempt(lambda: read(path)) for name, path in place["reads"].items()}
answers |= {"writes " + name: attempt(lambda: open(path, "ab").close()) for name, path in place["writes"].items()}
answers |= {name: attempt(lambda: eval(code)) for name, code in place["calls"].items()}
answers["own file"] = attempt(lambda: open(place["own"] + "/file", "w").close())
answers["exec"] = attempt(lambda: os.execv("/bin/true", ["true"]))
answers["fork"] = attempt(lambda: os._exit(0) if os.fork() == 0 else os.wait())
print(json.dumps(answers))
"""


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Give a data directory with key and admin socket, and another build; the supervisor is this process."""
    root = tmp_path_factory.mktemp("supervisor")
    data, other = root / "data", root / "other-build"
    for directory in (data, other):
        directory.mkdir()
    for file in (data / "key", data / "registry.db", other / "source.tar"):
        file.write_text("secret")
    with (
        (data / "key").open() as key,
        socket.create_server(("127.0.0.1", 0)) as public,
        socket.socket(socket.AF_UNIX) as admin,
    ):
        # A path of a socket has at most 107 octets.
        here = Path.cwd()
        os.chdir(data)
        admin.bind("admin.sock")
        os.chdir(here)
        admin.listen()
        yield {
            "data": str(data),
            "other": str(other),
            "home": str(Path.home()),
            "package": str(Path(__file__).parents[2] / "src/dayfly"),
            "supervisor": os.getpid(),
            "key_descriptor": key.fileno(),
            "port": public.getsockname()[1],
        }


def policy_of(profile: Profile, user: str, own: Path) -> Policy:
    """Confine a process of a profile as the product does."""
    number = user_of_its_own(PROFILES.index(profile)) if user == "its_own" else None
    if number:
        os.chown(own, number, number)
    run = runnable() if profile == "toolchain" else ()
    return Policy(profile, read=readable(), write=(str(own), "/dev/null"), exec=run, user=number, descriptors_max=64)


def start(policy: Policy, place: dict[str, Any], program: str) -> subprocess.Popen[str]:
    """Start a program in a sandbox."""
    command = [sys.executable, "-I", "-c", _BEGIN + program, json.dumps(asdict(policy)), json.dumps(place)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(policy: Policy, place: dict[str, Any], program: str) -> tuple[int, str, str]:
    """Run it to its end."""
    with start(policy, place, program) as child:
        output, errors = child.communicate(timeout=60)
    return child.returncode, output, errors


_ANSWERS: dict[tuple[str, str], dict[str, str]] = {}


@pytest.fixture
def answers(
    request: pytest.FixtureRequest, place: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Return what the kernel answers a process of a profile, asked once for all tests of it."""
    profile, user = request.param
    if request.param not in _ANSWERS:
        own = tmp_path_factory.mktemp("own")
        asked = {
            **place,
            "own": str(own),
            "reads": {name: path.format(**place) for name, path in READS.items()},
            "writes": {name: path.format(**place) for name, path in WRITES.items()},
            "calls": CALLS | NETWORK | LOCK,
        }
        status, output, errors = ended(policy_of(profile, user, own), asked, _TRY)
        assert status == 0, errors
        _ANSWERS[request.param] = json.loads(output)
    return _ANSWERS[request.param]


def of(*profiles: Profile) -> pytest.MarkDecorator:
    """Ask processes of these profiles, as each user."""
    pairs = [(profile, user) for profile in profiles for user in USERS]
    return pytest.mark.parametrize("answers", pairs, indirect=True, ids="-".join)


REFUSED = {"EPERM", "EACCES"}


@of(*PROFILES)
@pytest.mark.parametrize("what", READS)
def test_no_profile_reads(answers: dict[str, str], what: str) -> None:
    """Neither the operator's files nor what the kernel tells of other processes."""
    missing = {"ENOENT", "ENXIO"} if what in {"physical_memory", "terminal", "kernel_memory"} else set()
    assert answers[f"reads {what}"] in REFUSED | missing


@of(*PROFILES)
@pytest.mark.parametrize("what", WRITES)
def test_no_profile_writes(answers: dict[str, str], what: str) -> None:
    """Neither files of others nor settings of the kernel."""
    missing = {"ENOENT"} if what == "cgroup" else set()
    assert answers[f"writes {what}"] in REFUSED | missing


@of(*PROFILES)
@pytest.mark.parametrize("what", CALLS)
def test_no_profile_may_ask_for(answers: dict[str, str], what: str) -> None:
    """What would reach another process, or the kernel's less used parts."""
    assert answers[what] in REFUSED


@of(*BUILDERS, "worker")
@pytest.mark.parametrize("what", NETWORK)
def test_no_network_is_open_to(answers: dict[str, str], what: str) -> None:
    """No way out of the machine, and none to the admin API."""
    assert answers[what] in REFUSED


@of("worker")
def test_a_worker_lets_go_of_no_lock(answers: dict[str, str]) -> None:
    """Another server would take the data directory while this one works there."""
    assert answers["lock"] in REFUSED


@of(*BUILDERS, "resolver")
def test_builders_have_locks(answers: dict[str, str]) -> None:
    """The control."""
    assert answers["lock"] == "done"


@of("resolver")
def test_the_resolver_connects_and_not_to_the_admin_api(answers: dict[str, str]) -> None:
    """The one process with network has it by internet addresses alone."""
    assert answers["connection"] == "done"
    assert answers["admin_socket"] in REFUSED


@of(*PROFILES)
def test_every_profile_may_write_its_own_directory(answers: dict[str, str]) -> None:
    """The control: the sandbox does not refuse everything."""
    assert answers["own file"] == "done"


@of(*PROFILES)
def test_no_profile_runs_what_it_finds(answers: dict[str, str]) -> None:
    """The toolchain has its tools, the others nothing."""
    assert answers["exec"] in REFUSED


@of("worker", "freezer", "resolver")
def test_only_the_toolchain_has_children(answers: dict[str, str]) -> None:
    """A fork bomb needs a fork."""
    assert answers["fork"] in REFUSED


@of("toolchain")
def test_the_toolchain_has_children(answers: dict[str, str]) -> None:
    """The control."""
    assert answers["fork"] == "done"


LIMITED = Policy("toolchain", read=readable(), exec=runnable(), memory_bytes_max=256 << 20, cpu_seconds_max=1)


def test_an_endless_loop_ends_at_the_limit(place: dict[str, Any]) -> None:
    """And tells that it was CPU time."""
    status, _, _ = ended(LIMITED, place, "while True: pass")
    assert status == -signal.SIGXCPU


def test_whoever_ignores_the_limit_of_cpu_time_is_killed(place: dict[str, Any]) -> None:
    """A second later."""
    status, _, _ = ended(LIMITED, place, "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass")
    assert status == -signal.SIGKILL


def test_limits_are_not_raised_again(place: dict[str, Any]) -> None:
    """The hard limit is ours."""
    raised = "resource.setrlimit(resource.RLIMIT_DATA, (1 << 40, 1 << 40))"
    status, _, errors = ended(LIMITED, place, raised)
    assert (status, "not allowed to raise maximum limit" in errors) == (1, True)


def test_memory_ends_at_the_limit(place: dict[str, Any]) -> None:
    """As an error of the process that wanted it."""
    status, _, errors = ended(LIMITED, place, "bytearray(1 << 30)")
    assert (status, "MemoryError" in errors) == (1, True)


def test_a_file_ends_at_the_limit(place: dict[str, Any], tmp_path: Path) -> None:
    """However much room the disk has."""
    policy = replace(LIMITED, write=(str(tmp_path),), file_bytes_max=1 << 20)
    status, _, errors = ended(policy, place, f"open('{tmp_path}/file', 'wb').write(bytes(2 << 20))")
    assert (status, "File too large" in errors) == (1, True)
    assert (tmp_path / "file").stat().st_size <= 1 << 20


def test_descriptors_end_at_the_limit(place: dict[str, Any]) -> None:
    """Those of memory files too, which no other limit counts."""
    hoard = "kept = [os.memfd_create('x') for _ in range(100)]"
    status, _, errors = ended(replace(LIMITED, descriptors_max=32), place, hoard)
    assert (status, "Too many open files" in errors) == (1, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a process a user of its own")
def test_a_fork_bomb_ends_at_the_limit(place: dict[str, Any]) -> None:
    """Of the processes of its user, which nobody else has."""
    bomb = """
made = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(60)
        made += 1
except BlockingIOError:
    print(made, flush=True)
"""
    policy = replace(LIMITED, user=user_of_its_own(900), processes_max=20)
    with start(policy, place, bomb) as child:
        assert child.stdout
        assert child.stdout.readline() == "19\n"
        for task in user_processes(user_of_its_own(900) or 0):
            os.kill(task, signal.SIGKILL)


def user_processes(user: int) -> list[int]:
    """Return the processes of a user."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == user:
                found.append(int(entry.name))
    return found


_STARTER = """
import json, os, subprocess, sys, time
from dataclasses import asdict, replace
from dayfly.confinement import Policy, readable
policy = Policy("freezer", read=readable(), parent=os.getpid())
child = ("import json, sys, time; from dayfly.confinement import Policy, confine;"
         "confine(Policy(**json.loads(sys.argv[1]))); print('confined', flush=True); time.sleep(60)")
started = subprocess.Popen([sys.executable, "-I", "-c", child, json.dumps(asdict(policy))], stdout=subprocess.PIPE)
started.stdout.readline()
print(started.pid, flush=True)
time.sleep(60)
"""
"""Starts a confined child, says its number, and waits."""


def test_a_process_ends_with_the_one_that_started_it() -> None:
    """In whatever way that ended."""
    with subprocess.Popen([sys.executable, "-I", "-c", _STARTER], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        descriptor = os.pidfd_open(child)
        parent.kill()
    try:
        assert select.select([descriptor], [], [], 10)[0], "it lives on"
    finally:
        os.close(descriptor)


def test_a_process_with_threads_is_not_confined(place: dict[str, Any]) -> None:
    """The other threads would go free: our own mistake, and said so."""
    program = "import threading\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    status, _, errors = ended(LIMITED, place, program + "confine(Policy('freezer'))")
    assert (status, "a process with 2 threads cannot be confined" in errors) == (1, True)
