"""What a supervisor leaves to the version of dayfly that takes its place: in the same process, after exec(2).

The sockets stay bound and the worker serves on, while the process becomes another program. Descriptors are passed by
their numbers, and these in the environment, from where they are taken before anybody else can see them.
"""

import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from typing import Any, NoReturn, Self

VARIABLE = "DAYFLY_ESTATE"


@dataclass(frozen=True)
class Estate:
    """All numbers are descriptors but that of the process."""

    lock: int
    """Of the data directory; nobody else can have it in between."""
    bound: dict[str, Any]
    """The sockets, as `Sockets` takes them."""
    process: int
    """The worker that serves; it is our child as before."""
    control: int
    """The socket over which it takes orders."""

    @property
    def descriptors(self) -> list[int]:
        """Return all of them."""
        return [self.lock, self.control, *self.bound["sockets"], *(file["lock"] for file in self.bound["files"])]

    @classmethod
    def take(cls) -> Self | None:
        """Take what was left to this process, if anything was."""
        text = os.environ.pop(VARIABLE, None)
        if text is None:
            return None
        estate = cls(**json.loads(text))
        for descriptor in estate.descriptors:
            os.set_inheritable(descriptor, False)
        return estate

    def leave(self, command: list[str]) -> NoReturn:
        """Become the program of a command, which takes what is here."""
        for descriptor in self.descriptors:
            os.set_inheritable(descriptor, True)
        # A handler does not outlive exec(2), and the default would end us.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(command[0], command, {**os.environ, VARIABLE: json.dumps(asdict(self))})  # noqa: S606 - it is us

    def control_socket(self) -> socket.socket:
        """Return the socket to the worker."""
        return socket.socket(fileno=self.control)
