"""Python programs in sandboxes beside servers that have none, and beside a process forked for each request.

Every server has one processor and one worker, and answers with the very same functions (`bench/programs`). What counts
is requests for each second of its CPU time, with all of its processes: that does not depend on how fast the load
generator is.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from dayfly.bench import wrk
from dayfly.bench.running import REPOSITORY, Placement, python_tenant, running, tree_cpu_seconds
from dayfly.core import CoreOptions, ServerOptions
from dayfly.errors import InternalError, InvalidOption, ToolMissing

PROGRAMS_DIRECTORY = REPOSITORY / "bench/programs"
SANDBOXED, COMPILED = "dayfly", "dayfly compiled"
GRANIAN, GUNICORN, UVICORN, FORKED = "granian", "gunicorn", "uvicorn", "fork"
_OBJECT = ", ".join(f'"field{n}": {value}' for n, value in enumerate(["12", "3.5", "true", '"text"', "null"] * 4))


@dataclass(frozen=True)
class Program:
    """One program of the benchmark, and what it is asked."""

    source: str
    """Its directory, whose name is the program's."""
    path: str = "/"
    body: str = ""
    """Sent with POST if there is one."""
    compiled: bool = False
    """The compiled tier can serve it as well."""
    asgi: bool = True
    """It is a function, so that an ASGI server can call it too."""

    @property
    def name(self) -> str:
        """Name it in tables and on the command line."""
        return Path(self.source).name


PROGRAMS = (
    Program("examples/hello", compiled=True),
    Program("bench/programs/json_echo", body="{" + _OBJECT + "}"),
    Program("bench/programs/page", "/some/path"),
    Program("bench/programs/flask_hello", asgi=False),
    Program("bench/programs/table"),
    Program("bench/programs/routing", "/files/17/lines/4"),
    Program("examples/mandelbrot", compiled=True),
)


@dataclass(frozen=True)
class PeerOptions:
    """Which programs, and for how long each server answers each of them."""

    programs: tuple[str, ...] = tuple(program.name for program in PROGRAMS)
    seconds: float = 1
    rounds: int = 3
    connections: int = 8


@dataclass(frozen=True)
class Row:
    """One server with one program; of several rounds, the medians."""

    program: str
    server: str
    rps: float
    p50_us: float
    p99_us: float
    cpu_us: float
    """CPU time of all processes of the server for one request."""
    failed: int


@dataclass(frozen=True)
class _Target:
    url: str
    cpu_seconds: Callable[[], float]
    connections: int


def measure(options: PeerOptions, console: Console) -> list[Row]:
    """Load all servers in turn. Raises ToolMissing if one of them is not installed."""
    wrk.require()
    for tool in (GRANIAN, GUNICORN, UVICORN):
        _command(tool)
    programs = _chosen(options.programs)
    placement = Placement.of_this_machine(1)
    rows = []
    with Progress(console=console) as progress:
        task = progress.add_task("measuring", total=len(programs) * options.rounds)
        for program in programs:
            with ExitStack() as servers:
                targets: dict[str, _Target] = {}
                for name, start in _servers(program, placement, options.connections):
                    targets[name] = servers.enter_context(start)
                rounds: dict[str, list[Row]] = {name: [] for name in targets}
                for _ in range(options.rounds):
                    for name, target in targets.items():
                        rounds[name].append(_round(program, name, target, placement, options.seconds))
                    progress.advance(task)
            rows += [_middle(of_one) for of_one in rounds.values()]
    return rows


def _chosen(names: tuple[str, ...]) -> list[Program]:
    known = {program.name: program for program in PROGRAMS}
    for name in names:
        if name not in known:
            raise InvalidOption(f"there is no program `{name}`; allowed: {', '.join(known)}")
    return [known[name] for name in names]


def _servers(
    program: Program, placement: Placement, connections: int
) -> Iterator[tuple[str, AbstractContextManager[_Target]]]:
    """Name each server; they are not started yet."""
    yield SANDBOXED, _sandboxed(program.source, placement, connections)
    if program.compiled:
        yield COMPILED, _compiled(program.source, placement, connections)
    for name in (GRANIAN, GUNICORN, *((UVICORN,) if program.asgi else ())):
        yield name, _unsandboxed(name, program, placement, connections)
    # It serves one connection after the other.
    yield FORKED, _unsandboxed(FORKED, program, placement, 1)


_ONE_THREAD = CoreOptions(code_cache=Path(), threads=1, overflow_threads=1, spin_us=0)


@contextmanager
def _sandboxed(source: str, placement: Placement, connections: int) -> Iterator[_Target]:
    with tempfile.TemporaryDirectory(prefix="dayfly-bench-") as name:
        directory = python_tenant(source, Path(name))
        with running([directory], placement, _ONE_THREAD, ServerOptions()) as server:
            yield _Target(server.url, server.cpu_seconds, connections)


@contextmanager
def _compiled(source: str, placement: Placement, connections: int) -> Iterator[_Target]:
    with running([source], placement, _ONE_THREAD, ServerOptions()) as server:
        yield _Target(server.url, server.cpu_seconds, connections)


@contextmanager
def _unsandboxed(name: str, program: Program, placement: Placement, connections: int) -> Iterator[_Target]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    cpus = ",".join(map(str, sorted(placement.server)))
    process = subprocess.Popen(
        ["taskset", "--cpu-list", cpus, *_arguments(name, port)],
        cwd=PROGRAMS_DIRECTORY,
        env=os.environ | {"DAYFLY_BENCH_PROGRAM": str(REPOSITORY / program.source)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield _Target(f"http://127.0.0.1:{port}", lambda: tree_cpu_seconds(process.pid), connections)
    finally:
        process.terminate()
        process.wait()


def _arguments(name: str, port: int) -> list[str]:
    """Return the command line of a server with one worker and no access log."""
    address = ["--host", "127.0.0.1", "--port", str(port)]
    match name:
        case "granian":
            options = ["--interface", "wsgi", "--workers", "1", "--no-ws", "--no-access-log", "--log-level", "error"]
            return [_command(name), *options, *address, "native:application"]
        case "gunicorn":
            options = ["--worker-class", "gthread", "--threads", "1", "--workers", "1", "--log-level", "error"]
            return [_command(name), *options, "--bind", f"127.0.0.1:{port}", "native:application"]
        case "uvicorn":
            options = ["--no-access-log", "--log-level", "error", "--http", "httptools", "--loop", "uvloop"]
            return [_command(name), *options, *address, "native:asgi"]
    return [sys.executable, "native.py", str(port)]


def _command(name: str) -> str:
    """Find a server beside this Python or on the path. Raises ToolMissing."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise ToolMissing(f"`{name}` is not installed; pip install granian gunicorn 'uvicorn[standard]'")
    return found


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Return once something listens on the port."""
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise InternalError(f"a server of the benchmark did not start (status {process.poll()})")


def _round(program: Program, server: str, target: _Target, placement: Placement, seconds: float) -> Row:
    # Where several tenants are mounted, dayfly's is found by its prefix.
    prefix = f"/{program.name}" if server == SANDBOXED else ""
    host = f"{program.name}.localhost" if server == COMPILED else ""
    load = wrk.Load(
        url=target.url + prefix + program.path,
        threads=1,
        connections=target.connections,
        seconds=seconds,
        cpus=placement.load,
        body=program.body,
        host=host,
    )
    cpu = target.cpu_seconds()
    result = wrk.run(load)
    cpu = target.cpu_seconds() - cpu
    return Row(
        program.name,
        server,
        result.rps,
        result.p50_us,
        result.p99_us,
        cpu * 1e6 / max(1, result.requests),
        result.failed + result.broken,
    )


def _middle(rounds: list[Row]) -> Row:
    return Row(
        rounds[0].program,
        rounds[0].server,
        median(row.rps for row in rounds),
        median(row.p50_us for row in rounds),
        median(row.p99_us for row in rounds),
        median(row.cpu_us for row in rounds),
        sum(row.failed for row in rounds),
    )


def to_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Return one object for each row; `ratio` is dayfly's requests a CPU second through this server's."""
    values = []
    for row in rows:
        sandboxed = next(other for other in rows if other.program == row.program and other.server == SANDBOXED)
        values.append(
            {
                "program": row.program,
                "server": row.server,
                "rps": round(row.rps, 1),
                "p50_us": row.p50_us,
                "p99_us": row.p99_us,
                "cpu_us": round(row.cpu_us, 2),
                "rps_cpu": round(1e6 / row.cpu_us, 1),
                "ratio": round(row.cpu_us / sandboxed.cpu_us, 3),
                "failed": row.failed,
            }
        )
    return values


def to_table(rows: list[Row]) -> Table:
    """Return the table that is printed."""
    table = Table(title="Python: a new sandbox for each request beside servers without one, one processor each")
    for heading in ("program", "server"):
        table.add_column(heading)
    for heading in ("requests/s", "p50", "p99", "CPU/request", "requests/CPU s", "dayfly : it", "failed"):
        table.add_column(heading, justify="right")
    for row in to_json(rows):
        table.add_row(
            row["program"],
            row["server"],
            f"{row['rps']:,.0f}",
            f"{row['p50_us']:.0f} us",
            f"{row['p99_us']:.0f} us",
            f"{row['cpu_us']:,.1f} us",
            f"{row['rps_cpu']:,.0f}",
            f"{row['ratio']:.2f}",
            str(row["failed"]),
            end_section=row["server"] == FORKED,
        )
    return table
