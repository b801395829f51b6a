"""The client: whom it asks, what it says when it cannot, and that a refusal there is the same error here."""

import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dayfly import errors
from dayfly.admin.client import Client
from dayfly.errors import DayflyError, InternalError, InvalidOption, NotFound, ServerRefused, ServerUnreachable
from tests.admin.conftest import source


@contextmanager
def answering(status: int, content: bytes) -> Iterator[str]:
    """Answer every request in one way."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/problem+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def asking(status: int, content: bytes) -> Iterator[Client]:
    """Ask such a server."""
    with answering(status, content) as url, Client.open(url, None, Path("/nowhere")) as client:
        yield client


def refusal(kind: str, **more: Any) -> bytes:
    """Write a problem."""
    return json.dumps({"kind": kind, "detail": "what is wrong", "field": "name", "request_id": "1", **more}).encode()


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAYFLY_SERVER", raising=False)
    monkeypatch.delenv("DAYFLY_TOKEN", raising=False)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (kind, error)
        for error in vars(errors).values()
        if isinstance(error, type)
        and issubclass(error, DayflyError)
        and (kind := error.kind) not in {"error", "internal"}
    ],
)
def test_a_refusal_is_the_same_error_here(kind: str, error: type[DayflyError]) -> None:
    """Of the same class, so with the same exit code, if it is one for what was sent."""
    with asking(422, refusal(kind)) as client, pytest.raises(DayflyError, match="what is wrong") as caught:
        client.get("/v1/tenants")
    assert type(caught.value) is (error if error.exit_code == 1 else ServerRefused)
    assert caught.value.field == "name"


def test_a_refusal_of_an_unknown_kind_is_one_too() -> None:
    """A newer server may know more kinds; our own fault there is our own fault here."""
    for content, error, words in (
        (refusal("moon"), ServerRefused, "what is wrong"),
        (refusal("internal"), InternalError, "what is wrong"),
        (b"<html>", ServerRefused, "the server answered 422"),
        (b"[]", ServerRefused, "the server answered 422"),
    ):
        with asking(422, content) as client, pytest.raises(error, match=words):
            client.get("/v1/tenants")


def test_what_is_no_dayfly_is_told() -> None:
    """Somebody else's server answers with something."""
    with asking(200, b"<html>") as client, pytest.raises(ServerRefused, match="is not a dayfly server; see --server"):
        client.get("/v1/tenants")


@pytest.mark.parametrize("server", ["http://127.0.0.1:1", "http://no-such-host.invalid", "/nowhere/admin.sock", None])
def test_who_cannot_be_reached_is_told(tmp_path: Path, server: str | None) -> None:
    """With where it was looked for, and exit code 3."""
    with pytest.raises(ServerUnreachable, match="no server answers at") as caught:  # noqa: SIM117 - it may be refused early
        with Client.open(server, None, tmp_path) as client:
            client.get("/v1/tenants")
    assert caught.value.exit_code == 3
    assert (server or str(tmp_path)) in str(caught.value)


@pytest.mark.parametrize("server", ["ftp://host", "http://", "http://[", "https://ho st", "http://host:port"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, server: str) -> None:
    """With what is allowed."""
    with pytest.raises(InvalidOption, match="--server cannot be"):
        Client.open(server, None, tmp_path)


@pytest.mark.parametrize("token", ["a b", "a\nb", "\u00e9", "a\0"])
def test_a_token_that_is_none_is_not_sent(tmp_path: Path, token: str) -> None:
    """It was copied with something around it."""
    with pytest.raises(InvalidOption, match="--token has characters that no token has"):
        Client.open("http://127.0.0.1:1", token, tmp_path)


def test_the_environment_names_server_and_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no option does."""
    with answering(404, refusal("not_found")) as url:
        monkeypatch.setenv("DAYFLY_SERVER", url)
        with Client.open(None, None, tmp_path) as client, pytest.raises(NotFound):
            client.get("/v1/tenants")
        with Client.open("http://127.0.0.1:1", None, tmp_path) as client, pytest.raises(ServerUnreachable):
            client.get("/v1/tenants")
    monkeypatch.setenv("DAYFLY_TOKEN", "not a token")
    with pytest.raises(InvalidOption, match="--token"):
        Client.open(None, None, tmp_path)


def test_the_socket_may_be_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a directory above this one, if it is ours; a file of that name or somebody else's socket is not."""
    (tmp_path / "shop/src").mkdir(parents=True)
    (tmp_path / ".dayfly").mkdir()
    monkeypatch.chdir(tmp_path / "shop/src")
    (tmp_path / "shop/.dayfly").mkdir()
    (tmp_path / "shop/.dayfly/admin.sock").touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / ".dayfly/admin.sock"))
        place = str(tmp_path / ".dayfly/admin.sock")
        with pytest.raises(ServerUnreachable, match=place):
            Client.open(None, None, Path(".dayfly"))
        monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
        with pytest.raises(ServerUnreachable, match=r"`\.dayfly/admin\.sock`"):
            Client.open(None, None, Path(".dayfly"))


def test_a_silent_server_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as good as none."""
    monkeypatch.setattr("dayfly.admin.client.DEPLOY_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            Client.open(url, None, tmp_path) as client,
            pytest.raises(ServerUnreachable, match="does not answer in time"),
        ):
            client.deploy("shop", source("shop"))
