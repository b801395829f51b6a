"""However deep a program goes, Python ends it: what native code does to nested objects is right, or an exception."""

import json
from pathlib import Path

import pytest

from tests.python.programs import Request
from tests.python.sandbox import LIMITS, Sandboxes

DEEP = Path(__file__).with_name("tenants") / "deep.py"
ENDINGS = {"right", "RecursionError", "MemoryError", "SyntaxError", "ValueError", "JSONDecodeError"}
RECURSION = "brackets braces default unpickle_hash repr_long_list pickle_list deepcopy_list eq_long endless_hash cached"
RIGHT = "let_go_long let_go_long_tuple let_go_node let_go_closure let_go_begun let_go_finalised cycle element_copy"
"""Some of them, by how they must end."""
MANY = LIMITS.model_copy(update={"cpu_ns_max": 30_000_000_000, "init_cpu_ns_max": 60_000_000_000})


@pytest.fixture(scope="module")
def ways(sandboxes: Sandboxes) -> list[str]:
    """Publish the program and return what it can do."""
    sandboxes.publish("deep", DEEP.read_text(encoding="utf-8"), MANY)
    found: list[str] = json.loads(sandboxes.ask("deep", Request("GET", "/", "")).text)
    assert len(found) > 300
    return found


def check(endings: dict[str, str]) -> None:
    """Each has ended in one of the ways, and the plain ones in the one that is theirs."""
    assert set(endings.values()) <= ENDINGS
    for expected, names in {"RecursionError": RECURSION, "right": RIGHT}.items():
        assert {name: endings[name] for name in names.split()} == dict.fromkeys(names.split(), expected)


@pytest.mark.parametrize(("lane", "together"), [("inline", 1), ("overflow", 15), ("blocking", 15)])
def test_depth_is_an_exception_and_never_a_trap(
    sandboxes: Sandboxes, ways: list[str], lane: str, together: int
) -> None:
    """In each lane, whose threads are others."""
    endings: dict[str, str] = {}
    for begin in range(0, len(ways), together):
        some = ways[begin : begin + together]
        status, cause, _, body = sandboxes.send("deep", Request("GET", f"/{'+'.join(some)}?{lane}", ""))
        assert (status, cause) == (200, ""), some
        endings |= json.loads(body)
    check(endings)


def test_depth_while_freezing_is_an_exception_and_never_a_trap(sandboxes: Sandboxes, ways: list[str]) -> None:
    """In `on_init`."""
    sandboxes.publish("deep-frozen", DEEP.read_text(encoding="utf-8"), MANY, environment={"FREEZE": " ".join(ways)})
    check(json.loads(sandboxes.ask("deep-frozen", Request("GET", "/frozen", "")).text))
