"""A client that sends many requests at once on one connection and takes the answers in order."""

import re
import socket
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_CAUSE = re.compile(rb"\r\ndayfly-cause: (\w+)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """What came back; `cause` is empty if the program answered."""

    status: int
    cause: str
    body: bytes


class Client:
    """One connection to a server."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((str(address.hostname), address.port), timeout=60)
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, paths: list[str]) -> list[Answer]:
        """Send one request for each path without waiting in between; return the answers in the same order."""
        requests = "".join(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" for path in paths)
        self._socket.sendall(requests.encode("ascii"))
        return [self._answer() for _ in paths]

    def _answer(self) -> Answer:
        head = self._until(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert length, head
        cause = _CAUSE.search(head)
        body = self._take(int(length[1]))
        return Answer(int(head[9:12]), cause[1].decode() if cause else "", body)

    def _until(self, end: bytes) -> bytes:
        while end not in self._unread:
            self._receive()
        return self._take(self._unread.index(end) + len(end))

    def _take(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._receive()
        taken, self._unread = self._unread[:size], self._unread[size:]
        return taken

    def _receive(self) -> None:
        part = self._socket.recv(1 << 16)
        assert part, f"the server closed the connection after {self._unread!r}"
        self._unread += part
