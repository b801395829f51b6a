"""Does a Python program that spoils whatever it can reach leave anything to the next request? A million of them."""

import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from dayfly.bench.isolation import read_answer
from dayfly.bench.running import Placement, python_tenant, resident_bytes, running
from dayfly.core import CoreOptions, ServerOptions

PROGRAM = "bench/programs/spoil"
LIMITS = 'cpu_ns_max = "2 s"\n'
"""Time of a virtual processor that others had counts as CPU time, and here each request is to be answered."""
PARTS = 500
"""In which the program does its work, one in each request."""
BATCH = 20
"""Requests that are sent before their answers are read."""


@dataclass(frozen=True)
class SpoilingOptions:
    """How many requests, on how many I/O threads, and how many restores there are to each that is checked."""

    requests: int = 1_000_000
    server_threads: int = 2
    paranoid_every: int = 1


@dataclass
class Spoiling:
    """What came of it."""

    requests: int
    statuses: Counter[int]
    differing: int
    """Answers that were not the first one to the same part."""
    parts: int
    """Parts that were asked for."""
    checks: int
    differences: int
    """Restored slots that were not their snapshot."""
    rss_bytes_early: int
    """Resident memory after a tenth of the requests."""
    rss_bytes_late: int


def measure(options: SpoilingOptions, console: Console) -> Spoiling:
    """Send all requests. Blocks for minutes at the default."""
    core_options = CoreOptions(Path(), paranoid_every=options.paranoid_every, threads=options.server_threads, spin_us=0)
    cpus = Placement.of_this_machine(options.server_threads)
    early = max(1, options.requests // 10)
    with TemporaryDirectory(prefix="dayfly-bench-") as scratch:
        sources = [python_tenant(PROGRAM, Path(scratch), LIMITS)]
        with running(sources, cpus, core_options, ServerOptions()) as server, Progress(console=console) as progress:
            tally = _Tally(progress, progress.add_task("spoiling", total=options.requests))
            _send(server.url, options.server_threads, range(early), tally)
            rss_early = resident_bytes()
            _send(server.url, options.server_threads, range(early, options.requests), tally)
            rss_late = resident_bytes()
            sandboxes = server.core.stats()["sandboxes"]
    return Spoiling(
        options.requests,
        tally.statuses,
        tally.differing,
        len(tally.first),
        sandboxes["paranoid_checks"],
        sandboxes["paranoid_differences"],
        rss_early,
        rss_late,
    )


def _send(url: str, connections: int, numbers: range, tally: "_Tally") -> None:
    with ThreadPoolExecutor(connections) as pool:
        for done in [pool.submit(_client, url, numbers[index::connections], tally) for index in range(connections)]:
            done.result()


def _client(url: str, numbers: range, tally: "_Tally") -> None:
    address = urlsplit(url)
    with socket.create_connection((str(address.hostname), address.port or 80)) as connection:
        answers = connection.makefile("rb")
        for start in range(0, len(numbers), BATCH):
            parts = [number % PARTS for number in numbers[start : start + BATCH]]
            connection.sendall(b"".join(b"GET /spoil?%d HTTP/1.1\r\nHost: x\r\n\r\n" % part for part in parts))
            tally.note([(part, *read_answer(answers)) for part in parts])


@dataclass
class _Tally:
    """What all clients saw."""

    progress: Progress
    task: TaskID
    statuses: Counter[int] = field(default_factory=Counter)
    first: dict[int, bytes] = field(default_factory=dict)
    differing: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, answers: list[tuple[int, int, bytes]]) -> None:
        """Count a batch."""
        with self.lock:
            self.statuses.update(status for _, status, _ in answers)
            self.differing += sum(self.first.setdefault(part, body) != body for part, _, body in answers)
        self.progress.advance(self.task, len(answers))


def to_json(result: Spoiling) -> list[dict[str, Any]]:
    """Return a list of one object."""
    return [
        {
            "requests": result.requests,
            "statuses": {str(status): count for status, count in sorted(result.statuses.items())},
            "parts": result.parts,
            "differing_answers": result.differing,
            "paranoid_checks": result.checks,
            "paranoid_differences": result.differences,
            "rss_bytes_early": result.rss_bytes_early,
            "rss_bytes_late": result.rss_bytes_late,
        }
    ]


def to_table(result: Spoiling) -> Table:
    """Return the table that is printed."""
    table = Table(title="A Python program that spoils all it can reach, new for every request")
    headings = (
        "requests",
        "status 200",
        "answers that differ",
        "checks",
        "differences",
        "RSS at 10 %",
        "RSS at the end",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_row(
        f"{result.requests:,}",
        f"{result.statuses[200]:,}",
        str(result.differing),
        f"{result.checks:,}",
        str(result.differences),
        f"{result.rss_bytes_early / 2**20:.1f} MiB",
        f"{result.rss_bytes_late / 2**20:.1f} MiB",
    )
    return table
