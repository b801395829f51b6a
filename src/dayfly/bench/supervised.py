"""A server as `dayfly serve` has it, with a worker and a spare one, and clients that check every answer."""

import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from dayfly.bench.running import serving
from dayfly.bench.servers import BINARIES
from dayfly.config import Tenant
from dayfly.core import CoreOptions, NativeCore, ServerOptions
from dayfly.deploy import Deployed, Workshop, deploy
from dayfly.errors import InternalError, ToolMissing
from dayfly.registry import Housekeeper, Registry
from dayfly.toolchain.toolchain import code_cache
from dayfly.worker import WorkerCore
from dayfly.worker.core import Watch

BODY_BYTES = 64 << 10
STAMP = "{number:08d}"
NAME = "stamped"

PROGRAM = f"""stamp = "{STAMP}"
half = {BODY_BYTES // 2}
body = stamp + "." * (half - len(stamp)) + stamp + "." * (half - 2 * len(stamp)) + stamp


def on_client_request():
    return "text/plain", body
"""
"""A program of tier `python` whose answer has a number at its start, in its middle and at its end."""


@dataclass
class Supervised:
    """A running server."""

    core: WorkerCore
    registry: Registry
    directory: Path
    port: int = 0
    _workshop: Workshop = field(default_factory=Workshop)

    def deploy(self, number: int) -> Deployed:
        """Deploy the program with another number."""
        self.directory.mkdir(exist_ok=True)
        (self.directory / "app.py").write_text(PROGRAM.format(number=number), encoding="utf-8")
        tenant = Tenant.load(self.directory)
        return deploy(tenant, self.directory, workshop=self._workshop, registry=self.registry, core=self.core)


@contextmanager
def supervised(watch: Watch | None = None) -> Iterator[Supervised]:
    """Serve number 0 of the program on a free port for as long as the block lasts."""
    options = CoreOptions(code_cache=code_cache())
    with (
        tempfile.TemporaryDirectory(prefix="dayfly-bench-") as name,
        Registry.open(Path(name) / "data") as registry,
        Housekeeper(registry),
    ):
        core = WorkerCore(options, NativeCore(options), keep=[registry.lock], watch=watch)
        server = Supervised(core, registry, Path(name) / NAME)
        server.deploy(0)
        with serving(core, ServerOptions(port=0)) as url:
            server.port = urlsplit(url).port or 0
            yield server


@dataclass(frozen=True)
class Seen:
    """What the clients have seen."""

    answers: int
    failed: int
    """Answers without status 200."""
    lost: int
    """Requests whose connection ended before their answer was whole."""
    closed: int
    """Connections that the server ended."""
    refused: int
    """Connections that there were not."""
    mixed: int
    """Answers with parts of two releases."""
    stale: int
    """Answers of a release that was not live any more when they were asked for."""


class Witness:
    """Clients of three kinds that ask without pause: keep-alive, pipelining, and a new connection for each request."""

    def __init__(self, port: int) -> None:
        """Start them. Raises ToolMissing if they are not built."""
        if not (BINARIES / "witness").exists():
            raise ToolMissing("the clients, `witness`, are not built; make bench-servers")
        command = [str(BINARIES / "witness"), "--port", str(port), "--host", f"{NAME}.localhost"]
        self._process = subprocess.Popen(
            [*command, "--bytes", str(BODY_BYTES)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._last = "0"
        self._answers = 0
        self._rising = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="witness")
        self._reader.start()

    def say_live(self, number: int) -> None:
        """Have requests from now on answered by this release or a later one."""
        pipe = self._pipe
        pipe.write(f"{number}\n")
        pipe.flush()

    def wait_for(self, answers: int) -> None:
        """Wait until there have been so many answers."""
        with self._rising:
            self._rising.wait_for(lambda: self._answers >= answers or not self._reader.is_alive())

    def end(self) -> Seen:
        """Let them have the answers that they wait for, and say what they have seen."""
        self._pipe.close()
        self._reader.join()
        if self._process.wait():
            raise InternalError(f"the clients ended with status {self._process.returncode}")
        return Seen(**json.loads(self._last))

    @property
    def _pipe(self) -> IO[str]:
        if self._process.stdin is None:
            raise InternalError("the clients hear nothing")
        return self._process.stdin

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with self._rising:
                self._last = line
                self._answers = int(line) if line.strip().isdigit() else self._answers
                self._rising.notify_all()
        with self._rising:
            self._rising.notify_all()
