"""`dayfly upgrade`: another program in the same process, on the same sockets, and no client notices."""

import http.client
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dayfly.upgrade import Attempt
from tests.conftest import DAYFLY, Run
from tests.e2e.conftest import Serve, Server
from tests.e2e.test_worker import finish, half_a_request, workers
from tests.worker.conftest import wait_for_end

MakeTenant = Callable[..., Path]


class Asking:
    """A client that asks on one connection, and on a new one when it is told that an answer was the last."""

    def __init__(self, server: Server) -> None:
        address = urlsplit(server.url)
        self._connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        self.answers = 0
        self.failures: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        while not self._ended.is_set():
            try:
                self._connection.request("GET", "/", headers={"Host": "hello.localhost"})
                response = self._connection.getresponse()
                if (response.status, response.read()) != (200, b"hello"):
                    self.failures.append(f"status {response.status}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                self._connection.close()
            self.answers += 1

    def end(self) -> None:
        """Ask no more."""
        self._ended.set()
        self._thread.join()
        self._connection.close()


def test_nobody_notices_an_upgrade(serve: Serve, run: Run, make_tenant: MakeTenant, tmp_path: Path) -> None:
    """Twice: clients that ask all the time, one that is in the middle, and one that is silent."""
    with serve(make_tenant()) as server:
        asking = Asking(server)
        for _ in range(2):
            before = workers(server)
            address = urlsplit(server.url)
            silent = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
            silent.request("GET", "/", headers={"Host": "hello.localhost"})
            assert silent.getresponse().read() == b"hello"
            with half_a_request(server) as connection:
                done = run("upgrade")
                assert done.returncode == 0, done.stderr + server.log
                assert done.stdout.startswith("dayfly ")
                assert finish(connection).startswith(b"HTTP/1.1 200 ")
            silent.request("GET", "/", headers={"Host": "hello.localhost"})
            assert silent.getresponse().read() == b"hello"
            silent.close()
            for process in before:
                wait_for_end(process)
            while set(before) & set(workers(server)):
                assert server.get().body == b"hello"
        asking.end()
        assert asking.failures == []
        assert asking.answers > 0
        assert server.get().body == b"hello"
        assert server.stop() == 0
    assert Attempt.last(tmp_path / ".dayfly").number == 2


def test_an_upgrade_waits_until_the_one_before_is_over(
    serve: Serve, run: Run, make_tenant: MakeTenant, tmp_path: Path
) -> None:
    """What the first worker has begun is finished, and no process of it is left."""
    with serve(make_tenant()) as server, half_a_request(server) as connection:
        first = workers(server)
        assert run("upgrade").returncode == 0, server.log
        with subprocess.Popen([DAYFLY, "upgrade"], cwd=tmp_path, stdout=subprocess.DEVNULL) as second:
            while "still answers; the upgrade waits" not in server.log:
                assert server.get().body == b"hello"
            assert finish(connection).startswith(b"HTTP/1.1 200 ")
            assert second.wait(60) == 0
        assert not set(first) & set(workers(server))
        assert server.get().body == b"hello"
        assert server.stop() == 0


def test_a_killed_worker_is_replaced_after_an_upgrade(serve: Serve, run: Run, make_tenant: MakeTenant) -> None:
    """The new supervisor holds the sockets, also the one in the file system, and the data directory."""
    path = make_tenant().parent / "http.sock"
    with serve(make_tenant(), "--listen", f"unix:{path}") as server:
        assert run("upgrade").returncode == 0
        (first, *_) = workers(server)
        os.kill(first, signal.SIGKILL)
        wait_for_end(first)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(path))
            client.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n")
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        assert "is in use by process" in run("build", make_tenant()).stderr
        assert server.stop() == 0
    assert not path.exists()


def test_a_directory_that_is_none_any_more_does_not_end_an_upgrade(
    serve: Serve, run: Run, make_tenant: MakeTenant
) -> None:
    """Its tenant serves as before, and the log says what is wrong."""
    with serve(make_tenant(), make_tenant("other"), "--no-watch") as server:
        (make_tenant() / "dayfly.toml").write_text("tier = 1\n", encoding="utf-8")
        make_tenant("other").rename(make_tenant("another") / "away")
        assert run("upgrade").returncode == 0, server.log
        assert server.get().body == b"hello"
        assert server.get(host="other.localhost").body == b"hello"
        assert server.stop() == 0
        assert server.log.count("; its release before goes on") == 2


def test_an_upgrade_that_cannot_be_recorded_is_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The server does not end over a full disk; a missing directory stands for one."""
    Attempt.ended(tmp_path / "nowhere")
    assert "how the upgrade ended cannot be recorded: " in caplog.text


def test_without_a_server_there_is_nothing_to_upgrade(run: Run) -> None:
    """Exit code 3."""
    done = run("upgrade")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("dayfly: no server runs on `.dayfly`")


def test_only_a_server_is_asked(run: Run, tmp_path: Path) -> None:
    """What a killed one has left names a process that may be anybody's by now."""
    (tmp_path / ".dayfly").mkdir()
    with subprocess.Popen(["sleep", "600"]) as other, socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / ".dayfly/admin.sock"))
        (tmp_path / ".dayfly/lock").write_text(f"{other.pid}\n", encoding="ascii")
        done = run("upgrade")
        assert done.returncode == 3
        assert done.stderr.startswith("dayfly: no server runs on `.dayfly`")
        assert other.poll() is None
        other.kill()
