"""README's "First deploy", line for line, in two terminals."""

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import DAYFLY, REPOSITORY
from tests.e2e.conftest import READY_SECONDS, _reader

ANSWERS = {
    "dev": ['{"id":1,"name":"lamp"}', "", '{"id":1,"name":"lantern"}'],
    "serve": [
        "live",
        '{"id":1,"name":"lantern"}',
        "",
        "refused",
        '{"id":1,"name":"lantern"}',
        "",
        "live",
        '{"id":1,"name":"lighthouse"}',
        "",
        '{"id":1,"name":"lantern"}',
    ],
}


def blocks(port: int) -> list[list[str]]:
    """Return the commands of each block of the section, on a port of the test's own."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n## First deploy\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    changed = [re.sub(r"dayfly (dev|serve)", rf"dayfly \1 --port {port}", block) for block in found]
    return [block.replace(":8080", f":{port}").splitlines() for block in changed]


@pytest.fixture
def terminal(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a terminal in an empty directory."""
    return {**os.environ, "PATH": f"{DAYFLY.parent}:{os.environ['PATH']}", "PWD": str(tmp_path), "NO_COLOR": "1"}


@contextmanager
def first_terminal(line: str, directory: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run a line until it serves; end it with Ctrl-C."""
    process = subprocess.Popen(
        ["bash", "-c", line],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            lines = _reader(process)
            while not (lines.get(timeout=READY_SECONDS) or "").startswith("serving "):
                pass
            yield
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(30) in {0, 128 + signal.SIGINT, -signal.SIGINT}
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def second_terminal(line: str, directory: Path, environment: dict[str, str]) -> str:
    """Run a line to its end, and say what came of it."""
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if line.startswith("dayfly"):
        return _outcome(line, done)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _outcome(line: str, done: "subprocess.CompletedProcess[str]") -> str:
    if "rollback" in line:
        assert done.returncode == 0, done.stderr
        return ""
    if done.returncode == 0:
        assert re.fullmatch(r"live \w+ in \d+ ms", done.stdout.splitlines()[-1]), done.stdout
        return "live"
    assert done.returncode == 1
    assert "app.py:" in done.stderr
    return "refused"


def test_two_terminals_suffice(tmp_path: Path, terminal: dict[str, str]) -> None:
    """What a reader types works, and answers what the text says."""
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    dev, ask, serve, deploy = blocks(port)
    for (line,), questions, name in ((dev, ask, "dev"), (serve, deploy, "serve")):
        place = tmp_path if name == "dev" else tmp_path / "shop"
        with first_terminal(line, place, terminal):
            answers = [second_terminal(question, tmp_path, terminal) for question in questions]
        assert answers == ANSWERS[name]
    assert threading.active_count() < 20
