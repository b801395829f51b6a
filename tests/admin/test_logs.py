"""A log is read from its end and followed; nobody waits for a slow reader."""

import asyncio
import json
from typing import Any, Self

import httpx
import pytest

from dayfly.admin import logs as routes
from dayfly.core import LogRecord
from dayfly.log import WAITING_LINES_MAX, LogLine, TenantLogs
from tests.admin.conftest import OWNER, House, problem


def record(text: str, tenant: str = "shop") -> LogRecord:
    """Return a line of a program."""
    return LogRecord(1_700_000_000.5, tenant, "ab" * 32, "0123456789abcdef", 1, text)


def events(text: str) -> list[tuple[str, Any]]:
    """Read server-sent events."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


class Stream:
    """A request whose answer arrives piece by piece, as a real server would send it."""

    def __init__(self, house: House, path: str) -> None:
        self._house = house
        self._path = path
        self._pieces: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._asked = False

    async def __aenter__(self) -> Self:
        path, _, query = self._path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "client": OWNER,
            "server": ("localhost", 80),
        }
        self._task = asyncio.create_task(self._house.app(scope, self._receive, self._send))
        start = await self.piece()
        assert start["status"] == 200
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        await asyncio.wait_for(self._task, 10)

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self._pieces.put(dict(message))

    async def piece(self) -> dict[str, Any]:
        """Return the next piece."""
        return await asyncio.wait_for(self._pieces.get(), 10)

    async def next(self) -> tuple[str, Any]:
        """Return the next event."""
        while True:
            if found := events((await self.piece())["body"].decode()):
                (event,) = found
                return event

    async def end(self) -> None:
        """Wait until the server ends it."""
        await asyncio.wait_for(self._task, 10)


def test_the_end_of_a_log_is_read(shop: House) -> None:
    """So many lines, the oldest first; nobody else's."""
    for number in range(5):
        shop.logs.write(record(f"line {number}"))
        shop.logs.write(record("not yours", tenant="other"))
    answer = shop.ask("GET", "/v1/tenants/shop/logs", params={"tail": 3})
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert [(kind, line["text"]) for kind, line in events(answer.text)] == [("line", f"line {n}") for n in (2, 3, 4)]
    assert events(answer.text)[0][1] == {
        "time": 1_700_000_000.5,
        "tenant": "shop",
        "level": "info",
        "release": "ab" * 6,
        "request": "0123456789abcdef",
        "text": "line 2",
    }
    assert shop.ask("GET", "/v1/tenants/shop/logs", params={"tail": 0}).text == ""
    problem(shop.ask("GET", "/v1/tenants/nobody/logs"), 404, "not_found", "tenant")
    problem(shop.ask("GET", "/v1/tenants/shop/logs", params={"tail": 1001}), 422, "request", "tail")


def test_a_log_is_followed(shop: House) -> None:
    """From its end on, without a gap or a line twice, until the reader goes away."""

    async def story(_: httpx.AsyncClient) -> None:
        shop.logs.write(record("before"))
        async with Stream(shop, "/v1/tenants/shop/logs?follow=true") as stream:
            assert (await stream.next())[1]["text"] == "before"
            for number in range(3):
                await asyncio.to_thread(shop.logs.write, record("not yours", tenant="other"))
                await asyncio.to_thread(shop.logs.write, record(f"line {number}\nhas two"))
                assert (await stream.next())[1]["text"] == f"line {number}\nhas two"
            assert shop.operator.subscribers == 1
        assert shop.operator.subscribers == 0

    shop.run(story)


def test_all_logs_are_followed_at_once(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """By who may read everything."""
    monkeypatch.setattr(routes, "HEARTBEAT_SECONDS", 0.01)

    async def story(_: httpx.AsyncClient) -> None:
        async with Stream(shop, "/v1/logs?follow=true") as stream:
            assert (await stream.piece())["body"] == b":\n\n"
            shop.logs.write(record("a"))
            shop.logs.write(record("b", tenant="other"))
            assert [(await stream.next())[1]["tenant"] for _ in range(2)] == ["shop", "other"]

    shop.run(story)


def test_a_slow_reader_misses_the_oldest_lines(house: House) -> None:
    """And is told how many; the writer does not notice."""
    reader = house.logs.subscribe(None, lambda: None)
    for number in range(WAITING_LINES_MAX + 7):
        house.logs.write(record(f"line {number}"))
    lines, missed = reader.take()
    assert (len(lines), missed) == (WAITING_LINES_MAX, 7)
    assert lines[0].text == "line 7"
    assert reader.take() == ([], 0)


def test_a_quiet_log_shows_that_it_is_there(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment now and then, so that both ends notice when the other is gone."""
    monkeypatch.setattr(routes, "HEARTBEAT_SECONDS", 0.01)

    async def story(_: httpx.AsyncClient) -> None:
        async with Stream(shop, "/v1/tenants/shop/logs?follow=true&tail=0") as stream:
            assert (await stream.piece())["body"] == b":\n\n"

    shop.run(story)


def test_readers_are_bounded_and_let_go(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is told to come back; when the server ends, all are let go."""
    monkeypatch.setattr(routes, "SUBSCRIBERS_MAX", 1)

    async def story(client: httpx.AsyncClient) -> None:
        shop.logs.write(record("there"))
        async with Stream(shop, "/v1/tenants/shop/logs?follow=true") as stream:
            await stream.next()
            problem(await client.get("/v1/tenants/shop/logs"), 503, "overload")
            shop.operator.hang_up()
            await stream.end()

    shop.run(story)


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"nonsense\n\xff\n", b'{"time": 1}\n', b"[]\n"])
def test_a_file_that_is_no_log_has_no_lines(house: House, content: bytes) -> None:
    """Whatever stands in it."""
    (house.registry.log_directory / "shop.log").write_bytes(content)
    assert house.logs.tail("shop", 10) == []


def test_the_end_of_a_long_log_is_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without reading all of it; half a line is none."""
    monkeypatch.setattr("dayfly.log.TAIL_BYTES_MAX", 400)
    for number in range(50):
        house.logs.write(record(f"line {number}"))
    texts = [line.text for line in house.logs.tail("shop", 100)]
    assert texts == [f"line {number}" for number in range(50 - len(texts), 50)]
    assert 0 < len(texts) < 5


def test_lines_that_were_read_already_are_not_sent_again() -> None:
    """Those that came between the subscription and the reading of the file are in both."""

    def lines(*texts: str) -> list[LogLine]:
        return [LogLine.of(record(text)) for text in texts]

    overlap = routes._overlap  # noqa: SLF001 - its own claim
    assert overlap(lines("a", "b", "c"), lines("b", "c", "d")) == 2
    assert overlap(lines("a"), lines("b")) == 0
    assert overlap([], lines("b")) == 0
    assert overlap(lines("x", "x"), lines("x", "x", "x")) == 2


def test_closing_lets_readers_go(house: House) -> None:
    """They are woken once more."""
    woken: list[int] = []
    reader = house.logs.subscribe("shop", lambda: woken.append(1))
    TenantLogs.hang_up(house.logs)
    assert reader.is_closed
    assert woken == [1]
