"""How exactly the CPU limit is kept: requests that never end, and what each of them took beyond its limit."""

import http.client
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

from rich.table import Table

from dayfly.bench.running import Placement, Running, running
from dayfly.config import Limits
from dayfly.core import CoreOptions, ServerOptions
from dayfly.errors import InternalError

GUESTS = ("spin", "bulk")
"""A guest that computes for ever, and one that fills 16 MiB again and again, which is harder to interrupt."""


@dataclass(frozen=True)
class LimitOptions:
    """How many requests end at their limit."""

    requests: int = 100


@dataclass(frozen=True)
class Row:
    """One guest; CPU time beyond the limit, in microseconds, of each request."""

    guest: str
    over_us: tuple[float, ...]

    @property
    def p99_us(self) -> float:
        """The value that 99 of 100 requests stay below."""
        return quantiles(self.over_us, n=100, method="inclusive")[98] if len(self.over_us) > 1 else self.over_us[0]


def measure(options: LimitOptions) -> list[Row]:
    """Send requests one after the other. Blocks for the CPU limit (50 ms) with each of them."""
    core_options = CoreOptions(code_cache=Path(), threads=1)
    sources = [f"guests/{guest}.wat" for guest in GUESTS]
    with running(sources, Placement.of_this_machine(1), core_options, ServerOptions()) as server:
        return [Row(guest, tuple(_over_us(server, guest) for _ in range(options.requests))) for guest in GUESTS]


def _over_us(server: Running, guest: str) -> float:
    """Send one request; return its CPU time beyond the limit. Its first, short run on the I/O thread is not counted."""
    before = _cpu_ns(server, guest)
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port)
    connection.request("GET", f"/{guest}")
    response = connection.getresponse()
    response.read()
    connection.close()
    if response.headers["Dayfly-Cause"] != "cpu":
        raise InternalError(f"guest `{guest}` was answered with {response.status} instead of ending at its CPU limit")
    return (_cpu_ns(server, guest) - before - Limits().cpu_ns_max) / 1e3


def _cpu_ns(server: Running, guest: str) -> int:
    """Return the CPU time of the tenant's runs so far, without those that were done again elsewhere."""
    tenant = server.core.stats()["tenants"][guest]
    return int(tenant["cpu_ns"] - tenant["rerun_cpu_ns"])


def to_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Return one object for each guest."""
    return [
        {
            "guest": row.guest,
            "requests": len(row.over_us),
            "min_us": round(min(row.over_us), 1),
            "p50_us": round(median(row.over_us), 1),
            "p99_us": round(row.p99_us, 1),
            "max_us": round(max(row.over_us), 1),
        }
        for row in rows
    ]


def to_table(rows: list[Row]) -> Table:
    """Return the table that is printed."""
    table = Table(title="CPU time beyond the limit of 50 ms")
    table.add_column("guest")
    for heading in ("requests", "least", "p50", "p99", "most"):
        table.add_column(heading, justify="right")
    for row in to_json(rows):
        times = (f"{row[name]:,.0f} us" for name in ("min_us", "p50_us", "p99_us", "max_us"))
        table.add_row(row["guest"], str(row["requests"]), *times)
    return table
