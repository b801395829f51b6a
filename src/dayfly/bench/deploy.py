"""What a deploy costs the server, step by step: a program is changed and deployed again, once a round."""

import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import Progress
from rich.table import Table

from dayfly.config import Tenant
from dayfly.core import CoreOptions, NativeCore
from dayfly.deploy import Deployed, Workshop, deploy
from dayfly.registry import Registry
from dayfly.toolchain.toolchain import code_cache

HELLO = "def on_client_request():\n    return 'hello {number}'\n"
FLASK = (
    "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get('/')\ndef hello():\n    return 'hello {number}'\n"
)


@dataclass(frozen=True)
class Target:
    """A program that is deployed again and again; `{number}` changes."""

    name: str
    tier: str
    source: str
    requirements: str = ""
    rounds_max: int = 1_000


TARGETS = (
    Target("hello", "python", HELLO),
    Target("flask, layer cached", "python", FLASK, "Flask>=3,<4\n"),
    Target("hello", "compiled", HELLO, rounds_max=3),
)


STEPS = ("read", "bundle", "base", "lock", "layer", "adopt", "build", "freeze", "write", "record", "publish")
"""In the order in which they happen; each tier has some of them."""


@dataclass
class Series:
    """The deploys of one target."""

    target: Target
    deploys: list[Deployed] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    """Of this process; compilers are others."""
    image_bytes: int = 0
    """Of the last release."""

    def median_ms(self, step: str) -> float:
        """Return a step's median; 0 for one that the tier does not have."""
        return statistics.median(deployed.steps.seconds.get(step, 0) for deployed in self.deploys) * 1e3

    @property
    def cpu_ms(self) -> float:
        """Return the median of the CPU time."""
        return statistics.median(self.cpu_seconds) * 1e3

    @property
    def total_ms(self) -> float:
        """Return the median of all steps together."""
        return statistics.median(deployed.steps.total_ms for deployed in self.deploys)


def measure(rounds: int, progress: Progress) -> list[Series]:
    """Deploy each target so often. The first deploy of each, which may make a base or a layer, does not count."""
    with tempfile.TemporaryDirectory(prefix="dayfly-bench-") as name, Registry.open(Path(name) / "data") as registry:
        core = NativeCore(CoreOptions(code_cache=code_cache(), threads=1, overflow_threads=1))
        series = [Series(target) for target in TARGETS]
        task = progress.add_task("deploying", total=len(series) * rounds)
        for number, one in enumerate(series):
            directory = Path(name) / f"tenant-{number}"
            for count in range(min(rounds, one.target.rounds_max) + 1):
                began = time.process_time()
                deployed = _deploy(one.target, directory, count, registry, core)
                if count:
                    one.deploys.append(deployed)
                    one.cpu_seconds.append(time.process_time() - began)
                one.image_bytes = (deployed.release.directory / "image").stat().st_size
                progress.update(task, completed=number * rounds + count)
        return series


def _deploy(target: Target, directory: Path, number: int, registry: Registry, core: NativeCore) -> Deployed:
    directory.mkdir(exist_ok=True)
    (directory / "app.py").write_text(target.source.replace("{number}", str(number)), encoding="utf-8")
    (directory / "dayfly.toml").write_text(f'tier = "{target.tier}"\n', encoding="utf-8")
    if target.requirements:
        (directory / "requirements.txt").write_text(target.requirements, encoding="utf-8")
    return deploy(Tenant.load(directory), directory, workshop=Workshop(), registry=registry, core=core)


def to_json(series: list[Series]) -> list[dict[str, Any]]:
    """Return one object a target, all times in milliseconds."""
    return [
        {
            "target": one.target.name,
            "tier": one.target.tier,
            "rounds": len(one.deploys),
            "total_ms": round(one.total_ms, 2),
            "cpu_ms": round(one.cpu_ms, 2),
            "image_bytes": one.image_bytes,
            **{f"{step}_ms": round(one.median_ms(step), 2) for step in _steps([one])},
        }
        for one in series
    ]


def to_table(series: list[Series]) -> Table:
    """Return the table that is printed."""
    steps = _steps(series)
    table = Table(title="Deploys of a changed program: medians in milliseconds")
    table.add_column("program")
    for heading in ("tier", "rounds", *steps, "all", "CPU", "image"):
        table.add_column(heading, justify="right")
    for one in series:
        times = (f"{one.median_ms(step):.1f}" for step in steps)
        image = f"{one.image_bytes / 2**20:.2f} MiB"
        table.add_row(
            one.target.name,
            one.target.tier,
            str(len(one.deploys)),
            *times,
            f"{one.total_ms:.1f}",
            f"{one.cpu_ms:.1f}",
            image,
        )
    return table


def _steps(series: list[Series]) -> list[str]:
    had = {step for one in series for step in one.deploys[-1].steps.seconds}
    return [step for step in STEPS if step in had]
