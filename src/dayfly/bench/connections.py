"""What a connection costs that only waits, and whether a server that only waits uses the processor."""

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.table import Table

from dayfly.bench.running import Placement, Running, resident_bytes, running
from dayfly.core import CoreOptions, ServerOptions
from dayfly.errors import InternalError


@dataclass(frozen=True)
class ConnectionOptions:
    """How many connections wait, and how long the processor is watched."""

    connections: int = 10_000
    seconds: float = 5


@dataclass(frozen=True)
class Cost:
    """What waiting costs."""

    connections: int
    bytes_each: float
    """Resident memory of the server for one of them, kernel memory not counted."""
    idle_cpu: float
    """Share of one processor that the server uses while nothing happens."""


def measure(options: ConnectionOptions) -> Cost:
    """Serve the seed program to connections that wait. Blocks for `seconds` and a little more."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(options.connections, hard - 200)
    core_options = CoreOptions(code_cache=Path(), threads=1)
    with (
        running(["examples/hello"], Placement.of_this_machine(1), core_options, ServerOptions()) as server,
        _waiting(server, 100),  # what the first connections bring with them is not counted
    ):
        before = resident_bytes()
        with _waiting(server, count):
            grown = resident_bytes() - before
            cpu = server.cpu_seconds()
            time.sleep(options.seconds)
            cpu = server.cpu_seconds() - cpu
    return Cost(count, grown / count, cpu / options.seconds)


@contextmanager
def _waiting(server: Running, count: int) -> Iterator[None]:
    """Keep this many connections waiting."""
    address = urlsplit(server.url)
    command = [sys.executable, "-m", "dayfly.bench.idle_client", str(address.hostname), str(address.port), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        if client.stdout is None or client.stdout.readline() != f"{count}\n":
            raise InternalError(f"{count} connections could not be opened; look at `ulimit -n`")
        yield
        client.communicate()


def to_json(cost: Cost) -> list[dict[str, Any]]:
    """Return the figures as a list of one object."""
    return [asdict(cost)]


def to_table(cost: Cost) -> Table:
    """Return the table that is printed."""
    table = Table(title="Connections that wait")
    for heading in ("connections", "memory each", "CPU of the idle server"):
        table.add_column(heading, justify="right")
    table.add_row(f"{cost.connections:,}", f"{cost.bytes_each:,.0f} bytes", f"{cost.idle_cpu:.2%}")
    return table
