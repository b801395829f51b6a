"""Where the admin API is served: a socket in the data directory, maybe an address too, and one thread for both."""

import asyncio
import errno
import os
import secrets
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from dayfly import durable
from dayfly.admin.address import SOCKET_NAME, credentials, reachable
from dayfly.admin.app import create_app
from dayfly.admin.problem import Problem, response
from dayfly.errors import AddressInUse, InvalidOption, SystemRefused
from dayfly.log import logger
from dayfly.operator import Operator

CONNECTIONS_MAX = 256
"""Open at once on the socket, and as many on the address; one more is closed."""

HEAD_SECONDS = 10.0
"""How long the head of a request may take from its first octet on, the first one from the connection on."""

IDLE_SECONDS = 60
"""How long a connection may be without a request."""

DRAIN_SECONDS = 10
"""How long requests in flight may take when the server stops."""


@dataclass(frozen=True)
class AdminOptions:
    """Where the admin API listens."""

    directory: Path
    """The data directory; `admin.sock` is made in it."""
    address: tuple[str, int] | None = None
    """Host and port to listen on too; there a token is needed. Port 0 lets the system choose."""
    names: frozenset[str] = frozenset()
    """By which it may be called there, besides addresses and `localhost`."""


@dataclass(frozen=True)
class Listening:
    """Where it listens."""

    socket: Path
    url: str | None


class _Protocol(H11Protocol):
    """A connection that knows who is at its other end, and does not wait for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Look at the other end; close what is too much."""
        super().connection_made(transport)
        connection: socket.socket = transport.get_extra_info("socket")
        self.is_local = connection.family == socket.AF_UNIX
        if self.is_local:
            process, user = credentials(connection)
            self.client = f"unix:{user}", process
        self._head: asyncio.TimerHandle | None = self.loop.call_later(HEAD_SECONDS, transport.abort)
        # Apart, so that who fills up the address does not keep the owner from the socket.
        like_this = [other for other in self.connections if getattr(other, "is_local", None) == self.is_local]
        if len(like_this) > CONNECTIONS_MAX:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._end_of_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take octets."""
        super().data_received(data)
        self._mind_head()

    def on_response_complete(self) -> None:
        """Go on with what has come meanwhile."""
        super().on_response_complete()
        self._mind_head()

    def _mind_head(self) -> None:
        """Wait for the end of a head that has begun, and not for ever."""
        if self.conn.their_state is not h11.IDLE or not self.conn.trailing_data[0]:
            self._end_of_head()
        elif self._head is None:
            self._head = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _end_of_head(self) -> None:
        if self._head:
            self._head.cancel()
        self._head = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or has too long a head, in the form of all refusals."""
        answer = response(Problem(400, "request", f"{msg} It is not HTTP/1.1, or its head is too long"), "none")
        fields = "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in answer.raw_headers)
        head = f"HTTP/1.1 400 Bad Request\r\n{fields}connection: close\r\n\r\n"
        self.transport.write(head.encode() + bytes(answer.body))
        self.transport.close()


@contextmanager
def serving(operator: Operator, options: AdminOptions) -> Iterator[Listening]:
    """Serve the admin API while the block runs. Raises SystemRefused, AddressInUse or InvalidOption before it."""
    with ExitStack() as stack:
        path = options.directory / SOCKET_NAME
        sockets = [stack.enter_context(_listening_file(path))]
        url = None
        if options.address:
            sockets.append(stack.enter_context(_listening_address(*options.address)))
            host, port = sockets[-1].getsockname()[:2]
            url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        stack.enter_context(_running(operator, options, sockets))
        logger.info("admin API on %s", f"{path} and {url}" if url else path)
        yield Listening(path, url)


@contextmanager
def _running(operator: Operator, options: AdminOptions, sockets: list[socket.socket]) -> Iterator[None]:
    names = options.names | ({options.address[0].lower()} if options.address else set())
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(operator, hosts=names),
            http=_Protocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    thread = threading.Thread(target=server.run, args=(sockets,), name="admin")
    thread.start()
    try:
        yield
    finally:
        operator.hang_up()
        server.should_exit = True
        thread.join()


@contextmanager
def _listening_file(path: Path) -> Iterator[socket.socket]:
    """Listen on a socket in the file system that is its owner's only; what stands there is replaced at once."""
    _check_owner(path.parent)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with listener:
        try:
            # Before it has a name: bind() gives the file the mode that the socket has.
            os.fchmod(listener.fileno(), 0o600)
            with reachable(aside) as address:
                listener.bind(address)
            listener.listen()
            mine = aside.lstat().st_ino
            aside.rename(path)
        except OSError as error:
            raise SystemRefused(durable.refusal(f"`{path}`", error, "data directory with --data-dir")) from None
        try:
            yield listener
        finally:
            with suppress(OSError):
                if path.lstat().st_ino == mine:
                    path.unlink()


def _check_owner(directory: Path) -> None:
    """Refuse a directory in which somebody else could put a socket of theirs in the place of ours."""
    facts = directory.stat()
    if not _may_own(facts.st_uid):
        raise SystemRefused(
            f"data directory `{directory}` belongs to user {facts.st_uid}; run as that user or choose another "
            "with --data-dir"
        )
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SystemRefused(
            f"data directory `{directory}` may be written to by others; take that away (chmod go-w) or choose another "
            "with --data-dir"
        )


def _may_own(user: int) -> bool:
    return user in {os.geteuid(), 0}


@contextmanager
def _listening_address(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(f"{host}:{port} is in use; choose another one for --admin") from None
        raise InvalidOption(f"--admin cannot be `{host}:{port}`: {error.strerror or error}") from None
    with listener:
        yield listener
