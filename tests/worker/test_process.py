"""A worker process under a supervisor that says anything, or nothing any more."""

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dayfly.config import SECRET_BYTES_MAX, TOML_BYTES_MAX, Tenant
from dayfly.core import Canary, CoreOptions, to_json
from dayfly.toolchain.toolchain import code_cache
from dayfly.worker.channel import ORDER_BYTES_MAX
from dayfly.worker.estate import Estate
from dayfly.worker.process import Predecessor, Published, in_batches

Started = "tuple[subprocess.Popen[bytes], socket.socket]"


@pytest.fixture
def started() -> "Iterator[tuple[subprocess.Popen[bytes], socket.socket]]":
    """Return a worker process and the supervisor's end of its socket."""
    ours, theirs = socket.socketpair()
    options = to_json(CoreOptions(code_cache=code_cache(), threads=1, overflow_threads=1))
    program = "import sys; from dayfly import _core; _core.run_worker(sys.argv[1])"
    ours.settimeout(60)
    with ours, theirs:
        process = subprocess.Popen([sys.executable, "-c", program, options], stdin=theirs.fileno())
        theirs.close()
        try:
            assert receive(ours)["hello"]["protocol"] == 1
            yield process, ours
        finally:
            process.kill()
            process.wait()


def receive(ours: socket.socket) -> dict[str, Any]:
    """Receive one message."""
    (length,) = struct.unpack("<I", ours.recv(4, socket.MSG_WAITALL))
    message: dict[str, Any] = json.loads(ours.recv(length, socket.MSG_WAITALL))
    return message


def send(ours: socket.socket, number: int, **order: object) -> None:
    """Send one order."""
    octets = json.dumps({"id": number, "order": order}).encode()
    ours.sendall(struct.pack("<I", len(octets)) + octets)


def test_tenants_are_published_in_messages_that_fit() -> None:
    """Many small ones with one; the largest that there can be with one of its own, which fits as well."""
    secrets = {f"K{number:0254}": "\x01" * SECRET_BYTES_MAX for number in range(200)}
    tenant, release = Tenant(name="a", hosts=("a.localhost",)), Path("/nowhere")
    small = Published(tenant, release, {})
    large = Published(tenant, release, secrets, Canary(release, 1, tenant.limits, secrets))
    batches = list(in_batches([small] * 500 + [large] + [small] * 500))
    assert [len(batch) for batch in batches] == [500, 1, 500]
    assert len(json.dumps(large.to_order())) + TOML_BYTES_MAX < ORDER_BYTES_MAX


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\x02\0\0\0{}",
        b"\x04\0\0\0\xff\xfe\0\0",
        struct.pack("<I", 100_000) + b"[" * 100_000,
        struct.pack("<I", 30) + b'{"id": 1, "order": {"no": {}}}',
        struct.pack("<I", 37) + b'{"id": -1, "order": {"stats": {}}}    ',
    ],
)
def test_it_leaves_a_supervisor_that_it_does_not_understand(started: Any, octets: bytes) -> None:
    """Or that is gone: in order, having said so."""
    process, ours = started
    ours.sendall(octets)
    ours.shutdown(socket.SHUT_WR)
    assert receive(ours) == {"ended": {"error": None, "logs": []}}
    assert process.wait(60) == 0


@pytest.mark.parametrize("seconds", [0, 60])
def test_the_worker_of_the_version_before_does_not_outlive_its_time(
    seconds: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither one that does not say its last word, nor one that lives on after it."""
    monkeypatch.setattr("dayfly.worker.process.END_SECONDS", 0.01)
    ours, theirs = socket.socketpair()
    with theirs, subprocess.Popen(["sleep", "600"]) as process:
        if seconds:
            theirs.shutdown(socket.SHUT_RDWR)
        predecessor = Predecessor(Estate(lock=-1, bound={}, process=process.pid, control=ours.detach()))
        assert predecessor.finish(seconds) == []
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)
    assert "does not end; it is killed" in caplog.text


@pytest.mark.parametrize("sockets", ["none", "one that does not listen", "a file"])
def test_it_serves_on_listening_sockets_only(started: Any, sockets: str) -> None:
    """It says what is wrong with others, and ends."""
    process, ours = started
    order = json.dumps({"id": 1, "order": {"serve": {"options": {}}}}).encode()
    message = struct.pack("<I", len(order)) + order
    with socket.socket() as other, open("/dev/null", "rb") as file:  # noqa: PTH123 - only its descriptor is wanted
        descriptors = {"none": [], "one that does not listen": [other.fileno()], "a file": [file.fileno()]}[sockets]
        socket.send_fds(ours, [message], descriptors)
        ended = receive(ours)["ended"]
    assert ended["error"]["kind"] == "usage"
    assert "listen" in ended["error"]["text"]
    assert process.wait(60) == 1


def test_it_says_what_it_cannot_do(started: Any) -> None:
    """And takes further orders."""
    process, ours = started
    tenant = {"name": "a", "hosts": ["a.localhost"]}
    send(ours, 1, publish={"tenants": [{"tenant": tenant, "release": "/nowhere"}]})
    (refused,) = receive(ours)["done"]["result"]
    assert (refused["name"], refused["error"]["kind"]) == ("a", "damaged")
    send(ours, 2, retire={"names": ["a", "b"]})
    assert receive(ours) == {"done": {"id": 2, "result": []}}
    send(ours, 3, poll={})
    assert receive(ours) == {"done": {"id": 3, "result": {"logs": [], "beats": []}}}
    send(ours, 4, stop={})
    assert receive(ours) == {"done": {"id": 4, "result": None}}
    assert receive(ours) == {"ended": {"error": None, "logs": []}}
    assert process.wait(60) == 0
