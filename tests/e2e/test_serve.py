"""`dayfly serve` from the command line to the answer, and through restarts."""

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import HELLO_WAT, REPOSITORY, Run
from tests.e2e.conftest import Serve
from tests.registry.spoil import spoil

MakeTenant = Callable[..., Path]


def test_a_tenant_answers_on_its_host_and_its_paths(serve: Serve, make_tenant: MakeTenant) -> None:
    """Nobody answers elsewhere: 404 as a problem document with the request's id."""
    files = {"app.wat": HELLO_WAT, "dayfly.toml": 'tier = "wasm"\npaths = ["/z"]\n'}
    with serve(make_tenant("hello", files)) as server:
        assert server.get("/").body == b"hello"
        assert server.get("/z", host="127.0.0.1").body == b"hello"
        assert server.get("/z/deeper?q=1", host="anything.example").body == b"hello"
        missing = server.get("/", host="other.localhost")
    assert missing.status == 404
    assert missing.headers["Content-Type"] == "application/problem+json"
    assert json.loads(missing.body)["status"] == 404
    assert missing.headers["Dayfly-Request-Id"]


def test_the_baseline_path_answers_the_seeds_page(serve: Serve, make_tenant: MakeTenant) -> None:
    """From the same server, without a sandbox."""
    with serve(make_tenant(), "--baseline-path", "/plain") as server:
        answer = server.get("/plain", host="127.0.0.1")
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.body == b"\tthis is a very\n\tlong string if I had the\n\tenergy to type more and more ...\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(serve: Serve, make_tenant: MakeTenant, number: signal.Signals) -> None:
    """Exit code 0."""
    with serve(make_tenant()) as server:
        server.get()
        assert server.stop(number) == 0


def test_a_killed_server_comes_back_without_building(serve: Serve, make_tenant: MakeTenant, tmp_path: Path) -> None:
    """Its data directory is free again, and its releases are there."""
    tenant = make_tenant()
    with serve(tenant) as server:
        server.process.kill()
        server.process.wait()
    (release,) = (tmp_path / ".dayfly/releases").iterdir()
    with serve(tenant) as server:
        assert server.get().body == b"hello"
        assert f"hello: release {release.name[:12]} unchanged" in server.log


def test_a_tenant_deployed_before_is_served_again(serve: Serve, make_tenant: MakeTenant) -> None:
    """Also if its directory is not named."""
    with serve(make_tenant("one")) as server:
        assert server.stop() == 0
    with serve(make_tenant("two")) as server:
        assert server.get(host="one.localhost").body == b"hello"
        assert server.get(host="two.localhost").body == b"hello"


def test_a_built_tenant_is_served(serve: Serve, run: Run, make_tenant: MakeTenant) -> None:
    """`dayfly build` leaves the release in the data directory."""
    built = run("build", make_tenant("one"))
    assert built.returncode == 0, built.stderr
    assert built.stdout.startswith("built ")
    with serve(make_tenant("two")) as server:
        assert server.get(host="one.localhost").body == b"hello"


def test_pruning_removes_what_nobody_serves(serve: Serve, run: Run, make_tenant: MakeTenant) -> None:
    """An older release of a tenant; the current one is served."""
    tenant = make_tenant("one")
    old = run("build", tenant).stdout.split()[1]
    (tenant / "note").write_text("changed", encoding="utf-8")
    assert run("build", tenant).returncode == 0
    assert run("prune").stdout == f"{old}\n1 removed\n"
    assert run("prune").stdout == "0 removed\n"
    with serve(make_tenant("two")) as server:
        assert server.get(host="one.localhost").body == b"hello"


@pytest.mark.parametrize(
    ("file", "damage"), [("code.wasm", "flip"), ("image", "cut"), ("manifest.json", "flip"), ("image", "remove")]
)
def test_a_damaged_release_is_never_served(
    serve: Serve, make_tenant: MakeTenant, tmp_path: Path, file: str, damage: str
) -> None:
    """It is named and marked, and the other tenants serve; with its directory it is built again."""
    one, two = make_tenant("one"), make_tenant("two", {"app.wat": HELLO_WAT, "dayfly.toml": 'tier = "wasm"'})
    with serve(one) as server:
        assert server.stop() == 0
    (release,) = (tmp_path / ".dayfly/releases").iterdir()
    _damage(release / file, damage)
    with serve(two) as server:
        assert server.get(host="two.localhost").status == 200
        assert server.get(host="one.localhost").status == 404
        assert "tenant `one`" in server.log
        assert "deploy it again" in server.log
        assert server.stop() == 0
    assert release.with_name(f"{release.name}.damaged").is_dir()
    with serve(one) as server:
        assert server.get(host="one.localhost").body == b"hello"


def _damage(file: Path, how: str) -> None:
    content = bytearray(file.read_bytes())
    if how == "remove":
        file.unlink()
    elif how == "cut":
        os.truncate(file, len(content) // 2)
    else:
        content[len(content) // 2] ^= 1
        file.write_bytes(content)


def test_a_broken_record_stops_nobody_else(serve: Serve, make_tenant: MakeTenant, tmp_path: Path) -> None:
    """It is named, the others serve, and its directory replaces it."""
    one, two, three = (make_tenant(name) for name in ("one", "two", "three"))
    with serve(one, two) as server:
        assert server.stop() == 0
    spoil(tmp_path / ".dayfly", "UPDATE releases SET config = '{}' WHERE tenant = 'one'")
    with serve(three) as server:
        assert server.get(host="two.localhost").body == server.get(host="three.localhost").body == b"hello"
        assert server.get(host="one.localhost").status == 404
        assert "ERROR" in server.log
        assert "what is recorded of tenant `one` cannot be read" in server.log
        assert server.stop() == 0
    with serve(one) as server:
        assert server.get(host="one.localhost").body == b"hello"
        assert server.stop() == 0
    with serve(three) as server:
        assert server.get(host="one.localhost").body == b"hello"


def test_damaged_machine_code_is_made_again(
    serve: Serve, make_tenant: MakeTenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a cache of the machine, and part of no release."""
    monkeypatch.setenv("DAYFLY_CACHE_DIR", str(tmp_path / "machine"))
    tenant = make_tenant()
    with serve(tenant) as server:
        assert server.stop() == 0
    cached = list((tmp_path / "machine/code").iterdir())
    assert cached
    for file in cached:
        _damage(file, "flip")
    with serve(tenant) as server:
        assert server.get().body == b"hello"


def test_a_second_server_cannot_take_the_port(serve: Serve, run: Run, make_tenant: MakeTenant) -> None:
    """Even with another data directory: half of the connections would go there."""
    tenant = make_tenant()
    with serve(tenant) as server:
        port = server.url.rpartition(":")[2]
        second = run("serve", tenant, "--port", port, "--data-dir", "other")
        assert server.get().status == 200
    assert second.returncode == 1
    assert second.stdout == ""
    last = second.stderr.splitlines()[-1]
    assert last.startswith("dayfly: ")
    assert port in last
    assert "in use" in last
    assert "choose another" in last


def test_a_second_server_cannot_take_the_data_directory(serve: Serve, run: Run, make_tenant: MakeTenant) -> None:
    """The message names the process."""
    tenant = make_tenant()
    with serve(tenant) as server:
        second = run("serve", tenant, "--port", "0")
        assert second.returncode == 1
        holder = f"data directory `.dayfly` is in use by process {server.process.pid}"
        assert second.stderr == f"dayfly: {holder}; stop that one or choose another with --data-dir\n"


def test_a_unix_socket_answers_too(serve: Serve, make_tenant: MakeTenant, tmp_path: Path) -> None:
    """`--listen unix:PATH`."""
    with serve(make_tenant(), "--listen", "unix:server.sock"), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "server.sock"))
        client.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := client.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"hello")


def test_the_seed_program_answers(serve: Serve, tmp_path: Path) -> None:
    """Its page on its host and at its path; what `on_init` printed is in its log; nothing names this machine."""
    with serve(REPOSITORY / "examples/hello", "--baseline-path", "/plain") as server:
        page = server.get("/plain")
        assert (server.get().status, server.get().body) == (200, page.body)
        assert server.get("/z", host="127.0.0.1").body == page.body
        assert server.get().headers["Content-Type"] == "text/plain"
        assert server.stop() == 0
        assert "hello info: Hello from Python" in server.log
    log = (tmp_path / ".dayfly/logs/hello.log").read_text(encoding="utf-8")
    assert json.loads(log.splitlines()[0])["text"] == "Hello from Python"
    written = [file for kind in ("releases", "tenants", "logs") for file in (tmp_path / ".dayfly" / kind).rglob("*")]
    machine = [str(path).encode() for path in (REPOSITORY, Path.home(), tmp_path)]
    guilty = [file.name for file in written if file.is_file() for path in machine if path in file.read_bytes()]
    assert guilty == []
