"""The load generator: `wrk`, started on given processors, its report as values."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self

from dayfly.errors import InternalError, ToolMissing

_REPORT = Path(__file__).with_name("report.lua")


@dataclass(frozen=True)
class Load:
    """What `wrk` sends: `connections` in all, over `threads` of its own, for `seconds`."""

    url: str
    threads: int
    connections: int
    seconds: float
    cpus: frozenset[int]
    """Processors that it may use."""
    body: str = ""
    """Content of each request; with it, the method is POST."""
    host: str = ""
    """The field `Host`, if it is not that of the address."""


@dataclass(frozen=True)
class Result:
    """What came back in one run, or in the middle of several."""

    requests: int
    duration_us: float
    bytes: int
    mean_us: float
    p50_us: float
    p75_us: float
    p90_us: float
    p99_us: float
    max_us: float
    failed: int
    """Answers with a status of 400 and more."""
    broken: int
    """Requests without an answer."""

    @property
    def rps(self) -> float:
        """Requests a second."""
        return self.requests / (self.duration_us / 1e6)

    @property
    def bytes_per_second(self) -> float:
        """Octets a second, heads included."""
        return self.bytes / (self.duration_us / 1e6)

    @classmethod
    def summed(cls, rounds: list[Self]) -> Self:
        """Add the counts of several rounds; of each latency take the median."""
        counts = {
            name: sum(getattr(result, name) for result in rounds)
            for name in ("requests", "duration_us", "bytes", "failed", "broken")
        }
        latencies = {
            name: median(getattr(result, name) for result in rounds)
            for name in ("mean_us", "p50_us", "p75_us", "p90_us", "p99_us", "max_us")
        }
        return cls(**counts, **latencies)


def require() -> None:
    """Raise ToolMissing if `wrk` is not installed."""
    if shutil.which("wrk") is None:
        raise ToolMissing("the load generator `wrk` is not installed; apt-get install wrk")


def start(load: Load) -> "subprocess.Popen[str]":
    """Start one run in the background."""
    cpus = ",".join(map(str, sorted(load.cpus)))
    # wrk counts whole seconds.
    command = ["taskset", "--cpu-list", cpus, "wrk", f"-t{load.threads}", f"-c{load.connections}"]
    command += [f"-d{max(1, round(load.seconds))}s", "--timeout", "20s", "-s", str(_REPORT), load.url]
    return subprocess.Popen(
        command,
        env=os.environ | {"DAYFLY_WRK_BODY": load.body, "DAYFLY_WRK_HOST": load.host},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> Result:
    """Wait for a run and read its report."""
    output, _ = process.communicate()
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        raise InternalError(f"wrk ended with status {process.returncode}: {output.strip()[-200:]}")
    return Result(**json.loads(lines[-1]))


def run(load: Load) -> Result:
    """Send the load and return the report."""
    with start(load) as process:
        return finish(process)
