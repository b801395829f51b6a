"""A `WorkerCore` that serves on a free port, with its registry."""

import http.client
import os
import queue
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dayfly.config import Tenant
from dayfly.confinement import Policy, readable
from dayfly.core import CoreOptions, NativeCore, ServerOptions
from dayfly.deploy import Workshop, deploy
from dayfly.registry import Registry
from dayfly.toolchain.toolchain import code_cache
from dayfly.worker import WorkerCore
from dayfly.worker.core import Watch
from tests.conftest import HELLO_WAT

SECONDS = 60
"""For what happens soon."""


@dataclass
class Served:
    """A core that serves, and what is published on it."""

    core: WorkerCore
    registry: Registry
    port: int

    @property
    def process(self) -> int:
        """The worker."""
        return self.core.process_id

    def deploy(self, directory: Path) -> None:
        """As `dayfly serve` does."""
        deploy(Tenant.load(directory), directory, workshop=Workshop(), registry=self.registry, core=self.core)

    def get(self, name: str = "hello") -> tuple[int, bytes]:
        """Ask a tenant on a connection of its own; ask again as long as the connection ends without an answer."""
        for _ in range(1000):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
            try:
                connection.request("GET", "/", headers={"Host": f"{name}.localhost"})
                response = connection.getresponse()
                return response.status, response.read()
            except (http.client.RemoteDisconnected, ConnectionResetError):
                continue
            finally:
                connection.close()
        raise AssertionError("nothing but closed connections")


Serve = Callable[..., AbstractContextManager[Served]]


def wait_for_end(process: int) -> None:
    """Wait until a process is gone, also one that is not our child."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], SECONDS)[0], "it does not end"
    finally:
        os.close(descriptor)


@pytest.fixture
def serve(tmp_path: Path, make_tenant: Callable[..., Path]) -> Serve:
    """Return a function that serves tenant `hello` with two threads."""

    @contextmanager
    def serving(watch: Watch | None = None) -> Iterator[Served]:
        options = CoreOptions(code_cache=code_cache(), threads=2, overflow_threads=1)
        ports: queue.Queue[int] = queue.Queue()
        with Registry.open(tmp_path / "data") as registry:
            policy = Policy("worker", read=readable(registry.releases, code_cache()))
            core = WorkerCore(options, NativeCore(options), keep=[registry.lock], watch=watch, policy=policy)
            served = Served(core, registry, 0)
            served.deploy(make_tenant("hello", {"app.wat": HELLO_WAT, "dayfly.toml": 'tier = "wasm"\n'}))
            thread = threading.Thread(
                target=core.serve, args=(ServerOptions(port=0), lambda _host, port: ports.put(port))
            )
            thread.start()
            try:
                served.port = ports.get(timeout=SECONDS)
                yield served
            finally:
                core.stop()
                thread.join(SECONDS)
            assert not thread.is_alive()

    return serving
