"""All guests on the same threads, in random order: nobody sees another, nothing grows, every restore is checked.

`DAYFLY_SOAK_REQUESTS` sets how many requests are sent; `make soak` sends a million.
"""

import os
import random
import re
from pathlib import Path

import pytest

from dayfly.bench.running import Placement, running
from dayfly.core import PAGE, CoreOptions, Protection, ServerOptions
from tests.hostile.client import Answer, Client

REQUESTS = int(os.environ.get("DAYFLY_SOAK_REQUESTS", "20000"))
BATCH = 50
GROWTH_BYTES_MAX = 16 << 20
"""Between the first fifth of the requests, when every guest has been met, and the end."""

OK = (200, "")
EXPECTED = {
    "/hello": OK,
    "/counter": OK,
    "/scribble": OK,
    "/grow?16": OK,
    "/throw?3": OK,
    "/touch?100": OK,
    "/echo": OK,
    "/throw?uncaught": (500, "trap"),
    "/trap": (500, "trap"),
    "/recurse": (500, "trap"),
    "/hog": (507, "memory"),
    "/badreply?1": (502, "bad_response"),
    "/spin": (504, "cpu"),
    "/bulk": (504, "cpu"),
}
"""What each request must be answered with; its first word is the guest."""
RARE = ["/spin", "/bulk", "/hog"]
"""Each of these takes its whole CPU limit or memory."""
RARE_SHARE = 0.001


def draw(seed: random.Random, count: int) -> list[str]:
    """Choose paths: every second one is the victim."""
    usual = [path for path in EXPECTED if path not in RARE]
    return [
        seed.choice(RARE) if seed.random() < RARE_SHARE else "/hello" if seed.random() < 0.5 else seed.choice(usual)
        for _ in range(count)
    ]


def check(path: str, answer: Answer) -> None:
    """Compare an answer with what the guest must give, whoever was there before."""
    assert (answer.status, answer.cause) == EXPECTED[path], (path, answer)
    if path == "/hello":
        assert answer.body == PAGE
    if path == "/counter":
        assert answer.body.split() == [b"1", b"1"]


def resident_bytes() -> int:
    """Return the resident memory of this process, in which the server runs."""
    (kib,) = re.findall(r"^VmRSS:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    return int(kib) << 10


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("protection", ["userfault", "mprotect"])
def test_no_request_sees_another(protection: Protection) -> None:
    """A million requests beside tenants that write everywhere, grow, trap, throw, spin and lie."""
    number = random.randrange(1 << 32)
    print(f"seed {number}")
    seed = random.Random(number)
    guests = sorted({f"guests/{re.split(r'[/?]', path)[1]}.wat" for path in EXPECTED})
    options = CoreOptions(code_cache=Path(), protection=protection, paranoid_every=1, threads=1, spin_us=0)
    placement = Placement(frozenset(os.sched_getaffinity(0)), frozenset(os.sched_getaffinity(0)))
    with running(guests, placement, options, ServerOptions()) as server, Client(server.url) as client:
        settled = 0
        for sent in range(0, REQUESTS, BATCH):
            paths = draw(seed, BATCH)
            for path, answer in zip(paths, client.ask(paths), strict=True):
                check(path, answer)
            if not settled and sent >= REQUESTS // 5:
                settled = resident_bytes()
        assert resident_bytes() - settled < GROWTH_BYTES_MAX
        sandboxes = server.core.stats()["sandboxes"]
        assert sandboxes["paranoid_differences"] == 0
        assert sandboxes["paranoid_checks"] >= REQUESTS / 2
