"""`dayfly dev`: what a save does, what a request sees, and what the developer is shown."""

import http.client
import json
import os
import queue
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from tests.conftest import DAYFLY, Run
from tests.e2e.conftest import READY_SECONDS

PROGRAM = 'def on_client_request(path):\n    return "STAMP " + path\n'
SAVES = int(os.environ.get("DAYFLY_SAVES", "40"))


class Dev:
    """A running `dayfly dev --json`."""

    def __init__(self, process: "subprocess.Popen[str]", directory: Path) -> None:
        self.process, self.directory = process, directory
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.put(json.loads(line))

    def ready(self) -> Self:
        """Wait until it serves."""
        self.port = int(self.until("serving", READY_SECONDS)["url"].rpartition(":")[2])
        return self

    def until(self, event: str, seconds: float = 30) -> dict[str, Any]:
        """Wait for an event; others are passed over."""
        while True:
            found = self.events.get(timeout=seconds)
            if found["event"] == event:
                return found

    def save(self, stamp: str, file: str = "app.py") -> None:
        """Write the program in place."""
        (self.directory / file).write_text(PROGRAM.replace("STAMP", stamp), encoding="utf-8")

    def get(self, path: str = "/", method: str = "GET", body: str | None = None) -> tuple[int, str]:
        """Send one request to whichever host."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


Start = Callable[..., AbstractContextManager[Dev]]


@pytest.fixture
def dev(tmp_path: Path) -> Start:
    """Return a function that makes a directory and runs `dayfly dev` in it."""

    @contextmanager
    def start(files: dict[str, str] | None = None, **variables: str) -> Iterator[Dev]:
        directory = tmp_path / "shop"
        directory.mkdir()
        for name, content in (files or {"app.py": PROGRAM}).items():
            (directory / name).write_text(content, encoding="utf-8")
        with subprocess.Popen(
            [DAYFLY, "dev", "--port", "0", "--json"],
            cwd=directory,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Dev(process, directory).ready()
                process.send_signal(signal.SIGINT)
                assert process.wait(30) == 0
            finally:
                process.kill()
        assert not (directory / ".dayfly").exists()

    return start


def test_a_request_after_a_save_is_answered_by_what_was_saved(dev: Start) -> None:
    """Always: however the file is written, and however soon the request comes. The seed of the order is printed."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    order = random.Random(seed)
    with dev() as shop:
        assert shop.get("/a") == (200, "STAMP /a")
        for number in range(SAVES):
            stamp = f"version {number % 10}"  # of one length: size and date may be those of the last one
            if order.random() < 0.5:
                shop.save(stamp)
            else:
                shop.save(stamp, ".aside")
                (shop.directory / ".aside").replace(shop.directory / "app.py")
            for _ in range(order.randrange(1, 3)):
                assert shop.get("/b") == (200, f"{stamp} /b")


def test_a_save_that_cannot_be_deployed_is_answered_with_the_reason(dev: Start) -> None:
    """Never by what was there before; a content is no reason to look away."""
    with dev() as shop:
        (shop.directory / "app.py").write_text("def on_client_request(:\n", encoding="utf-8")
        for method, body in (("GET", None), ("POST", "content")):
            status, text = shop.get("/", method, body)
            assert status == 503
            assert "app.py:1: the program cannot be loaded: SyntaxError" in text
        assert "SyntaxError" in shop.until("broken")["problem"]
        (shop.directory / "dayfly.toml").write_text("nonsense = 1\n", encoding="utf-8")
        assert "unknown key `nonsense`" in shop.get()[1]
        (shop.directory / "dayfly.toml").unlink()
        shop.save("mended")
        assert shop.get() == (200, "mended /")


def test_a_request_waits_for_a_file_that_is_being_written(dev: Start) -> None:
    """Half of it is never asked."""
    with dev() as shop, ThreadPoolExecutor(1) as pool:
        first, second = PROGRAM.replace("STAMP", "whole").split("\n", 1)
        with (shop.directory / "app.py").open("w", encoding="utf-8") as file:
            file.write(first)
            file.flush()
            answer = pool.submit(shop.get)
            assert not wait([answer], 0.2).done
            file.write(f"\n{second}")
        assert answer.result(30) == (200, "whole /")


def test_a_save_is_live_without_a_request(dev: Start) -> None:
    """And told with its steps."""
    with dev() as shop:
        shop.save("two")
        live = shop.until("live")
        while not live["changed"]:  # the first one was the start
            live = shop.until("live")
        assert (live["tenant"], live["changed"]) == ("shop", ["app.py"])
        assert {"freeze", "publish"} <= set(live["steps_ms"])


def test_requests_are_shown_with_their_cost_and_traceback(dev: Start) -> None:
    """In the order in which they were answered."""
    program = 'def on_client_request(path):\n    print("asked for", path)\n    return str(1 / len(path[1:]))\n'
    with dev({"app.py": program}) as shop:
        assert shop.get("/ab?c=d") == (200, "0.5")
        request = shop.until("request")
        assert (request["method"], request["target"], request["status"]) == ("GET", "/ab?c=d", 200)
        assert request["cpu_ns"] > 0
        assert request["pages"] > 0
        assert shop.until("log")["text"] == "asked for /ab"
        assert shop.get("/")[0] == 500
        request = shop.until("request")
        assert request["status"] == 500
        lines = [shop.until("log"), shop.until("log")]
        assert lines[0]["text"] == "asked for /"
        assert "ZeroDivisionError" in lines[1]["text"]
        assert {line["request_id"] for line in lines} == {request["request_id"]}


def test_secrets_are_variables_of_the_environment(dev: Start) -> None:
    """Those that are not set are named."""
    program = 'import os\ndef on_client_request():\n    return os.environ["API_KEY"]\n'
    files = {"app.py": program, "dayfly.toml": 'secrets = ["API_KEY", "OTHER"]\n'}
    with dev(files, API_KEY="from outside") as shop:
        assert shop.get() == (200, "from outside")


def test_a_tenant_may_get_another_name_and_path(dev: Start) -> None:
    """It answers on every host, whatever dayfly.toml says."""
    with dev() as shop:
        (shop.directory / "dayfly.toml").write_text('name = "store"\npaths = ["/s"]\n', encoding="utf-8")
        assert shop.get("/a") == (200, "STAMP /a")
        assert shop.get("/s/a") == (200, "STAMP /a")


def test_a_directory_may_be_replaced(dev: Start, tmp_path: Path) -> None:
    """As a checkout of another branch does it."""
    with dev() as shop:
        other = tmp_path / "other"
        shutil.copytree(shop.directory, other)
        (other / "app.py").write_text(PROGRAM.replace("STAMP", "other"), encoding="utf-8")
        for file in other.iterdir():
            file.replace(shop.directory / file.name)
        assert shop.get() == (200, "other /")


def test_what_cannot_be_served_is_one_line(run: Run, tmp_path: Path) -> None:
    """A directory that is none, a port that is taken."""
    done = run("dev", tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not a directory" in done.stderr
    assert run("dev", tmp_path, "--port", 70000).returncode == 2
