"""Many hands at once: there is one order of the changes that explains every answer.

Each thread makes changes to one tenant and keeps the answers. The order is that of the audit table. A model is led
through it: what was accepted must have been possible then, and a refusal must have been right at some moment between
its question and its answer.
"""

import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dayfly.errors import Conflict, DayflyError, NotFound, RouteTaken
from dayfly.registry import Actor, Registry
from tests.registry.releases import made, record

THREADS = 100
ROUNDS = int(os.environ.get("DAYFLY_ROUNDS", "3"))


@dataclass(frozen=True)
class Answer:
    """What one change was answered, between two lengths of the table."""

    by: str
    what: str
    release: str
    expected: int | None
    began: int
    ended: int
    error: type[DayflyError] | None


@dataclass
class Model:
    """What a tenant is after each entry."""

    revision: int = 0
    current: str = ""
    canary: str = ""

    def refuses(self, what: str, release: str, expected: int | None) -> type[DayflyError] | None:
        """Return what a change is refused with in this state."""
        if what not in {"deploy", "canary"} and not self.revision:
            return NotFound
        if expected is not None and expected != self.revision:
            return Conflict
        if what in {"promote", "abort"} and not self.canary:
            return Conflict
        if what == "canary" and self.current in {"", release}:
            return Conflict
        return None


def change_of(registry: Registry, draw: random.Random, by: Actor) -> tuple[str, str, int | None, Callable[[], object]]:
    """Draw a change: what, of which release, for which revision, and how it is made."""
    words = f"{draw.randrange(5)}"
    expected = None
    if draw.random() < 0.5:
        history = registry.history("hello", limit=1)
        expected = history[0].number if history and history[0].what != "remove" else 0
    table: dict[str, Callable[[], object]] = {
        "deploy": lambda: record(registry, words, by=by, expected_revision=expected),
        "canary": lambda: record(registry, words, canary=0.5, by=by, expected_revision=expected),
        "remove": lambda: registry.remove("hello", by=by, expected_revision=expected),
        "promote": lambda: registry.promote("hello", by=by, expected_revision=expected),
        "abort": lambda: registry.abort("hello", by=by, expected_revision=expected),
    }
    what = draw.choice(["deploy", "deploy", "deploy", "canary", "remove", "promote", "abort"])
    return what, made(words).digest, expected, table[what]


def test_one_history_explains_all_answers(registry: Registry) -> None:
    """A hundred threads, on either database; the seed is printed on failure."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    answers: list[Answer] = []
    barrier = threading.Barrier(THREADS)

    def length() -> int:
        return max((event.number for event in registry.history(limit=1)), default=0)

    def work(number: int) -> None:
        draw = random.Random(seed + number)
        barrier.wait()
        for count in range(ROUNDS):
            by = Actor(f"{number}.{count}")
            what, release, expected, change = change_of(registry, draw, by)
            began, error = length(), None
            try:
                change()
            except (Conflict, NotFound, RouteTaken) as refusal:
                error = type(refusal)
            answers.append(Answer(by.name, what, release, expected, began, length(), error))

    with registry.deploying(), ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(work, range(THREADS))) == [None] * THREADS
    explain(registry, answers)


def explain(registry: Registry, answers: list[Answer]) -> None:
    """Lead the model through the table, and find each answer in it."""
    events = {event.number: event for event in registry.history(limit=10_000)}
    assert registry.verify_audit()[0] == len(events)
    accepted = {answer.by: answer for answer in answers if answer.error is None}
    assert sorted(accepted) == sorted(event.by for event in events.values())
    states = [Model()]
    for number in range(1, len(events) + 1):
        event, state = events[number], states[-1]
        answer = accepted[event.by]
        assert answer.began < number <= answer.ended
        assert state.refuses(answer.what, answer.release, answer.expected) is None, (number, answer, state)
        states.append(after(state, number, answer.what, str(event.release)))
    for answer in answers:
        if answer.error:
            between = states[answer.began : answer.ended + 1]
            assert answer.error in {state.refuses(answer.what, answer.release, answer.expected) for state in between}, (
                answer
            )
    last, current, canary = states[-1], registry.current("hello"), registry.canary("hello")
    assert (last.current or None) == (current and current.digest)
    assert (last.canary or None) == (canary and canary.release.digest)


def after(state: Model, number: int, what: str, release: str) -> Model:
    """Return what a change makes of a state."""
    if what == "remove":
        return Model()
    if what == "deploy":
        return Model(number, release)
    if what == "promote":
        return Model(number, state.canary)
    return Model(number, state.current, release if what == "canary" else "")
