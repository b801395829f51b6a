"""`dayfly serve` while its worker, or it itself, is killed; and how it ends."""

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import Serve, Server
from tests.worker.conftest import wait_for_end

MakeTenant = Callable[..., Path]


def workers(server: Server) -> list[int]:
    """Return the processes that a server has started, oldest first."""
    children = Path(f"/proc/{server.process.pid}/task").glob("*/children")
    return sorted(int(child) for file in children for child in file.read_text(encoding="ascii").split())


@contextmanager
def half_a_request(server: Server) -> Iterator[socket.socket]:
    """Begin a request whose content is still to come, and is taken."""
    address = urlsplit(server.url)
    with socket.create_connection((str(address.hostname), address.port or 0), timeout=60) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        yield connection


def wait_for_refusal(server: Server) -> None:
    """Connect until nobody listens any more."""
    address = urlsplit(server.url)
    try:
        while True:
            socket.create_connection((str(address.hostname), address.port or 0), timeout=60).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return


def finish(connection: socket.socket) -> bytes:
    """Send the content, and receive the answer and the end of the connection."""
    connection.sendall(b"body")
    octets = b""
    while more := connection.recv(1 << 16):
        octets += more
    return octets


def test_a_killed_worker_is_replaced(serve: Serve, make_tenant: MakeTenant) -> None:
    """A client that was there meanwhile finds its connection ended, and the next one open."""
    with serve(make_tenant()) as server:
        with half_a_request(server) as connection:
            (first, *_) = workers(server)
            os.kill(first, signal.SIGKILL)
            wait_for_end(first)
            assert not connection.recv(1)
        assert server.get().body == b"hello"
        assert server.stop() == 0
        assert f"worker process {first} was ended by SIGKILL" in server.log


def test_a_worker_whose_server_is_gone_finishes_and_leaves(serve: Serve, make_tenant: MakeTenant) -> None:
    """The next server has the data directory after that, and not before."""
    tenant = make_tenant()
    with serve(tenant) as server:
        with half_a_request(server) as connection:
            orphans = workers(server)
            server.process.kill()
            server.process.wait()
            wait_for_refusal(server)
            answer = finish(connection)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer.lower()
        for orphan in orphans:
            wait_for_end(orphan)
    with serve(tenant) as server:
        assert server.get().body == b"hello"


def test_a_new_server_waits_for_the_worker_of_one_that_was_killed(serve: Serve, make_tenant: MakeTenant) -> None:
    """It starts as soon as that has gone; meanwhile what was begun there is answered."""
    tenant = make_tenant()
    with serve(tenant) as server, half_a_request(server) as connection:
        orphans = workers(server)
        server.process.kill()
        server.process.wait()
        with serve(tenant) as successor:
            # The content did not come: the orphan has ended at its limit, and only then was the directory free.
            assert select.select([connection], [], [], 0)[0]
            for orphan in orphans:
                wait_for_end(orphan)
            assert successor.get().body == b"hello"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_is_finished(serve: Serve, make_tenant: MakeTenant, number: signal.Signals) -> None:
    """Nobody else is accepted meanwhile; no process is left."""
    with serve(make_tenant()) as server:
        with half_a_request(server) as connection:
            processes = workers(server)
            server.process.send_signal(number)
            wait_for_refusal(server)
            assert finish(connection).startswith(b"HTTP/1.1 200 ")
        assert server.process.wait(60) == 0
        for process in processes:
            wait_for_end(process)


def test_a_second_signal_ends_it_at_once(serve: Serve, make_tenant: MakeTenant) -> None:
    """With what was in flight."""
    with serve(make_tenant()) as server, half_a_request(server) as connection:
        server.process.send_signal(signal.SIGTERM)
        wait_for_refusal(server)
        server.process.send_signal(signal.SIGTERM)
        assert connection.recv(1) == b""
        assert server.process.wait(60) == 0


def test_what_is_in_flight_is_finished_also_if_the_server_is_killed_over_it(
    serve: Serve, make_tenant: MakeTenant
) -> None:
    """A worker that was told to stop is not told again by its supervisor's end."""
    with serve(make_tenant()) as server, half_a_request(server) as connection:
        processes = workers(server)
        server.process.send_signal(signal.SIGTERM)
        wait_for_refusal(server)
        server.process.kill()
        server.process.wait()
        assert finish(connection).startswith(b"HTTP/1.1 200 ")
        for process in processes:
            wait_for_end(process)


def test_signals_for_a_whole_group_concern_the_server_alone(serve: Serve, make_tenant: MakeTenant) -> None:
    """Service managers and terminals send them to every process."""
    with serve(make_tenant()) as server:
        for process in workers(server):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(process, number)
        assert server.get().body == b"hello"
        assert "was ended by" not in server.log


def test_a_socket_in_the_file_system_goes_with_the_server(
    serve: Serve, make_tenant: MakeTenant, tmp_path: Path
) -> None:
    """It outlives a worker, and not the server."""
    path = tmp_path / "http.sock"

    def ask() -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(path))
            client.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n")
            return client.recv(1 << 16)

    with serve(make_tenant(), "--listen", f"unix:{path}") as server:
        assert ask().startswith(b"HTTP/1.1 200 ")
        (first, *_) = workers(server)
        os.kill(first, signal.SIGKILL)
        wait_for_end(first)
        assert ask().startswith(b"HTTP/1.1 200 ")
        assert server.stop() == 0
    assert not path.exists()
