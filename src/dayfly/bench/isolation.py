"""Does a request leave anything to another? A million requests to good and hostile guests on the same threads."""

import random
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from dayfly.bench.running import Placement, Running, resident_bytes, running
from dayfly.core import PAGE, CoreOptions, Protection, ServerOptions
from dayfly.errors import InternalError

BATCH = 100
"""Requests that are sent before their answers are read."""
SPIN_SHARE = 1 / 5_000
"""Few: each takes its whole CPU limit."""

TARGETS = {
    "hello": ("/z",),
    "counter": ("/counter",),
    "scribble": ("/scribble",),
    "grow": ("/grow?1", "/grow?100"),
    "trap": ("/trap",),
    "throw": ("/throw?1", "/throw?50"),
    "badreply": tuple(f"/badreply?{kind}" for kind in range(31)),
    "spin": ("/spin",),
}
"""What is asked of each guest."""
ORDINARY = [guest for guest in TARGETS if guest != "spin"]
ALWAYS = {"hello": (200, PAGE), "counter": (200, b"1\n1\n")}
"""What these must answer whatever the others have done."""


@dataclass(frozen=True)
class IsolationOptions:
    """How many requests, in which order (the same seed gives the same order), on how many I/O threads."""

    requests: int = 1_000_000
    seed: int = 0
    server_threads: int = 2


@dataclass
class Row:
    """What one protection let through."""

    protection: str
    outcomes: Counter[str]
    """Answers by guest and status."""
    differing: int
    """Answers of `hello` and `counter` that were not what they always are."""
    checks: int
    differences: int
    """Restored slots that were not their snapshot."""
    discards: int
    rss_bytes_early: int
    """Resident memory after a tenth of the requests."""
    rss_bytes_late: int


def measure(options: IsolationOptions, protections: tuple[Protection, ...], console: Console) -> list[Row]:
    """Run all requests once for each protection, every restore checked. Blocks for minutes at the default."""
    return [_measure(options, protection, console) for protection in protections]


def _measure(options: IsolationOptions, protection: Protection, console: Console) -> Row:
    core_options = CoreOptions(Path(), protection, paranoid_every=1, threads=options.server_threads, spin_us=0)
    sources = ["examples/hello", *(f"guests/{guest}.wat" for guest in TARGETS if guest != "hello")]
    cpus = Placement.of_this_machine(options.server_threads)
    early = max(1, options.requests // 10)
    with running(sources, cpus, core_options, ServerOptions()) as server, Progress(console=console) as progress:
        tally = _Tally(progress, progress.add_task(f"{protection}, seed {options.seed}", total=options.requests))
        _send(server, options, early, tally)
        rss_early = resident_bytes()
        _send(server, options, options.requests - early, tally)
        rss_late = resident_bytes()
        sandboxes = server.core.stats()["sandboxes"]
    return Row(
        protection,
        tally.outcomes,
        tally.differing,
        sandboxes["paranoid_checks"],
        sandboxes["paranoid_differences"],
        sandboxes["discards"],
        rss_early,
        rss_late,
    )


def _send(server: Running, options: IsolationOptions, requests: int, tally: "_Tally") -> None:
    """Send the requests over one connection for each I/O thread, pipelined; note every answer."""
    count = options.server_threads
    shares = [requests // count + (index < requests % count) for index in range(count)]
    seeds = [f"{options.seed} {index} {requests}" for index in range(count)]
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(_client, server.url, *work, tally) for work in zip(seeds, shares, strict=True)]:
            done.result()


def _client(url: str, seed: str, requests: int, tally: "_Tally") -> None:
    order = random.Random(seed)  # noqa: S311 - an order that can be repeated, not a secret
    address = urlsplit(url)
    with socket.create_connection((str(address.hostname), address.port or 80)) as connection:
        answers = connection.makefile("rb")
        for start in range(0, requests, BATCH):
            guests = [_draw(order) for _ in range(min(BATCH, requests - start))]
            paths = [order.choice(TARGETS[guest]) for guest in guests]
            connection.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode() for path in paths))
            tally.note([(guest, *read_answer(answers)) for guest in guests])


def _draw(order: random.Random) -> str:
    return "spin" if order.random() < SPIN_SHARE else order.choice(ORDINARY)


def read_answer(answers: BinaryIO) -> tuple[int, bytes]:
    """Return status and content of the next answer on a connection. Raises InternalError if it was closed."""
    status = answers.readline()
    length = 0
    while (line := answers.readline()) not in {b"\r\n", b""}:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if not status:
        raise InternalError("the server closed a connection in the middle of the measurement")
    return int(status.split()[1]), answers.read(length)


class _Tally:
    """What all clients saw."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.outcomes: Counter[str] = Counter()
        self.differing = 0
        self._progress = progress
        self._task = task
        self._lock = threading.Lock()

    def note(self, answers: list[tuple[str, int, bytes]]) -> None:
        """Count a batch."""
        with self._lock:
            self.outcomes.update(f"{guest} {status}" for guest, status, _ in answers)
            self.differing += sum(
                (status, body) != ALWAYS.get(guest, (status, body)) for guest, status, body in answers
            )
        self._progress.advance(self._task, len(answers))


def to_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Return one object for each protection."""
    return [
        {
            "protection": row.protection,
            "requests": row.outcomes.total(),
            "outcomes": dict(sorted(row.outcomes.items())),
            "differing_answers": row.differing,
            "paranoid_checks": row.checks,
            "paranoid_differences": row.differences,
            "discards": row.discards,
            "rss_bytes_early": row.rss_bytes_early,
            "rss_bytes_late": row.rss_bytes_late,
        }
        for row in rows
    ]


def to_table(rows: list[Row]) -> Table:
    """Return the table that is printed."""
    table = Table(title="Good and hostile guests in random order on the same threads")
    table.add_column("protection")
    headings = ("requests", "answers that differ", "checks", "differences", "discards", "RSS at 10 %", "RSS at the end")
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.protection,
            f"{row.outcomes.total():,}",
            str(row.differing),
            f"{row.checks:,}",
            str(row.differences),
            f"{row.discards:,}",
            f"{row.rss_bytes_early / 2**20:.1f} MiB",
            f"{row.rss_bytes_late / 2**20:.1f} MiB",
        )
    return table
