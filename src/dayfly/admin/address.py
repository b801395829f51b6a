"""The socket in a data directory, for both ends of it: its names, and who is at the other one."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dayfly.errors import ServerUnreachable

SOCKET_NAME = "admin.sock"

_ADDRESS_BYTES_MAX = 107
"""Octets of a socket's address, without the zero at its end (unix(7))."""

_CREDENTIALS = struct.Struct("3i")
"""Process, user and group at the other end (unix(7), SO_PEERCRED)."""


def credentials(connection: socket.socket) -> tuple[int, int]:
    """Return process and user at the other end, as the kernel noted them when it connected, or began to listen."""
    octets = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(octets)
    return process, user


def server_on(directory: Path) -> int:
    """Return the process of the server that has a data directory. Raises ServerUnreachable."""
    try:
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client,
            reachable(directory / SOCKET_NAME) as address,
        ):
            client.connect(address)
            process, _ = credentials(client)
    except PermissionError:
        raise ServerUnreachable(f"the server on `{directory}` belongs to another user; ask as that one") from None
    except OSError:
        process = 0
    if not process:  # or it is in a container that we do not see into
        raise ServerUnreachable(f"no server runs on `{directory}`; start one: dayfly serve --data-dir {directory}")
    return process


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Give a name of a file that is short enough to be a socket's address, while the block runs. Raises OSError."""
    if len(os.fsencode(path)) <= _ADDRESS_BYTES_MAX:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
