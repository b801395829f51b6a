"""The thread that serves the admin API: what is in flight is finished, and nobody holds it up."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dayfly.admin import listener
from dayfly.admin.client import Client
from dayfly.admin.listener import AdminOptions, serving
from dayfly.config import Limits
from dayfly.core import Snapshot
from dayfly.errors import ServerUnreachable, SystemRefused
from tests.admin.conftest import House, source


def connected(path: Path) -> socket.socket:
    """Connect without a word."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(str(path))
    return connection


@pytest.fixture
def directory(house: House) -> Iterator[Path]:
    """Return the data directory of a server that is running."""
    with serving(house.operator, AdminOptions(house.registry.directory)):
        yield house.registry.directory


def test_a_deploy_in_the_middle_is_finished(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is told to stop finishes what it has begun, and says so to who waits."""
    begun, go_on = threading.Event(), threading.Event()
    freeze = house.core.freeze

    def slowly(wasm: bytes, limits: Limits) -> Snapshot:
        begun.set()
        assert go_on.wait(30)
        return freeze(wasm, limits)

    monkeypatch.setattr(house.core, "freeze", slowly)
    reports: list[Any] = []
    stopped = threading.Event()
    monkeypatch.setattr(house.operator, "hang_up", stopped.set)

    def deploy(client: Client) -> None:
        reports.append(client.deploy("shop", source("shop")))

    def release() -> None:
        stopped.wait(30)
        go_on.set()

    with serving(house.operator, AdminOptions(house.registry.directory)) as at:
        client = Client.open(str(at.socket), None, at.socket.parent)
        threads = [threading.Thread(target=deploy, args=(client,)), threading.Thread(target=release)]
        for thread in threads:
            thread.start()
        assert begun.wait(30)
    for thread in threads:
        thread.join()
    client.close()
    assert reports[0]["tenant"] == "shop"
    assert house.registry.names() == ["shop"]
    with pytest.raises(ServerUnreachable):
        Client.open(str(at.socket), None, at.socket.parent)


def is_healthy(connection: socket.socket) -> bool:
    """Ask once, and read the whole answer."""
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while not answer.endswith(b'{"status":"ok"}'):
        answer += (piece := connection.recv(65_536))
        if not piece:
            return False
    return answer.startswith(b"HTTP/1.1 200")


def test_who_says_nothing_is_let_go(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also who begins a head and never ends it, the first or a later one; who waits for the next question is not."""
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.2)
    silent, slow, later, asking = (connected(directory / "admin.sock") for _ in range(4))
    with silent, slow, later, asking:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX: ")
        assert is_healthy(asking)
        assert is_healthy(later)
        later.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX: ")
        assert _end(silent)
        assert _end(slow)
        assert _end(later)
        assert is_healthy(asking)


def test_a_body_that_does_not_come_is_not_waited_for(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """408, and the connection is at its end."""
    monkeypatch.setattr("dayfly.admin.guard.BODY_SECONDS", 0.1)
    with connected(directory / "admin.sock") as connection:
        head = b"POST /v1/tokens HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        connection.sendall(head + b"{")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 408"), answer
    assert b'"kind":"timeout"' in answer


def test_connections_are_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is closed, and those before go on; the owner's socket and the address are counted apart."""
    monkeypatch.setattr(listener, "CONNECTIONS_MAX", 2)
    with serving(house.operator, AdminOptions(house.registry.directory, ("127.0.0.1", 0))) as at:
        assert at.url
        port = int(at.url.rpartition(":")[2])
        with ExitStack() as stack:
            others = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 30)) for _ in range(3)]
            owners = [stack.enter_context(connected(at.socket)) for _ in range(3)]
            for three in (others, owners):
                assert is_healthy(three[0])
                assert is_healthy(three[1])
                assert _end(three[2])


def test_a_forwarded_address_is_nobodys(house: House) -> None:
    """What a header says about the client is not believed: it could get around the count of refused tokens."""
    options = AdminOptions(house.registry.directory, ("127.0.0.1", 0))
    with serving(house.operator, options) as at:
        assert at.url
        connection = http.client.HTTPConnection("127.0.0.1", int(at.url.rpartition(":")[2]), timeout=30)
        statuses = []
        for number in range(11):
            address = f"192.0.2.{number}"
            fields = {"X-Forwarded-For": address, "Forwarded": f"for={address}", "Authorization": "Bearer x"}
            connection.request("GET", "/v1/tenants", headers=fields)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        connection.close()
    assert statuses == [401] * 10 + [429]


def test_a_directory_of_somebody_else_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """They could put a socket of theirs in the place of ours."""
    monkeypatch.setattr(listener, "_may_own", lambda user: user == -1)
    with (
        pytest.raises(SystemRefused, match=r"belongs to user \d+; run as that user or choose another with --data-dir"),
        serving(house.operator, AdminOptions(house.registry.directory)),
    ):
        pass


def _end(connection: socket.socket) -> bool:
    try:
        return connection.recv(65_536) == b""
    except ConnectionResetError:
        return True
