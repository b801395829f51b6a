"""The seed's table: the same page from the same HTTP code, with and without a sandbox, in turn."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from dayfly.bench import wrk
from dayfly.bench.running import Placement, Running, running
from dayfly.core import CoreOptions, Protection, ServerOptions

BASELINE, SANDBOXED = "baseline", "sandboxed"
PATHS = {BASELINE: "/plain", SANDBOXED: "/z"}


@dataclass(frozen=True)
class HttpOptions:
    """What is measured: for each number of wrk's threads and connections, both targets for `seconds` in all."""

    threads: tuple[int, ...] = (8, 16, 32, 64)
    seconds: float = 10
    rounds: int = 5
    """The two targets take turns this often, so that a change of the machine's speed meets both."""
    server_threads: int = 1
    spin_us: int | None = 0
    protection: Protection = "auto"


@dataclass(frozen=True)
class Row:
    """One target under one load."""

    target: str
    threads: int
    result: wrk.Result
    cpu_seconds: float
    wall_seconds: float

    @property
    def cpu_ns(self) -> float:
        """CPU time of the server for one request."""
        return self.cpu_seconds * 1e9 / max(1, self.result.requests)


def measure(options: HttpOptions, console: Console) -> list[Row]:
    """Serve the seed program and load it. Blocks for about `seconds` for each target and number of threads."""
    wrk.require()
    placement = Placement.of_this_machine(options.server_threads)
    core_options = CoreOptions(
        code_cache=Path(), threads=options.server_threads, spin_us=options.spin_us, protection=options.protection
    )
    server_options = ServerOptions(baseline_path=PATHS[BASELINE])
    with (
        running(["examples/hello"], placement, core_options, server_options) as server,
        Progress(console=console) as progress,
    ):
        task = progress.add_task("measuring", total=len(options.threads) * options.rounds * len(PATHS))
        rows = []
        for threads in options.threads:
            rounds: dict[str, list[Row]] = {target: [] for target in PATHS}
            for _ in range(options.rounds):
                for target in PATHS:
                    rounds[target].append(_round(server, placement, target, threads, options))
                    progress.advance(task)
            rows += [_summed(rounds[target]) for target in PATHS]
    return rows


def _round(server: Running, placement: Placement, target: str, threads: int, options: HttpOptions) -> Row:
    """Load one target once."""
    load = wrk.Load(
        url=server.url + PATHS[target],
        threads=threads,
        connections=threads,
        seconds=options.seconds / options.rounds,
        cpus=placement.load,
    )
    cpu, wall = server.cpu_seconds(), time.perf_counter()
    result = wrk.run(load)
    return Row(target, threads, result, server.cpu_seconds() - cpu, time.perf_counter() - wall)


def _summed(rounds: list[Row]) -> Row:
    return Row(
        rounds[0].target,
        rounds[0].threads,
        wrk.Result.summed([row.result for row in rounds]),
        math.fsum(row.cpu_seconds for row in rounds),
        math.fsum(row.wall_seconds for row in rounds),
    )


def to_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Return one object for each row; `ratio` is sandboxed through baseline, of requests a second."""
    return [
        {
            "target": row.target,
            "threads": row.threads,
            "rps": round(row.result.rps, 1),
            "mean_us": round(row.result.mean_us, 1),
            "p50_us": row.result.p50_us,
            "p75_us": row.result.p75_us,
            "p90_us": row.result.p90_us,
            "p99_us": row.result.p99_us,
            "bytes_per_second": round(row.result.bytes_per_second),
            "cpu_ns": round(row.cpu_ns, 1),
            "busy": round(row.cpu_seconds / row.wall_seconds, 3),
            "failed": row.result.failed + row.result.broken,
            "ratio": round(_ratio(row, rows), 4),
        }
        for row in rows
    ]


def _ratio(row: Row, rows: list[Row]) -> float:
    """Divide requests a second of a row by those of the baseline under the same load."""
    baseline = next(other for other in rows if other.target == BASELINE and other.threads == row.threads)
    return row.result.rps / baseline.result.rps


def to_table(rows: list[Row]) -> Table:
    """Return the table that is printed."""
    table = Table(title="HTTP: the seed program beside the same page without a sandbox")
    for heading in ("threads", "target"):
        table.add_column(heading)
    for heading in (
        "avg",
        "p50",
        "p75",
        "p90",
        "p99",
        "requests/s",
        "transfer/s",
        "CPU/request",
        "busy",
        "failed",
        "ratio",
    ):
        table.add_column(heading, justify="right")
    for row, values in zip(rows, to_json(rows), strict=True):
        result = row.result
        table.add_row(
            str(row.threads),
            row.target,
            *(f"{us:.0f} us" for us in (result.mean_us, result.p50_us, result.p75_us, result.p90_us, result.p99_us)),
            f"{result.rps:,.0f}",
            f"{result.bytes_per_second / 1e6:.1f} MB",
            f"{row.cpu_ns:,.0f} ns",
            f"{row.cpu_seconds / row.wall_seconds:.0%}",
            str(values["failed"]),
            f"{values['ratio']:.3f}",
            end_section=row.target == SANDBOXED,
        )
    return table
