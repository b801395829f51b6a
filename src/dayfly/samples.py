"""The sample requests of a tenant directory, sent to its program in a real sandbox."""

from dataclasses import dataclass
from pathlib import Path

from dayfly.config import SampleRequest, Tenant
from dayfly.core import Core, Rehearsed
from dayfly.deploy import Workshop, sent, tried, unexpected
from dayfly.toolchain import Source


@dataclass(frozen=True)
class Outcome:
    """A sample request, and what came of it."""

    sample: SampleRequest
    answer: Rehearsed
    problem: str
    """What is wrong with the answer; empty if nothing is."""

    @property
    def target(self) -> str:
        """What is asked for: path and query."""
        return self.sample.path + (f"?{self.sample.query}" if self.sample.query else "")


def run(tenant: Tenant, directory: Path, *, workshop: Workshop, core: Core) -> list[Outcome]:
    """Make a release, send it all sample requests, each in a sandbox of its own, and keep nothing.

    The value of each secret is its name. Raises what a deploy raises before its rehearsal.
    """
    with tried(tenant, Source.read(directory), workshop=workshop, core=core) as trial:
        answers = sent(tenant, trial.directory, core, {name: name for name in tenant.secrets})
    return [
        Outcome(sample, answer, unexpected(sample, answer))
        for sample, answer in zip(tenant.sample_requests, answers, strict=True)
    ]
