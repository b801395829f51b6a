"""A server in this process with tenants of its own, in a data directory that goes away with it."""

import os
import queue
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dayfly.config import Tenant
from dayfly.core import CoreOptions, NativeCore, ServerOptions
from dayfly.deploy import Workshop, deploy
from dayfly.errors import ConfigError
from dayfly.registry import Registry
from dayfly.toolchain.toolchain import code_cache

REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Placement:
    """Who runs where: the server on its processors, the load on the others."""

    server: frozenset[int]
    load: frozenset[int]

    @classmethod
    def of_this_machine(cls, server_cpus: int) -> "Placement":
        """Give the server the first processors; with only one in the machine, both share it."""
        cpus = sorted(os.sched_getaffinity(0))
        return cls(frozenset(cpus[:server_cpus]), frozenset(cpus[server_cpus:] or cpus))


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    core: NativeCore
    url: str

    def cpu_seconds(self) -> float:
        """CPU time of this process since its start; besides the server it only waits."""
        return time.process_time()


def tenant_directory(source: str, scratch: Path) -> Path:
    """Return the directory of an example, or of a guest after making one below `scratch`, mounted at `/<name>`.

    Raises ConfigError if it is not there: benchmarks measure the tenants of a checkout.
    """
    path = REPOSITORY / source
    if path.is_dir():
        return path
    if not path.exists():
        raise ConfigError(f"there is no `{source}` in `{REPOSITORY}`; run benchmarks from a checkout of dayfly")
    directory = scratch / path.stem
    directory.mkdir(exist_ok=True)
    (directory / "app.wat").write_bytes(path.read_bytes())
    (directory / "dayfly.toml").write_text(f'tier = "wasm"\npaths = ["/{path.stem}"]\n', encoding="utf-8")
    return directory


@contextmanager
def running(
    sources: list[str], placement: Placement, core_options: CoreOptions, options: ServerOptions
) -> Iterator[Running]:
    """Serve examples and guests on a free port of this machine, for as long as the block lasts."""
    before = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="dayfly-bench-") as name:
        scratch = Path(name)
        with Registry.open(scratch / "data") as registry:
            os.sched_setaffinity(0, placement.server)  # threads started from here on inherit it
            try:
                core = NativeCore(replace(core_options, code_cache=code_cache()))
                workshop = Workshop()
                for source in sources:
                    directory = tenant_directory(source, scratch)
                    tenant = Tenant.load(directory)
                    deploy(tenant, directory, workshop=workshop, registry=registry, core=core)
                with _serving(core, replace(options, port=0)) as url:
                    yield Running(core, url)
            finally:
                os.sched_setaffinity(0, before)


@contextmanager
def _serving(core: NativeCore, options: ServerOptions) -> Iterator[str]:
    """Serve in a thread; give the address once it answers."""
    outcome: queue.Queue[str | BaseException] = queue.Queue()

    def work() -> None:
        try:
            core.serve(options, lambda host, port: outcome.put(f"http://{host}:{port}"))
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
            outcome.put(error)

    thread = threading.Thread(target=work, name="data-plane")
    thread.start()
    first = outcome.get()
    if isinstance(first, BaseException):
        thread.join()
        raise first
    try:
        yield first
    finally:
        core.stop()
        thread.join()


def resident_bytes() -> int:
    """Return the resident memory of this process, in which the server runs."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()
