"""A victim beside tenants that take all they can: its rate and its tail, alone and with each of them, in turn."""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from dayfly.bench import wrk
from dayfly.bench.running import Placement, Running, running
from dayfly.core import CoreOptions, ServerOptions

ALONE = "alone"
NEIGHBOURS = ("spin", "busy", "bulk")
"""Guests that never end, that work for some milliseconds, and that fill 16 MiB again and again."""


@dataclass(frozen=True)
class NeighbourOptions:
    """How long and how often; a round is one run of the victim with each neighbour."""

    seconds: float = 1
    rounds: int = 9
    victim_connections: int = 8
    neighbour_connections: int = 64
    server_threads: int = 1


@dataclass(frozen=True)
class Row:
    """The victim beside one neighbour: medians of the rounds."""

    neighbour: str
    rps: float
    p50_us: float
    p99_us: float
    failed: int
    waste: float
    """Share of the I/O threads' time that went into runs that were thrown away."""
    stall_us: float
    """Longest time that an I/O thread did not look at its other connections, in all rounds so far."""
    stall_cpu_us: float
    """Longest CPU time of a run that an I/O thread gave up, counted from the first tick that met it."""


def measure(options: NeighbourOptions, console: Console) -> list[Row]:
    """Serve the seed program and its neighbours, and load them. Raises ToolMissing without `wrk`."""
    wrk.require()
    placement = Placement.of_this_machine(options.server_threads)
    core_options = CoreOptions(code_cache=Path(), threads=options.server_threads, spin_us=0)
    scenarios = (ALONE, *NEIGHBOURS)
    rounds: dict[str, list[Row]] = {scenario: [] for scenario in scenarios}
    with (
        running(
            ["examples/hello", *(f"guests/{name}.wat" for name in NEIGHBOURS)], placement, core_options, ServerOptions()
        ) as server,
        Progress(console=console) as progress,
    ):
        task = progress.add_task("measuring", total=options.rounds * len(scenarios))
        for _ in range(options.rounds):
            for scenario in scenarios:
                rounds[scenario].append(_round(server, placement, scenario, options))
                progress.advance(task)
    return [_middle(rounds[scenario]) for scenario in scenarios]


def _round(server: Running, placement: Placement, neighbour: str, options: NeighbourOptions) -> Row:
    """Load the victim once, and the neighbour for as long."""
    wasted, start = _wasted_ns(server), time.perf_counter()
    if neighbour == ALONE:
        result = _load_victim(server, placement, options)
    else:
        load = wrk.Load(
            f"{server.url}/{neighbour}", 1, options.neighbour_connections, options.seconds + 2, placement.load
        )
        with wrk.start(load) as process:
            result = _load_victim(server, placement, options)
            process.terminate()
    threads_ns = (time.perf_counter() - start) * 1e9 * options.server_threads
    return Row(
        neighbour,
        result.rps,
        result.p50_us,
        result.p99_us,
        result.failed + result.broken,
        (_wasted_ns(server) - wasted) / threads_ns,
        *(
            max(thread[name] for thread in server.core.stats()["threads"]) / 1e3
            for name in ("longest_stall_ns", "longest_stall_cpu_ns")
        ),
    )


def _load_victim(server: Running, placement: Placement, options: NeighbourOptions) -> wrk.Result:
    return wrk.run(wrk.Load(f"{server.url}/z", 1, options.victim_connections, options.seconds, placement.load))


def _wasted_ns(server: Running) -> int:
    return sum(thread["wasted_ns"] for thread in server.core.stats()["threads"])


def _middle(rounds: list[Row]) -> Row:
    return Row(
        rounds[0].neighbour,
        median(row.rps for row in rounds),
        median(row.p50_us for row in rounds),
        median(row.p99_us for row in rounds),
        sum(row.failed for row in rounds),
        median(row.waste for row in rounds),
        max(row.stall_us for row in rounds),
        max(row.stall_cpu_us for row in rounds),
    )


def to_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Return one object for each row; `ratio` is the victim's rate through its rate alone."""
    return [
        {
            "neighbour": row.neighbour,
            "rps": round(row.rps, 1),
            "ratio": round(row.rps / rows[0].rps, 4),
            "p50_us": row.p50_us,
            "p99_us": row.p99_us,
            "failed": row.failed,
            "waste": round(row.waste, 4),
            "stall_us": round(row.stall_us, 1),
            "stall_cpu_us": round(row.stall_cpu_us, 1),
        }
        for row in rows
    ]


def to_table(rows: list[Row]) -> Table:
    """Return the table that is printed."""
    table = Table(title="The seed program beside tenants that take all they can")
    table.add_column("neighbour")
    for heading in ("requests/s", "ratio", "p50", "p99", "failed", "waste", "longest stall", "of it CPU"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.neighbour,
            f"{row.rps:,.0f}",
            f"{row.rps / rows[0].rps:.3f}",
            f"{row.p50_us:.0f} us",
            f"{row.p99_us:.0f} us",
            str(row.failed),
            f"{row.waste:.2%}",
            f"{row.stall_us:.0f} us",
            f"{row.stall_cpu_us:.0f} us",
        )
    return table
