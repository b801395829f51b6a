"""What this kernel offers to this process: asked for, not guessed from its version, which a filter may overrule."""

import ctypes
import errno
import fcntl
import mmap
import os
import struct
from pathlib import Path

_USERFAULTFD = 323
_LANDLOCK_CREATE_RULESET = 444
"""Numbers of system calls on x86-64."""

_USER_MODE_ONLY = 1
_UFFDIO_API = 0xC018AA3F
_USERFAULTFD_API = 0xAA
_WRITE_PROTECTION = 1 << 0 | 1 << 7 | 1 << 12 | 1 << 13
"""The features that `dayfly-sys` asks for: write protection, answered by SIGBUS, of files, of pages nobody touched."""

_PAGEMAP_SCAN = 0xC0606610
_PRESENT = 1 << 3
_RULESET_VERSION = 1


class Missing(Exception):
    """The kernel does not offer something, or not here; says why."""


def write_protection() -> None:
    """Ask for write protection by userfaultfd. Raises Missing."""
    try:
        descriptor = _system_call(_USERFAULTFD, os.O_CLOEXEC | os.O_NONBLOCK | _USER_MODE_ONLY)
    except OSError as error:
        raise Missing(_reason(error)) from None
    try:
        fcntl.ioctl(descriptor, _UFFDIO_API, struct.pack("QQQ", _USERFAULTFD_API, _WRITE_PROTECTION, 0))
    except OSError as error:
        raise Missing(_reason(error)) from None
    finally:
        os.close(descriptor)


def pagemap_scan() -> None:
    """Ask for the pages of a mapping by PAGEMAP_SCAN. Raises Missing."""
    with mmap.mmap(-1, mmap.PAGESIZE) as memory:
        memory[0] = 1
        view = ctypes.c_char.from_buffer(memory)
        start = ctypes.addressof(view)
        del view
        regions = ctypes.create_string_buffer(24)
        # `struct pm_scan_arg`: size, flags, start, end, end of the walk, regions, their number, pages, masks.
        end = start + mmap.PAGESIZE
        request = struct.pack("12Q", 96, 0, start, end, 0, ctypes.addressof(regions), 1, 0, 0, 0, _PRESENT, _PRESENT)
        try:
            with Path("/proc/self/pagemap").open("rb") as pages:
                fcntl.ioctl(pages, _PAGEMAP_SCAN, request)
        except OSError as error:
            raise Missing(_reason(error)) from None


def landlock_version() -> int:
    """Return the version of landlock's interface. Raises Missing."""
    try:
        return _system_call(_LANDLOCK_CREATE_RULESET, 0, 0, _RULESET_VERSION)
    except OSError as error:
        raise Missing(_reason(error)) from None


def seccomp_filters() -> None:
    """Tell whether a process can filter its system calls. Raises Missing."""
    try:
        actions = Path("/proc/sys/kernel/seccomp/actions_avail").read_text(encoding="ascii").split()
    except OSError as error:
        raise Missing(_reason(error)) from None
    if "kill_process" not in actions:
        raise Missing("it cannot end a process")


def _system_call(number: int, *arguments: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    result = int(libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _reason(error: OSError) -> str:
    known = {
        errno.ENOSYS: "this kernel does not have it, or a filter of the container hides it",
        errno.ENOTTY: "this kernel is too old for it",
        errno.EINVAL: "this kernel has it without what is needed",
        errno.EPERM: "this process may not use it: a filter of the container, or the kernel's settings",
        errno.EOPNOTSUPP: "this kernel has it switched off",
    }
    return known.get(error.errno or 0, error.strerror or str(error))
