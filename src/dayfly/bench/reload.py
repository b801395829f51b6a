"""Deploys under load: nobody may notice more than another answer.

Each deploy is of a program with the next number. Clients check every answer: whether it is whole, of one release, and
not of an older one than was live when they asked. A deploy is begun when its share of the requests has been answered,
so that the load lasts as long as the deploys do.
"""

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

from rich.progress import Progress
from rich.table import Table

from dayfly.bench.supervised import Seen, Witness, supervised


@dataclass(frozen=True)
class Reload:
    """What came of it."""

    deploys: int
    deploy_ms: float
    """The median."""
    deploy_ms_max: float
    seconds: float
    workers: int
    """That were started; two if all went well."""
    seen: Seen

    @property
    def is_clean(self) -> bool:
        """Whether nobody has noticed anything."""
        seen = self.seen
        return not (seen.failed or seen.lost or seen.closed or seen.refused or seen.mixed or seen.stale)


def measure(deploys: int, requests: int, progress: Progress) -> Reload:
    """Deploy so often while there are so many requests in all. Raises ToolMissing if the clients are not built."""
    task = progress.add_task("deploying", total=deploys)
    took = []
    with supervised() as server:
        began = time.perf_counter()
        witness = Witness(server.port)
        try:
            for number in range(1, deploys + 1):
                witness.wait_for(requests * number // (deploys + 1))
                start = time.perf_counter()
                server.deploy(number)
                took.append(time.perf_counter() - start)
                witness.say_live(number)
                progress.advance(task)
            witness.wait_for(requests)
        finally:
            seen = witness.end()
        seconds, workers = time.perf_counter() - began, server.core.stats()["workers_started"]
    return Reload(deploys, statistics.median(took) * 1e3, max(took) * 1e3, seconds, workers, seen)


def to_json(reload: Reload) -> list[dict[str, Any]]:
    """Return one object."""
    return [
        {
            "deploys": reload.deploys,
            "deploy_ms": round(reload.deploy_ms, 2),
            "deploy_ms_max": round(reload.deploy_ms_max, 2),
            "seconds": round(reload.seconds, 2),
            "workers": reload.workers,
            **asdict(reload.seen),
        }
    ]


def to_table(reload: Reload) -> Table:
    """Return the table that is printed."""
    table = Table(title="Deploys under load: keep-alive, pipelining, and new connections")
    for heading in ("what", "count"):
        table.add_column(heading, justify="right" if heading == "count" else "left")
    seen = reload.seen
    rows = {
        "deploys": f"{reload.deploys:,}",
        "a deploy, median": f"{reload.deploy_ms:,.1f} ms",
        "a deploy, longest": f"{reload.deploy_ms_max:,.1f} ms",
        "answers": f"{seen.answers:,}",
        "failed": f"{seen.failed:,}",
        "lost in the middle": f"{seen.lost:,}",
        "closed by the server": f"{seen.closed:,}",
        "refused": f"{seen.refused:,}",
        "of two releases": f"{seen.mixed:,}",
        "of a release that was not live any more": f"{seen.stale:,}",
    }
    for what, value in rows.items():
        table.add_row(what, value)
    return table
