"""A real server on a real socket."""

import http.client
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import DAYFLY
from tests.resolver.index import LocalIndex, installed, serving, wheel

READY_SECONDS = 240
"""The first start on a machine builds the C++ runtime library."""


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Server:
    """A running `dayfly serve`."""

    process: "subprocess.Popen[str]"
    url: str
    errors: Path
    """Where its standard error goes."""

    def get(self, path: str = "/", host: str = "hello.localhost", method: str = "GET") -> Answer:
        """Send one request on a connection of its own."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
        try:
            connection.request(method, path, headers={"Host": host})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)

    @property
    def log(self) -> str:
        """Return what it has written to standard error."""
        return self.errors.read_text(encoding="utf-8")


Serve = Callable[..., AbstractContextManager[Server]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Return a function that serves tenant directories on a free port; it prints one line and no more."""

    @contextmanager
    def start(*words: object, port: int = 0) -> Iterator[Server]:
        errors = tmp_path / f"stderr-{len(list(tmp_path.glob('stderr-*')))}"
        command = [str(DAYFLY), "serve", *map(str, words), "--port", str(port)]
        with (
            errors.open("w") as stderr,
            subprocess.Popen(
                command,
                cwd=tmp_path,
                env={**os.environ, "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as process,
        ):
            lines = _reader(process)
            try:
                first = lines.get(timeout=READY_SECONDS)
                assert first is not None, errors.read_text()
                assert first.startswith("serving http://127.0.0.1:"), first
                yield Server(process, first.removeprefix("serving ").strip(), errors)
            finally:
                process.kill()
            assert lines.get(timeout=30) is None, "more than one line on standard output"

    return start


def _reader(process: "subprocess.Popen[str]") -> "queue.Queue[str | None]":
    """Read lines in the background, so that waiting for one can have a deadline; None is the end."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines


FLASK = ("flask", "werkzeug", "jinja2", "markupsafe", "click", "itsdangerous", "blinker")


@pytest.fixture
def flask_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIndex]:
    """Return an index with the packages of Flask as they are installed here, and one that cannot be used."""
    with serving(LocalIndex()) as served:
        for name in FLASK:
            served.add(name, installed(name))
        served.add("numpy", wheel("numpy", "2.0", tag="cp314-cp314-manylinux_2_17_x86_64"))
        monkeypatch.setenv("DAYFLY_INDEX", served.url)
        yield served
