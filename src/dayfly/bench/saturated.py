"""What a sandbox adds to a request when the server's processor never rests, in the compiled tier and in CPython.

`wrk` parses and times every answer, so with one processor each it is the slower side: the server waits for it, and what
a request costs then includes falling asleep and being woken up. `flood` (bench/servers) sends as fast as answers come.
"""

import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from dayfly.bench.http import BASELINE
from dayfly.bench.http import PATHS as COMPILED_PATHS
from dayfly.bench.running import Placement, Running, python_tenant, running, tenant_directory
from dayfly.bench.servers import BINARIES
from dayfly.core import CoreOptions, ServerOptions
from dayfly.errors import InternalError, ToolMissing

PYTHON = "python"
PATHS = COMPILED_PATHS | {PYTHON: "/hello/"}


@dataclass(frozen=True)
class SaturatedOptions:
    """For each number of connections all targets take turns, `rounds` times, `seconds` each."""

    connections: tuple[int, ...] = (8, 64)
    seconds: float = 0.5
    rounds: int = 21


@dataclass(frozen=True)
class Row:
    """One target under one load; of several rounds, the medians."""

    target: str
    connections: int
    rps: float
    cpu_ns: float
    """CPU time of the server for one request."""
    busy: float
    """Share of the time that the server's processor worked for it."""


def measure(options: SaturatedOptions, console: Console) -> list[Row]:
    """Load all paths of one server. Raises ToolMissing if `flood` is not built."""
    flood = BINARIES / "flood"
    if not flood.exists():
        raise ToolMissing("the load generator `flood` is not built; make bench-servers")
    placement = Placement.of_this_machine(1)
    core_options = CoreOptions(code_cache=Path(), threads=1, spin_us=0)
    server_options = ServerOptions(baseline_path=PATHS[BASELINE])
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="dayfly-bench-") as name,
        running(_tenants(Path(name)), placement, core_options, server_options) as server,
        Progress(console=console) as progress,
    ):
        task = progress.add_task("measuring", total=len(options.connections) * options.rounds * len(PATHS))
        for connections in options.connections:
            rounds: dict[str, list[Row]] = {target: [] for target in PATHS}
            for _ in range(options.rounds):
                for target in PATHS:
                    rounds[target].append(_round(server, placement, target, connections, options.seconds))
                    progress.advance(task)
            rows += [_middle(rounds[target]) for target in PATHS]
    return rows


def _tenants(scratch: Path) -> list[Path]:
    """Make the seed program a tenant of both tiers."""
    return [tenant_directory("examples/hello", scratch), python_tenant("examples/hello", scratch)]


def _round(server: Running, placement: Placement, target: str, connections: int, seconds: float) -> Row:
    cpus = ",".join(map(str, sorted(placement.load)))
    port = server.url.rpartition(":")[2]
    command = ["taskset", "--cpu-list", cpus, str(BINARIES / "flood"), "--port", port, "--host", "127.0.0.1"]
    command += ["--path", PATHS[target], "--connections", str(connections), "--seconds", str(seconds)]
    cpu, wall = server.cpu_seconds(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    cpu, wall = server.cpu_seconds() - cpu, time.perf_counter() - wall
    if done.returncode:
        raise InternalError(f"flood ended with status {done.returncode}: {done.stderr.strip()[-200:]}")
    report = json.loads(done.stdout)
    requests = max(1, report["requests"])
    return Row(target, connections, requests / report["seconds"], cpu * 1e9 / requests, cpu / wall)


def _middle(rounds: list[Row]) -> Row:
    rps, cpu_ns, busy = (median(values) for values in zip(*((r.rps, r.cpu_ns, r.busy) for r in rounds), strict=True))
    return Row(rounds[0].target, rounds[0].connections, rps, cpu_ns, busy)


def to_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Return one object for each row; `added_ns` and `ratio` compare with the baseline under the same load."""
    values = []
    for row in rows:
        baseline = next(o for o in rows if o.target == BASELINE and o.connections == row.connections)
        values.append(
            {
                "target": row.target,
                "connections": row.connections,
                "rps": round(row.rps, 1),
                "cpu_ns": round(row.cpu_ns, 1),
                "busy": round(row.busy, 3),
                "added_ns": round(row.cpu_ns - baseline.cpu_ns, 1),
                "ratio": round(row.rps / baseline.rps, 4),
            }
        )
    return values


def to_table(rows: list[Row]) -> Table:
    """Return the table that is printed."""
    table = Table(title="What a sandbox adds to a request while the server never rests: medians of the rounds")
    for heading in ("connections", "target"):
        table.add_column(heading)
    for heading in ("requests/s", "CPU/request", "busy", "added", "ratio"):
        table.add_column(heading, justify="right")
    for row in to_json(rows):
        table.add_row(
            str(row["connections"]),
            row["target"],
            f"{row['rps']:,.0f}",
            f"{row['cpu_ns']:,.0f} ns",
            f"{row['busy']:.0%}",
            f"{row['added_ns']:,.0f} ns",
            f"{row['ratio']:.3f}",
            end_section=row["target"] == PYTHON,
        )
    return table
