"""A server in this process with tenants of its own, in a data directory that goes away with it."""

import os
import queue
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dayfly.config import CONFIG_NAME, Tenant
from dayfly.core import Core, CoreOptions, NativeCore, ServerOptions
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


def python_tenant(source: str, scratch: Path, limits: str = "") -> Path:
    """Return a directory below `scratch` with a program of this checkout as a tenant of tier `python`, at `/<name>`.

    `limits`: lines of its `[limits]`.
    """
    path = REPOSITORY / source
    if not path.is_dir():
        raise ConfigError(f"there is no `{source}` in `{REPOSITORY}`; run benchmarks from a checkout of dayfly")
    directory = scratch / path.name
    shutil.copytree(path, directory, ignore=shutil.ignore_patterns(CONFIG_NAME, "__pycache__"), dirs_exist_ok=True)
    name = path.name.replace("_", "-")
    text = f'name = "python-{name}"\ntier = "python"\npaths = ["/{path.name}"]\n[limits]\n{limits}'
    (directory / CONFIG_NAME).write_text(text, encoding="utf-8")
    return directory


@contextmanager
def running(
    sources: list[str] | list[Path], placement: Placement, core_options: CoreOptions, options: ServerOptions
) -> Iterator[Running]:
    """Serve directories, or examples and guests by name, on a free port for as long as the block lasts."""
    before = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="dayfly-bench-") as name:
        scratch = Path(name)
        with Registry.open(scratch / "data") as registry:
            os.sched_setaffinity(0, placement.server)  # threads started from here on inherit it
            try:
                core = NativeCore(replace(core_options, code_cache=code_cache()))
                workshop = Workshop()
                for source in sources:
                    directory = source if isinstance(source, Path) else tenant_directory(source, scratch)
                    tenant = Tenant.load(directory)
                    deploy(tenant, directory, workshop=workshop, registry=registry, core=core)
                with serving(core, replace(options, port=0)) as url:
                    yield Running(core, url)
            finally:
                os.sched_setaffinity(0, before)


@contextmanager
def serving(core: Core, options: ServerOptions) -> Iterator[str]:
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


def tree_cpu_seconds(root: int) -> float:
    """Return the CPU time of a process and its descendants, ended ones included (proc(5), fields 4 and 14 to 17)."""
    parents, times = {}, {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:  # it ended while we looked
            continue
        pid = int(file.parent.name)
        parents[pid], times[pid] = int(fields[1]), sum(map(int, fields[11:15]))
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(times.get(pid, 0) for pid in family) / os.sysconf("SC_CLK_TCK")


def resident_bytes() -> int:
    """Return the resident memory of this process, in which the server runs."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()
