"""What clients notice when a worker is killed, and when the server is stopped.

The worker is killed with its spare ready, under load. The clock runs from SIGKILL to the first answer of the next
worker, which a client of its own asks for as soon as the process is gone.
"""

import os
import select
import signal
import socket
import time
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.progress import Progress
from rich.table import Table

from dayfly.bench.supervised import NAME, Seen, Witness, supervised
from dayfly.errors import InternalError
from dayfly.worker.core import Watch

SPARE_SECONDS = 60
WATCH = Watch(soon=0)
"""Workers that are killed have not ended by a fault of their own: the next one need not wait."""

LOAD_ANSWERS = 2_000
"""Answers between two kills."""


@dataclass(frozen=True)
class Killed:
    """What came of it."""

    back_ms: tuple[float, ...]
    """From SIGKILL to the first answer of the next worker, each time."""
    while_killed: Seen
    while_stopped: Seen
    """From the first request to the end of a server that is stopped as by SIGTERM."""


def measure(rounds: int, progress: Progress) -> Killed:
    """Kill so many workers, then stop the server. Raises ToolMissing if the clients are not built."""
    task = progress.add_task("killing", total=rounds)
    back = []
    with supervised(WATCH) as server:
        witness = Witness(server.port)
        for number in range(1, rounds + 1):
            witness.wait_for(LOAD_ANSWERS * number)
            if not server.core.wait_for_spare(SPARE_SECONDS):
                raise InternalError("there is no spare worker")
            back.append(_kill(server.core.process_id, server.port) * 1e3)
            progress.advance(task)
        while_killed = witness.end()
    with supervised() as server:
        witness = Witness(server.port)
        witness.wait_for(LOAD_ANSWERS)
        server.core.stop()
        _wait_for_refusal(server.port)
        while_stopped = witness.end()
    return Killed(tuple(back), while_killed, while_stopped)


def _kill(process: int, port: int) -> float:
    """Kill a worker; return the seconds until another one answers."""
    descriptor = os.pidfd_open(process)
    began = time.perf_counter()
    os.kill(process, signal.SIGKILL)
    select.select([descriptor], [], [])
    os.close(descriptor)
    while not _is_answered(port):
        pass
    return time.perf_counter() - began


def _is_answered(port: int) -> bool:
    request = f"GET / HTTP/1.1\r\nHost: {NAME}.localhost\r\nConnection: close\r\n\r\n".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(request)
            return connection.recv(1 << 10).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def _wait_for_refusal(port: int) -> None:
    try:
        while True:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except OSError:
        return


def to_json(killed: Killed) -> list[dict[str, Any]]:
    """Return one object for each way to end."""
    back = killed.back_ms
    times = {"back_ms": round(median(back), 2), "back_ms_max": round(max(back), 2), "rounds": len(back)}
    return [
        {"end": "SIGKILL of the worker", **times, **asdict(killed.while_killed)},
        {"end": "SIGTERM", "back_ms": None, "back_ms_max": None, "rounds": 1, **asdict(killed.while_stopped)},
    ]


def to_table(killed: Killed) -> Table:
    """Return the table that is printed."""
    table = Table(title="What clients notice of an end: a killed worker is replaced, a stopped server finishes")
    for heading in ("end", "rounds"):
        table.add_column(heading)
    for heading in ("next answer", "longest", "answers", "failed", "lost", "mixed", "stale"):
        table.add_column(heading, justify="right")
    for row in to_json(killed):
        times = [f"{row[name]:,.1f} ms" if row[name] is not None else "" for name in ("back_ms", "back_ms_max")]
        counts = [f"{row[name]:,}" for name in ("answers", "failed", "lost", "mixed", "stale")]
        table.add_row(row["end"], str(row["rounds"]), *times, *counts)
    return table
