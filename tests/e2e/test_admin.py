"""A real server, its admin socket, and the commands that people type."""

import http.client
import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dayfly.admin.client import Client
from tests.conftest import DAYFLY, HELLO_WAT, Run
from tests.e2e.conftest import Serve, Server

LOUD_WAT = HELLO_WAT.replace('"hello"', '"HELLO"')


class OnSocket(http.client.HTTPConnection):
    """HTTP on a socket in the file system, without our client."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


@pytest.fixture
def shop(make_tenant: Callable[..., Path]) -> Path:
    """Return the directory of a tenant."""
    return make_tenant("shop", {"app.wat": HELLO_WAT, "dayfly.toml": 'tier = "wasm"\n'})


@contextmanager
def empty(serve: Serve, *words: object) -> Iterator[Server]:
    """Serve nothing yet."""
    with serve(*words) as server:
        yield server


def digest(line: str) -> str:
    """Return the release that a command says is live."""
    match = re.fullmatch(r"live ([0-9a-f]{16})( \(\d+\)| in \d+ ms)", line)
    assert match, line
    return match[1]


def test_the_story_of_the_readme(serve: Serve, run: Run, shop: Path) -> None:
    """Serve, deploy, break, mend, roll back: what answers is what was said to answer, at every step."""
    with empty(serve) as server:
        assert server.get(host="shop.localhost").status == 404
        done = run("deploy", shop)
        assert done.returncode == 0, done.stderr
        first = digest(done.stdout.splitlines()[-1])
        assert [line.split()[0] for line in done.stdout.splitlines()][:5] == [
            "read",
            "build",
            "freeze",
            "write",
            "record",
        ]
        assert server.get(host="shop.localhost").body == b"hello"
        (shop / "app.wat").write_text("(module (nonsense))", encoding="utf-8")
        done = run("deploy", shop)
        assert done.returncode == 1
        assert re.match(r"dayfly: shop/app\.wat: not valid WebAssembly text", done.stderr)
        assert server.get(host="shop.localhost").body == b"hello"
        (shop / "app.wat").write_text(LOUD_WAT, encoding="utf-8")
        done = run("deploy", shop, "--why", "louder")
        second = digest(done.stdout.splitlines()[-1])
        assert second != first
        assert server.get(host="shop.localhost").body == b"HELLO"
        assert digest(run("rollback", "shop").stdout.strip()) == first
        assert server.get(host="shop.localhost").body == b"hello"
        rows = json.loads(run("releases", "shop", "--json").stdout)
        assert [(row["why"], row["is_current"]) for row in rows] == [("louder", False), ("", True)]
        assert digest(run("rollback", "shop", "2").stdout.strip()) == second
        assert server.get(host="shop.localhost").body == b"HELLO"
        assert server.stop() == 0


def test_what_was_deployed_serves_after_a_restart(serve: Serve, run: Run, shop: Path) -> None:
    """Without its directory; and a tenant that was taken away does not."""
    with empty(serve) as server:
        assert run("deploy", shop).returncode == 0
        assert run("limits", "shop", "cpu_ns_max=20 ms").returncode == 0
        server.stop()
    with empty(serve) as server:
        assert server.get(host="shop.localhost").body == b"hello"
        assert json.loads(run("show", "shop", "--json").stdout)["limits"]["cpu_ns_max"] == 20_000_000
        assert run("rm", "shop").stdout == "removed shop\n"
        assert server.get(host="shop.localhost").status == 404
        assert json.loads(run("ls", "--json").stdout) == []
        server.stop()
    with empty(serve) as server:
        assert server.get(host="shop.localhost").status == 404


def test_the_socket_is_its_owners(serve: Serve, tmp_path: Path) -> None:
    """In a directory of theirs, and gone with the server; one that a killed server left is replaced."""
    place = tmp_path / ".dayfly/admin.sock"
    with empty(serve) as server:
        facts = place.stat()
        assert stat.S_ISSOCK(facts.st_mode)
        assert stat.S_IMODE(facts.st_mode) == 0o600
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
        connection = OnSocket(place)
        connection.request("GET", "/v1/tenants")
        assert connection.getresponse().read() == b"[]"
        connection.close()
        server.process.kill()
        server.process.wait()
    assert place.exists()
    with empty(serve) as server:
        with Client.open(str(place), None, tmp_path) as client:
            assert client.get("/ready") == {"status": "ready"}
        assert server.stop() == 0
    assert not place.exists()
    assert list(place.parent.glob(".admin*")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
def test_another_user_is_not_let_in(serve: Serve, tmp_path: Path) -> None:
    """Even if the mode of the socket is changed: the kernel says who is at the other end."""
    with empty(serve):
        place = tmp_path / ".dayfly/admin.sock"
        place.chmod(0o666)
        for directory in [place.parent, *place.parent.parents]:
            directory.chmod(directory.stat().st_mode | 0o011)
        program = (
            "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
            "s.sendall(b'GET /v1/tenants HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'); print(s.recv(100).decode())"
        )
        done = subprocess.run(["/usr/bin/python3", "-c", program, place], capture_output=True, text=True, check=False)
        assert done.stdout.startswith("HTTP/1.1 401"), done


def test_a_directory_of_everybody_is_refused(run: Run, tmp_path: Path) -> None:
    """Somebody could put another socket there."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o770)
    done = run("serve", "--port", 0, "--data-dir", "data")
    assert done.returncode == 1
    assert "data directory `data` may be written to by others; take that away (chmod go-w)" in done.stderr


def test_a_deep_directory_has_a_socket_too(serve: Serve, run: Run, tmp_path: Path) -> None:
    """Whose name is longer than a socket's address may be."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with empty(serve, "--data-dir", deep):
        assert json.loads(run("ls", "--json", "--data-dir", deep).stdout) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_an_address_takes_tokens(serve: Serve, run: Run, shop: Path, host: str) -> None:
    """Only those, each for what it is for; the public listener has none of it."""
    with empty(serve, "--admin", f"{host}:0") as server:
        match = re.search(rf"admin API on \S+ and (http://{re.escape(host)}:\d+)", server.log)
        assert match
        url = match[1]
        done = run("ls", "--server", url)
        assert (done.returncode, done.stdout) == (1, "")
        assert "a valid token is needed" in done.stderr
        token = run("token", "create", "--scope", "deploy:shop", "--expires", "1h").stdout.strip()
        assert run("deploy", shop, "--server", url, "--token", token).returncode == 0
        done = run("rm", "shop", "--server", url, "--token", token)
        assert (done.returncode, "takes one for `admin`" in done.stderr) == (1, True)
        (row,) = json.loads(run("token", "list", "--json").stdout)
        assert run("token", "revoke", row["id"]).returncode == 0
        assert run("show", "shop", "--server", url, "--token", token).returncode == 1
        assert token not in server.log
        for path in ("/v1/tenants", "/health", "/openapi.json"):
            assert server.get(path, host="localhost").status == 404


def test_what_cannot_be_listened_on_is_refused(run: Run) -> None:
    """Before anything is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--port", 0, "--admin", f"127.0.0.1:{port}")
        assert (done.returncode, f"127.0.0.1:{port} is in use" in done.stderr) == (1, True)
    for address in ("9000", ":9000", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:x"):
        done = run("serve", "--port", 0, "--admin", address)
        assert (done.returncode, "--admin cannot be" in done.stderr) == (2, True), done.stderr


def test_no_server_is_exit_code_three(run: Run, shop: Path) -> None:
    """Of every client command."""
    for words in (["ls"], ["deploy", shop], ["rollback", "shop"], ["logs", "shop"], ["token", "list"]):
        done = run(*words)
        assert done.returncode == 3, done.stderr
        assert "no server answers at `.dayfly/admin.sock`" in done.stderr
        assert "start it: dayfly serve" in done.stderr


def test_secrets_and_variables_reach_the_program(
    serve: Serve, tmp_path: Path, make_tenant: Callable[..., Path]
) -> None:
    """From the next request on, while the server runs; no command prints one."""
    app = (
        "import os\n\n\ndef on_client_request(path, query):\n"
        "    return 'text/plain', os.environ.get('PRICE', '?') + os.environ.get('KEY', '?')\n"
    )
    tenant = make_tenant("vault", {"app.py": app, "dayfly.toml": 'secrets = ["KEY"]\n[environment]\nPRICE = "1"\n'})

    def ask(*words: object, content: str = "") -> str:
        done = subprocess.run(
            [DAYFLY, *map(str, words)], cwd=tmp_path, input=content, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    with empty(serve) as server:
        ask("deploy", tenant)
        assert server.get(host="vault.localhost").body == b"1?"
        said = ask("secret", "set", "vault", "KEY", content="hunter2\n")
        assert server.get(host="vault.localhost").body == b"1hunter2"
        ask("env", "vault", "PRICE=2")
        assert server.get(host="vault.localhost").body == b"2hunter2"
        ask("env", "vault", "--unset", "PRICE")
        ask("secret", "remove", "vault", "KEY")
        assert server.get(host="vault.localhost").body == b"1?"
        said += ask("secret", "list", "vault") + ask("show", "vault") + ask("show", "vault", "--json")
        assert "hunter2" not in said + server.log


def test_a_log_is_followed(serve: Serve, run: Run, tmp_path: Path, make_tenant: Callable[..., Path]) -> None:
    """Line by line, until Ctrl-C, or until the server is gone."""
    app = "def on_client_request(path, query):\n    print('asked for ' + path)\n    return 'text/plain', 'x'\n"
    with empty(serve) as server:
        assert run("deploy", make_tenant("chatty", {"app.py": app})).returncode == 0
        server.get("/first", host="chatty.localhost")
        command = [str(DAYFLY), "logs", "chatty", "-f", "--json"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert json.loads(process.stdout.readline())["text"] == "asked for /first"
            server.get("/second", host="chatty.localhost")
            line = json.loads(process.stdout.readline())
            assert (line["text"], line["tenant"], line["level"]) == ("asked for /second", "chatty", "info")
            # What runs in the background of a shell is deaf to Ctrl-C, and so are its children.
            is_deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            process.send_signal(signal.SIGTERM if is_deaf else signal.SIGINT)
            assert process.wait(30) == (-signal.SIGTERM if is_deaf else 0)
        with subprocess.Popen([str(DAYFLY), "logs", "chatty", "-f"], cwd=tmp_path, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert b"asked for /first" in process.stdout.readline()
            assert server.stop() == 0
            assert process.wait(30) in {0, 3}


def test_what_is_no_http_is_refused(serve: Serve, tmp_path: Path) -> None:
    """In the form of all refusals, with the connection at its end; and the server goes on."""
    with empty(serve):
        place = str(tmp_path / ".dayfly/admin.sock")
        for octets in (
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000,
        ):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(30)
                connection.connect(place)
                connection.sendall(octets)
                answer = b"".join(iter(lambda: _piece(connection), b""))
            assert answer.startswith(b"HTTP/1.1 4"), answer
            assert b"application/problem+json" in answer
        with Client.open(place, None, tmp_path) as client:
            assert client.get("/health") == {"status": "ok"}


def _piece(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except ConnectionResetError:
        return b""


def test_an_archive_of_tar_is_taken(serve: Serve, tmp_path: Path, shop: Path) -> None:
    """As curl sends it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(shop, ".")
    with empty(serve) as server:
        connection = OnSocket(tmp_path / ".dayfly/admin.sock")
        headers = {"Content-Type": "application/x-tar"}
        connection.request("POST", "/v1/tenants/shop/deploys", buffer.getvalue(), headers)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["tenant"]) == (201, "shop")
        connection.close()
        assert server.get(host="shop.localhost").body == b"hello"
