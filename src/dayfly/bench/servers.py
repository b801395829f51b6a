"""The product's HTTP code beside two reference servers that answer the same page: a bare epoll loop, and hyper 1.

* `floor`: one epoll loop that knows no HTTP and answers a constant: what the kernel costs
* `hyper1`: hyper 1 with its defaults
* `baseline`: dayfly's baseline path, polling before it sleeps or not (`--spin`)
"""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from dayfly.bench import wrk
from dayfly.bench.running import REPOSITORY, Placement, running, tree_cpu_seconds
from dayfly.core import CoreOptions, ServerOptions
from dayfly.errors import ToolMissing

FLOOR, HYPER, ASLEEP, AUTO = "floor", "hyper1", "baseline --spin 0", "baseline --spin auto"
TARGETS = (FLOOR, HYPER, ASLEEP, AUTO)
BINARIES = REPOSITORY / "target/bench-servers/release"


@dataclass(frozen=True)
class ServersOptions:
    """For each number of connections, each server in turn, `rounds` times."""

    connections: tuple[int, ...] = (1, 8, 64)
    seconds: float = 9
    rounds: int = 3


@dataclass(frozen=True)
class Row:
    """One server under one load."""

    target: str
    connections: int
    result: wrk.Result
    cpu_ns: float
    """CPU time of the server for one request."""


@dataclass(frozen=True)
class _Target:
    url: str
    cpu_seconds: Callable[[], float]


def measure(options: ServersOptions, console: Console) -> list[Row]:
    """Load all servers in turn. Raises ToolMissing if `wrk` or the reference servers are not there."""
    wrk.require()
    placement = Placement.of_this_machine(1)
    total = len(options.connections) * options.rounds * len(TARGETS)
    rows = []
    with ExitStack() as servers, Progress(console=console) as progress:
        task = progress.add_task("measuring", total=total)
        targets = {name: servers.enter_context(_started(name, placement)) for name in TARGETS}
        for connections in options.connections:
            rounds: dict[str, list[Row]] = {name: [] for name in TARGETS}
            for _ in range(options.rounds):
                for name, target in targets.items():
                    load = wrk.Load(target.url, 1, connections, options.seconds / options.rounds, placement.load)
                    rounds[name].append(_round(name, target, load))
                    progress.advance(task)
            rows += [_middle(rounds[name]) for name in TARGETS]
    return rows


def _round(name: str, target: _Target, load: wrk.Load) -> Row:
    cpu = target.cpu_seconds()
    result = wrk.run(load)
    return Row(name, load.connections, result, (target.cpu_seconds() - cpu) * 1e9 / max(1, result.requests))


def _middle(rounds: list[Row]) -> Row:
    results = [row.result for row in rounds]
    cpu_ns = median(row.cpu_ns for row in rounds)
    return Row(rounds[0].target, rounds[0].connections, wrk.Result.summed(results), cpu_ns)


@contextmanager
def _started(name: str, placement: Placement) -> Iterator[_Target]:
    """Start one of the servers, asleep while another one is measured."""
    if name in (FLOOR, HYPER):
        with _reference(name, placement) as target:
            yield target
        return
    core_options = CoreOptions(code_cache=Path(), threads=1, spin_us=0 if name == ASLEEP else None)
    with running([], placement, core_options, ServerOptions(baseline_path="/plain")) as server:
        yield _Target(f"{server.url}/plain", server.cpu_seconds)


@contextmanager
def _reference(name: str, placement: Placement) -> Iterator[_Target]:
    """Start a reference server on the server's processor."""
    binary = BINARIES / name
    if not binary.exists():
        raise ToolMissing(f"the reference server `{name}` is not built; make bench-servers")
    cpus = ",".join(map(str, sorted(placement.server)))
    command = ["taskset", "--cpu-list", cpus, str(binary), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield _Target(line.removeprefix("serving ").strip() + "/", lambda: tree_cpu_seconds(process.pid))
        finally:
            process.kill()


def to_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Return one object for each row; `cpu_ratio` is through the floor's, `rps_ratio` through hyper's."""
    return [
        {
            "target": row.target,
            "connections": row.connections,
            "rps": round(row.result.rps, 1),
            "p50_us": row.result.p50_us,
            "p99_us": row.result.p99_us,
            "cpu_ns": round(row.cpu_ns, 1),
            "failed": row.result.failed + row.result.broken,
            "cpu_ratio": round(row.cpu_ns / _of(FLOOR, row, rows).cpu_ns, 4),
            "rps_ratio": round(row.result.rps / _of(HYPER, row, rows).result.rps, 4),
        }
        for row in rows
    ]


def _of(target: str, row: Row, rows: list[Row]) -> Row:
    """Find what another server did under the same load."""
    return next(other for other in rows if other.target == target and other.connections == row.connections)


def to_table(rows: list[Row]) -> Table:
    """Return the table that is printed."""
    table = Table(title="The same page from four servers")
    for heading in ("connections", "server"):
        table.add_column(heading)
    for heading in ("requests/s", "p50", "p99", "CPU/request", "CPU : floor", "rate : hyper1", "failed"):
        table.add_column(heading, justify="right")
    for row in to_json(rows):
        table.add_row(
            str(row["connections"]),
            row["target"],
            f"{row['rps']:,.0f}",
            f"{row['p50_us']:.0f} us",
            f"{row['p99_us']:.0f} us",
            f"{row['cpu_ns']:,.0f} ns",
            f"{row['cpu_ratio']:.3f}",
            f"{row['rps_ratio']:.3f}",
            str(row["failed"]),
            end_section=row["target"] == AUTO,
        )
    return table
