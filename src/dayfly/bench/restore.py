"""A sandbox without a network: the call, the restore, and the two things they are made of."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from dayfly import _core
from dayfly.bench.running import python_tenant, tenant_directory
from dayfly.config import Tenant
from dayfly.core import CoreOptions, NativeCore, Protection
from dayfly.deploy import Workshop, build
from dayfly.registry import Registry
from dayfly.toolchain import Source, Toolchain
from dayfly.toolchain.toolchain import code_cache

GUESTS = ("hello", "counter", "echo", "throw", "touch", "grow", "scribble")
"""Guests that answer a plain request, and write to more and more pages; a sandbox that fails is not restored."""
PROGRAMS = ("json_trip", "regex", "routing", "table", "page", "flask_hello")
PYTHON = ("examples/hello", *(f"bench/programs/{name}" for name in PROGRAMS))
"""Programs in the python tier."""
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
        scratch = Path(name)
        rows = [_guest(source, protection, options, scratch) for source in SOURCES for protection in PROTECTIONS]
        with Registry.open(scratch / "data") as registry:
            core = NativeCore(CoreOptions(code_cache=code_cache(), threads=1, overflow_threads=1))
            for program in PYTHON:
                directory = python_tenant(program, scratch)
                tenant = Tenant.load(directory)
                release = build(tenant, directory, workshop=Workshop(), registry=registry, core=core).release
                label = f"python: {directory.name}"
                rows += [_python(label, release.directory, protection, options) for protection in PROTECTIONS]
    return rows


def _guest(source: str, protection: Protection, options: RestoreOptions, scratch: Path) -> dict[str, Any]:
    directory = tenant_directory(source, scratch)
    program = Toolchain().build(Source.read(directory), Tenant.load(directory).tier)
    return _row(_core.bench_restore(source, program.wasm, str(scratch / "code"), _order(protection, options)))


def _python(name: str, release: Path, protection: Protection, options: RestoreOptions) -> dict[str, Any]:
    """Time a release of the python tier; it also says what the first request in a new slot takes."""
    return _row(_core.bench_release(name, str(release), str(code_cache()), _order(protection, options)))


def _order(protection: Protection, options: RestoreOptions) -> str:
    return json.dumps({"protection": protection, "rounds": options.rounds, "seconds": options.seconds})


def _row(measured: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(measured)
    return {key: round(value, 1) if isinstance(value, float) else value for key, value in row.items()}


def to_table(rows: list[dict[str, Any]]) -> Table:
    """Return the table that is printed."""
    table = Table(title="A sandbox in process: least of the rounds")
    for heading in ("guest", "protection"):
        table.add_column(heading)
    for heading in (
        "empty call",
        "call",
        "restore",
        "both",
        "pages",
        "copying them",
        "both : empty + copy",
        "first request",
    ):
        table.add_column(heading, justify="right")
    for row in rows:
        floor = row["empty_call_ns"] + row["copy_ns"]
        times = (f"{row[name]:,.0f} ns" for name in ("empty_call_ns", "call_ns", "restore_ns", "total_ns"))
        ratio = f"{row['total_ns'] / floor:.2f}"
        first = f"{row['slot_us'] + row['first_us']:,.0f} us" if "first_us" in row else ""
        copy = f"{row['copy_ns']:,.0f} ns"
        table.add_row(row["guest"], row["protection"], *times, str(row["pages"]), copy, ratio, first)
    return table
