"""Long tails beside a busy tenant, and whether they come from the lanes or from the machine that all share.

Two I/O threads, two overflow threads and the load generators share the processors, so that everybody waits for
everybody. Each round says how long the victim's slowest requests took, and beside it how long the I/O threads waited
for a processor that somebody else had (the kernel's own account), and what the hypervisor took from all of them. The
same load without a sandbox (the baseline path) takes turns with it: what that shows too is not the lanes' doing.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from dayfly.bench import wrk
from dayfly.bench.running import Placement, Running, running
from dayfly.core import CoreOptions, ServerOptions

TARGETS = {"baseline": "/plain", "sandboxed": "/z"}
LONG_US = 50_000
"""A tail this long would be worth a look: a request takes a few microseconds, a time slice a few milliseconds."""


@dataclass(frozen=True)
class TailOptions:
    """How often and how long."""

    rounds: int = 20
    seconds: float = 2
    victim_connections: int = 8
    neighbour_connections: int = 64
    io_threads: int = 2


@dataclass(frozen=True)
class Row:
    """One run of the victim."""

    number: int
    target: str
    rps: float
    p50_us: float
    p99_us: float
    max_us: float
    failed: int
    waited: float
    """Share of the run that an I/O thread was ready to run and had no processor; mean of the threads."""
    stolen: float
    """Share of the processors' time that the hypervisor took."""
    stall_us: float
    """Longest time that one request kept an I/O thread, since the start."""


def measure(options: TailOptions, console: Console) -> list[Row]:
    """Serve the seed program and a busy tenant, unpinned. Raises ToolMissing without `wrk`."""
    wrk.require()
    everywhere = frozenset(os.sched_getaffinity(0))
    core_options = CoreOptions(Path(), threads=options.io_threads, overflow_threads=2, spin_us=0)
    rows: list[Row] = []
    with (
        running(
            ["examples/hello", "guests/busy.wat"],
            Placement(everywhere, everywhere),
            core_options,
            ServerOptions(baseline_path=TARGETS["baseline"]),
        ) as server,
        Progress(console=console) as progress,
    ):
        for number in progress.track(range(options.rounds), description="measuring"):
            rows += [_round(server, number, target, everywhere, options) for target in TARGETS]
    return rows


def _round(server: Running, number: int, target: str, cpus: frozenset[int], options: TailOptions) -> Row:
    busy = wrk.Load(f"{server.url}/busy", 1, options.neighbour_connections, options.seconds + 2, cpus)
    victim = wrk.Load(f"{server.url}{TARGETS[target]}", 1, options.victim_connections, options.seconds, cpus)
    with wrk.start(busy) as neighbour:
        waited, stolen, start = _io_wait_ns(), _stolen_ticks(), time.perf_counter()
        result = wrk.run(victim)
        seconds = time.perf_counter() - start
        waited, stolen = _io_wait_ns() - waited, _stolen_ticks() - stolen
        neighbour.terminate()
    return Row(
        number,
        target,
        result.rps,
        result.p50_us,
        result.p99_us,
        result.max_us,
        result.failed + result.broken,
        waited / 1e9 / seconds / options.io_threads,
        stolen / os.sysconf("SC_CLK_TCK") / seconds / len(cpus),
        max(thread["longest_stall_ns"] for thread in server.core.stats()["threads"]) / 1e3,
    )


def _io_wait_ns() -> int:
    """Nanoseconds that the I/O threads have waited for a processor: see sched-stats of the kernel's documentation."""
    threads = [task for task in Path("/proc/self/task").iterdir() if _name(task).startswith("io-")]
    return sum(int((task / "schedstat").read_text(encoding="ascii").split()[1]) for task in threads)


def _name(task: Path) -> str:
    return (task / "comm").read_text(encoding="utf-8", errors="replace")


def _stolen_ticks() -> int:
    """Clock ticks that the hypervisor took from all processors: see proc_stat(5), `steal`."""
    return int(Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[8])


def to_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Return one object for each run."""
    return [
        {
            "round": row.number,
            "target": row.target,
            "rps": round(row.rps, 1),
            "p50_us": row.p50_us,
            "p99_us": row.p99_us,
            "max_us": row.max_us,
            "failed": row.failed,
            "io_waited": round(row.waited, 4),
            "stolen": round(row.stolen, 4),
            "stall_us": round(row.stall_us, 1),
        }
        for row in rows
    ]


def to_table(rows: list[Row]) -> Table:
    """Return the table that is printed."""
    table = Table(title=f"The seed program on two I/O threads beside a busy tenant ({_long(rows)})")
    for heading in ("round", "target", "requests/s", "p50", "p99", "most", "failed", "I/O waited", "stolen", "stall"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            str(row.number),
            row.target,
            f"{row.rps:,.0f}",
            f"{row.p50_us:.0f} us",
            f"{row.p99_us / 1e3:.2f} ms",
            f"{row.max_us / 1e3:.2f} ms",
            str(row.failed),
            f"{row.waited:.1%}",
            f"{row.stolen:.1%}",
            f"{row.stall_us:.0f} us",
        )
    return table


def _long(rows: list[Row]) -> str:
    long = sum(row.p99_us > LONG_US for row in rows)
    return f"{long} of {len(rows)} runs with a p99 beyond {LONG_US // 1000} ms"
