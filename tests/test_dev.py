"""What a developer is shown."""

import time

import pytest

from dayfly.core import AccessRecord, LogRecord
from dayfly.dev import Screen
from dayfly.log import cpu_time
from dayfly.testing import FakeCore

ACCESS = AccessRecord(
    time_s=0.0,
    tenant="shop",
    release="f" * 64,
    request_id="r1",
    method="GET",
    target="/a",
    status=200,
    lane="inline",
    cpu_ns=312_000,
    pages=12,
    reruns=0,
)


class Asked(FakeCore):
    """A core whose records are the test's."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[AccessRecord] = []

    def accesses(self) -> list[AccessRecord]:
        """Take them."""
        taken, self.waiting = self.waiting, []
        return taken


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines since the last time."""
    return capsys.readouterr().out.splitlines()


def test_a_request_is_a_line_and_what_it_logged_stands_below(capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever comes first; a terminal is never told what to do."""
    screen, core = Screen(), Asked()
    core.waiting_logs.append(LogRecord(time.time(), "shop", "f" * 64, "r1", 1, "one\ntwo \x1b[31m"))
    assert screen.take(core)
    assert shown(capsys) == []
    core.waiting.append(ACCESS)
    assert screen.take(core)
    line, one, two = shown(capsys)
    assert line.split()[1:] == ["200", "GET", "/a", "312", "µs", "12", "pages"]
    assert (one, two) == ("    one", "    two \\x1b[31m")
    assert not screen.take(core)


def test_lines_whose_request_is_not_known_are_shown_after_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    """The server itself may have something to say."""
    screen, core = Screen(), Asked()
    core.waiting_logs.append(LogRecord(time.time() - 10, "", "", "r2", 4, "a fault"))
    screen.take(core)
    assert shown(capsys) == ["    a fault"]


def test_a_problem_is_shown_with_what_was_saved(capsys: pytest.CaptureFixture[str]) -> None:
    """Some names, not all."""
    Screen().broken("app.py:1: wrong\n  line", ["d", "c", "b", "a"])
    assert shown(capsys) == ["a, b, c and 1 more: not live: app.py:1: wrong", "      line"]


def test_where_it_serves_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Each address that answers."""
    Screen().ready("::1", 80, ["shop.localhost"])
    assert shown(capsys) == ["serving http://[::1]:80  http://shop.localhost:80"]


@pytest.mark.parametrize(("nanoseconds", "text"), [(0, "0 µs"), (999_000, "999 µs"), (1_000_000, "1.0 ms")])
def test_times_have_the_unit_that_suits_them(nanoseconds: int, text: str) -> None:
    """Micro- and milliseconds."""
    assert cpu_time(nanoseconds) == text
