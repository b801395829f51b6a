"""A sandbox without a network: the call, the restore, and the two things they are made of."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from dayfly import _core
from dayfly.bench.running import tenant_directory
from dayfly.config import Tenant
from dayfly.core import Protection
from dayfly.toolchain import Toolchain

GUESTS = ("hello", "counter", "echo", "throw", "touch", "grow", "scribble")
"""Guests that answer a plain request, and write to more and more pages; a sandbox that fails is not restored."""
SOURCES = ("examples/hello", *(f"guests/{name}.wat" for name in GUESTS))
PROTECTIONS: tuple[Protection, ...] = ("userfault", "mprotect")


@dataclass(frozen=True)
class RestoreOptions:
    """Each guest with each protection; the least of the rounds counts, because a neighbour can only add."""

    rounds: int = 9
    seconds: float = 1


def measure(options: RestoreOptions) -> list[dict[str, Any]]:
    """Build each guest and time it. Blocks for `seconds` for each guest and protection."""
    with tempfile.TemporaryDirectory(prefix="dayfly-bench-") as name:
        return [
            _measure_one(source, protection, options, Path(name)) for source in SOURCES for protection in PROTECTIONS
        ]


def _measure_one(source: str, protection: Protection, options: RestoreOptions, scratch: Path) -> dict[str, Any]:
    directory = tenant_directory(source, scratch)
    program = Toolchain().build(directory, Tenant.load(directory).tier)
    order = {"protection": protection, "rounds": options.rounds, "seconds": options.seconds}
    row: dict[str, Any] = json.loads(
        _core.bench_restore(source, program.wasm, str(scratch / "code"), json.dumps(order))
    )
    return {key: round(value, 1) if isinstance(value, float) else value for key, value in row.items()}


def to_table(rows: list[dict[str, Any]]) -> Table:
    """Return the table that is printed."""
    table = Table(title="A sandbox in process: least of the rounds")
    for heading in ("guest", "protection"):
        table.add_column(heading)
    for heading in ("empty call", "call", "restore", "both", "pages", "copying them", "both : empty + copy"):
        table.add_column(heading, justify="right")
    for row in rows:
        floor = row["empty_call_ns"] + row["copy_ns"]
        times = (f"{row[name]:,.0f} ns" for name in ("empty_call_ns", "call_ns", "restore_ns", "total_ns"))
        ratio = f"{row['total_ns'] / floor:.2f}"
        table.add_row(row["guest"], row["protection"], *times, str(row["pages"]), f"{row['copy_ns']:,.0f} ns", ratio)
    return table
