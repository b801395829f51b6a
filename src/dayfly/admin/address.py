"""Names of the socket in a data directory, for both ends of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKET_NAME = "admin.sock"

_ADDRESS_BYTES_MAX = 107
"""Octets of a socket's address, without the zero at its end (unix(7))."""


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
