"""What a worker says is checked: it runs hostile programs, and may have become one of them."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dayfly.core import LogRecord
from dayfly.errors import DamagedRelease, InternalError, InvalidOption
from dayfly.worker.channel import Channel, WorkerGone, to_polled, to_records, to_stats

Wire = tuple[Channel, socket.socket, threading.Event]
RECORD = {"time_s": 1.5, "tenant": "a", "release": "0f", "request_id": "r", "level": 1, "text": "hi"}


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Return a channel, the worker's end of it, and what is set at its end."""
    ours, theirs = socket.socketpair()
    ended = threading.Event()
    channel = Channel(ours, ended.set)
    with theirs:
        yield channel, theirs, ended
        channel.end()
    assert ended.wait(30)


def say(theirs: socket.socket, message: object) -> None:
    """Send a message as a worker does."""
    octets = json.dumps(message).encode()
    theirs.sendall(struct.pack("<I", len(octets)) + octets)


def heard(theirs: socket.socket) -> dict[str, object]:
    """Receive an order as a worker does."""
    (length,) = struct.unpack("<I", theirs.recv(4, socket.MSG_WAITALL))
    order: dict[str, object] = json.loads(theirs.recv(length, socket.MSG_WAITALL))
    return order


def test_answers_may_come_in_any_order(wire: Wire) -> None:
    """Each has the number of its order."""
    channel, theirs, _ = wire
    first, second = channel.send("stats", check=dict), channel.send("stop")
    assert heard(theirs) == {"id": 1, "order": {"stats": {}}}
    assert heard(theirs) == {"id": 2, "order": {"stop": {}}}
    say(theirs, {"done": {"id": 2, "result": None}})
    say(theirs, {"done": {"id": 1, "result": {"uptime_s": 1}}})
    assert second.result(30) is None
    assert first.result(30) == {"uptime_s": 1}


def test_an_error_is_one_of_the_tree(wire: Wire) -> None:
    """By its kind; one that nobody knows is our own fault."""
    channel, theirs, _ = wire
    answers = [channel.send("stop") for _ in range(2)]
    say(theirs, {"failed": {"id": 1, "error": {"kind": "damaged", "text": "it is"}}})
    say(theirs, {"failed": {"id": 2, "error": {"kind": "no such", "text": "it is"}}})
    assert isinstance(answers[0].exception(30), DamagedRelease)
    assert isinstance(answers[1].exception(30), InternalError)


@pytest.mark.parametrize(
    "octets",
    [
        struct.pack("<I", (64 << 20) + 1),
        struct.pack("<I", 4) + b"{}{}",
        struct.pack("<I", 2) + b"{}",
        struct.pack("<I", 2) + b"[]",
        struct.pack("<I", 2) + b"\xff\xff",
        struct.pack("<I", 200_000) + b"[" * 200_000,
        *(
            struct.pack("<I", len(text)) + text
            for text in (
                b'{"hello": {"protocol": 2, "version": "9"}}',
                b'{"hello": {}}',
                b'{"hello": 1}',
                b'{"done": {"id": 9, "result": null}}',
                b'{"done": {"id": 1, "result": "something"}}',
                b'{"done": {"id": [1], "result": null}}',
                b'{"failed": {"id": 1, "error": null}}',
                b'{"failed": {"id": 1, "error": {"kind": [], "text": ""}}}',
                b'{"ended": {"logs": [{}], "error": null}}',
                b'{"ended": {"logs": null, "error": null}}',
                b'{"done": {"id": 1, "result": null}, "hello": {}}',
                b'{"other": {}}',
            )
        ),
    ],
)
def test_who_says_what_cannot_be_is_gone(wire: Wire, octets: bytes) -> None:
    """All that was asked has its answer: an error."""
    channel, theirs, ended = wire
    answer = channel.send("stop")
    theirs.sendall(octets)
    assert ended.wait(30)
    assert isinstance(answer.exception(30), WorkerGone)
    assert isinstance(channel.send("stop").exception(30), WorkerGone)
    assert theirs.recv(1 << 16)
    assert theirs.recv(1) == b"", "the worker sees that nobody listens"


def test_a_worker_that_is_gone_answers_nothing(wire: Wire) -> None:
    """Half a message is the end."""
    channel, theirs, ended = wire
    answer = channel.send("stop")
    theirs.sendall(b"\x10\x00")
    theirs.shutdown(socket.SHUT_RDWR)
    assert ended.wait(30)
    assert isinstance(answer.exception(30), WorkerGone)


def test_an_answer_may_take_long_as_long_as_there_are_signs_of_life(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that gives none is left, so that nobody waits for it."""
    channel, theirs, ended = wire
    monkeypatch.setattr("dayfly.worker.channel.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("dayfly.worker.channel.SILENT_SECONDS", 0.5)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(channel.ask, "publish", str)
        assert heard(theirs)["order"] == {"publish": {}}
        for _ in range(3):
            sign = heard(theirs)
            assert sign["order"] == {"stats": {}}
            assert not answer.done()
            say(theirs, {"done": {"id": sign["id"], "result": {"log_dropped": 0}}})
        assert isinstance(answer.exception(30), WorkerGone)
    assert ended.wait(30)


def test_a_channel_can_be_left_also_after_its_end(wire: Wire) -> None:
    """Whoever takes it over hears that nothing comes."""
    channel, theirs, ended = wire
    with socket.socket(fileno=channel.leave()) as left:
        left.sendall(b"a")
        assert theirs.recv(1) == b"a"
    theirs.shutdown(socket.SHUT_RDWR)
    assert ended.wait(30)
    with socket.socket(fileno=channel.leave()) as left:
        assert left.recv(1) == b""


def test_the_last_words_are_kept(wire: Wire) -> None:
    """What it had logged, and why it ended."""
    channel, theirs, ended = wire
    say(theirs, {"ended": {"logs": [RECORD], "error": {"kind": "usage", "text": "no such host"}}})
    theirs.shutdown(socket.SHUT_RDWR)
    assert ended.wait(30)
    assert channel.last_logs == [LogRecord(1.5, "a", "0f", "r", 1, "hi")]
    assert isinstance(channel.reason, InvalidOption)


def test_an_order_that_is_too_long_is_never_sent(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is our own fault, and the channel is as good as before."""
    channel, theirs, _ = wire
    monkeypatch.setattr("dayfly.worker.channel.ORDER_BYTES_MAX", 100)
    with pytest.raises(InternalError, match="octets"):
        channel.send("publish", {"tenants": "a" * 100})
    channel.send("stop")
    assert heard(theirs)["order"] == {"stop": {}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant": 1},
        {"text": None},
        {"time_s": "now"},
        {"time_s": True},
        {"level": 5},
        {"level": "1"},
        {"release": "../../etc"},
        {"request_id": ["r"]},
        {"more": 1},
    ],
)
def test_a_log_line_has_the_parts_that_it_must_have(wrong: dict[str, object]) -> None:
    """Nothing of another kind reaches a log file."""
    assert to_records([dict(RECORD)])
    with pytest.raises((ValueError, TypeError)):
        to_records([{**RECORD, **wrong}])


@pytest.mark.parametrize("polled", [{}, {"beats": 1, "logs": []}, {"beats": ["1"], "logs": []}, {"beats": []}])
def test_a_look_that_shows_nothing_is_refused(polled: dict[str, object]) -> None:
    """As every result that is not what was asked for."""
    read: Callable[[dict[str, object]], object] = to_polled
    with pytest.raises((ValueError, KeyError)):
        read(polled)


@pytest.mark.parametrize("stats", [[], {}, {"log_dropped": "1"}])
def test_counters_that_are_none_are_refused(stats: Any) -> None:
    """As well."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        to_stats(stats)
