"""What a server listens on: bound once, and lent to one worker after the other."""

import json
import os
import socket
from pathlib import Path
from typing import Any, Self

from dayfly import _core
from dayfly.core import CoreOptions, ServerOptions, to_json


class Sockets:
    """Listening sockets that this process never accepts from. While it has them, connections wait for a worker."""

    def __init__(self, bound: dict[str, Any]) -> None:
        self.host: str = bound["host"]
        self.port: int = bound["port"]
        self._sockets = [socket.socket(fileno=descriptor) for descriptor in bound["sockets"]]
        self._files: list[dict[str, Any]] = bound["files"]

    @classmethod
    def bind(cls, core_options: CoreOptions, options: ServerOptions) -> Self:
        """Bind them for the workers' threads. Raises AddressInUse, InvalidOption or SystemRefused."""
        return cls(json.loads(_core.listen(to_json(core_options), to_json(options))))

    @property
    def descriptors(self) -> list[int]:
        """Return what a worker needs."""
        return [listening.fileno() for listening in self._sockets]

    def leave(self) -> dict[str, Any]:
        """Give up the descriptors, open as they are, for whoever makes sockets of them again."""
        sockets, files = [listening.detach() for listening in self._sockets], self._files
        self._sockets, self._files = [], []
        return {"host": self.host, "port": self.port, "sockets": sockets, "files": files}

    def close(self) -> None:
        """Listen no more, and remove the files of those in the file system, unless somebody has replaced them."""
        for listening in self._sockets:
            listening.close()
        for file in self._files:
            path = Path(file["path"])
            try:
                status = path.lstat()
                if (status.st_dev, status.st_ino) == (file["device"], file["inode"]):
                    path.unlink()
            except OSError:
                pass  # it is gone, or its directory is: nothing is left to remove
            os.close(file["lock"])
        self._sockets, self._files = [], []
