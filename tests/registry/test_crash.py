"""Killed or refused at any system call, a registry comes back with the old state or the new one, and no litter.

A child makes one change under `strace`. A first run lists every call in it that changes the data directory. Then the
child is killed at each of them, and each write, sync and rename is answered with a full disk and with an error of the
disk. All points with DAYFLY_CRASH_POINTS=all (`make soak`), else a few drawn from a seed that is printed.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dayfly import release
from dayfly.registry import Registry
from tests.conftest import REPOSITORY
from tests.registry.crashing import SCENARIOS, House, state
from tests.registry.test_old import old

POINTS = os.environ.get("DAYFLY_CRASH_POINTS", "30")
SEED = int(os.environ.get("DAYFLY_SEED", "0")) or random.randrange(2**32)

WRITES = {"write", "pwrite64", "writev", "pwritev", "copy_file_range", "sendfile", "ftruncate", "truncate", "fallocate"}
SYNCS = {"fsync", "fdatasync", "sync_file_range"}
RENAMES = {"rename", "renameat", "renameat2"}
OTHERS = {"openat", "open", "creat", "unlink", "unlinkat", "rmdir", "link", "linkat", "symlinkat", "mkdir", "mkdirat"}
CALLS = sorted(WRITES | SYNCS | RENAMES | OTHERS)


@dataclass(frozen=True)
class Point:
    """One moment of one scenario, and what happens there."""

    template: str
    call: str
    number: int
    what: str
    """`signal=KILL` or `error=...`."""

    def __str__(self) -> str:
        return f"{self.template}: {self.call} {self.number} {self.what}"


TEMPLATES = {
    "first-deploy": "deploys",
    "next-deploy": "deploys",
    "rollback": "rolls_back",
    "tidy": "tidies",
    "first-start": "opens",
    "import": "opens",
    "first-secret": "keeps_a_secret",
    "new-key": "changes_the_key",
    "removal": "removes",
    "prune": "prunes",
}
"""Data directories, each with the change that is made in it."""


@dataclass
class Outcome:
    """What a child reported, and how it ended."""

    reports: list[dict[str, Any]]
    status: int
    calls: list[str]


class Laboratory:
    """Templates of data directories, and a process whose children change copies of them."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.count = 0
        for name in TEMPLATES:
            self._make(name)
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.registry.crashing", str(place)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the process."""
        self._server.communicate()

    def _make(self, name: str) -> None:
        data = self.place / "templates" / name
        house = House(self.place, data)
        if name == "import":
            old(data, one={}, two={})
            (data / "secrets/one.json").write_text('{"KEY": "old"}', encoding="ascii")
        elif name == "first-start":
            data.mkdir(parents=True)
        elif name == "first-deploy":
            # The base is in the cache, and not yet in the data directory.
            other = House(self.place, self.place / "other")
            other.deploy("new")
            other.close()
            data.mkdir(parents=True)
        else:
            house.deploy("older")
            house.deploy("old")
            if name == "rollback":
                house.open().tidy()
            if name == "new-key":
                house.open().set_secret("hello", "KEY", "old")
        house.close()

    def run(self, template: str, injection: str | None) -> tuple[Path, Outcome]:
        """Make the change in a copy of a template."""
        self.count += 1
        data = self.place / f"{self.count}"
        shutil.copytree(self.place / "templates" / template, data)
        log = self.place / f"{self.count}.trace"
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(TEMPLATES[template], data, file=self._server.stdin, flush=True)
        child = int(self._server.stdout.readline())
        more = ["-e", f"inject={injection}"] if injection else []
        command = ["strace", "-y", "-s", "0", "-e", f"trace={','.join(CALLS)}", *more, "-o", str(log), "-p", str(child)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            attached = tracer.stderr.readline()
            assert "attached" in attached, attached
            os.kill(child, signal.SIGCONT)
            status = int(self._server.stdout.readline())
        reports = [json.loads(line) for line in Path(f"{data}.report").read_text(encoding="utf-8").splitlines()]
        return data, Outcome(reports, status, log.read_text(encoding="utf-8").splitlines())

    def points(self, template: str) -> list[Point]:
        """List every call that changes the data directory, with all that can happen there."""
        data, outcome = self.run(template, None)
        assert outcome.status == 0
        assert "done" in outcome.reports[-1], outcome.reports
        shutil.rmtree(data)
        counts: Counter[str] = Counter()
        points = []
        for line in outcome.calls:
            call = line.partition("(")[0]
            counts[call] += 1
            if not re.search(rf"{data}[/>]", line) or (call in {"openat", "open"} and "O_CREAT" not in line):
                continue
            what = ["signal=KILL"]
            if call in WRITES | SYNCS | RENAMES:
                what += ["error=ENOSPC", "error=EIO"]
            points += [Point(template, call, counts[call], one) for one in what]
        return points

    def states(self, template: str) -> tuple[object, object]:
        """Return what is recorded before and after a change that nothing disturbs."""
        data, _ = self.run(template, None)
        before = self.place / f"{self.count}.before"
        shutil.copytree(self.place / "templates" / template, before)
        found: list[object] = []
        for directory in (before, data):
            with Registry.open(directory) as registry:
                found.append(state(registry))
            shutil.rmtree(directory)
        return found[0], found[1]


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """Return what makes changes; without `strace` there is nothing to test with."""
    if shutil.which("strace") is None:
        reason = "needs strace: apt-get install strace"
        assert "CI" not in os.environ, reason
        pytest.skip(reason)
    # In memory if possible: what a kill leaves does not depend on the disk, and there are hundreds of them.
    laboratory = Laboratory(tmp_path_factory.mktemp("crash"))
    yield laboratory
    laboratory.close()


@pytest.mark.timeout(0)
def test_a_crash_leaves_the_old_state_or_the_new(laboratory: Laboratory) -> None:
    """At whatever call; and an error is reported, leaves the old state, and the next try succeeds."""
    print(f"DAYFLY_SEED={SEED}")
    points = [point for template in TEMPLATES for point in laboratory.points(template)]
    assert {point.template for point in points} == set(TEMPLATES)
    chosen = points if POINTS == "all" else random.Random(SEED).sample(points, min(int(POINTS), len(points)))
    print(f"{len(chosen)} of {len(points)} points")
    states = {template: laboratory.states(template) for template in TEMPLATES}
    wrong = []
    for point in chosen:
        data, outcome = laboratory.run(point.template, f"{point.call}:{point.what}:when={point.number}")
        try:
            check(point, outcome, data, *states[point.template])
        except AssertionError as error:
            wrong.append(f"{point}\n{error}\n{outcome.reports}")
        finally:
            shutil.rmtree(data, ignore_errors=True)
    assert not wrong, f"{len(wrong)} wrong\n" + "\n\n".join(wrong[:10])


def check(point: Point, outcome: Outcome, data: Path, before: object, after: object) -> None:
    """Look at what the child said, open the registry again, and look there."""
    assert not any("bug" in report for report in outcome.reports)
    for report in outcome.reports:
        if "error" in report:
            assert "\n" not in report["error"]
            assert report["state"] in (None, jsoned(before))
        else:
            assert report["done"] == jsoned(after)
    if point.what == "signal=KILL":
        assert outcome.status == -signal.SIGKILL, "the child was not killed"
    else:
        assert outcome.status == 0
        assert outcome.reports
        assert "done" in outcome.reports[-1], "the second try fails too"
    with Registry.open(data) as registry:
        now = state(registry)
        assert now in ([after] if any("done" in report for report in outcome.reports) else [before, after])
        check_files(registry)
        registry.verify_audit()
    house = House(data.parent, data)
    house.deploy("newest")
    assert house.registry is not None
    with house.registry as registry:
        check_files(registry)


def check_files(registry: Registry) -> None:
    """Everything that is recorded is there and sound, and nothing else is."""
    allowed = re.compile(r"lock|key|logs|packed|releases|scratch|registry\.db(-wal|-shm)?")
    assert [place.name for place in registry.directory.iterdir() if not allowed.fullmatch(place.name)] == []
    assert list(registry.scratch.iterdir()) == []
    rows = [row for one in registry.tenants() for row in registry.releases_of(one.name)]
    assert not any(row.is_damaged for row in rows)
    here = {place.name for place in registry.releases.iterdir()}
    packed = {place.name for place in (registry.directory / "packed").iterdir()}
    for digest in here:
        assert release.is_sound(registry.releases / digest)
    assert here | packed >= {row.digest for row in rows}
    assert not here & packed
    assert here | packed <= needed(registry)
    for one in registry.tenants():
        if one.current:
            assert release.is_whole(one.current.directory)


def needed(registry: Registry) -> set[str]:
    """Return the digests of all that is recorded, and of what that stands on."""
    found: set[str | None] = {None}
    for digest, parent in registry._needed().items():  # noqa: SLF001 - a packed release's parent stands only there
        found.add(digest)
        above = parent
        while above not in found:
            found.add(above)
            above = release.parent_of(registry.releases / str(above))
    return {digest for digest in found if digest}


def jsoned(value: object) -> object:
    """Return a value as it comes back from JSON."""
    return json.loads(json.dumps(value))


def test_every_scenario_is_used() -> None:
    """And every template has one."""
    assert set(TEMPLATES.values()) == set(SCENARIOS)
