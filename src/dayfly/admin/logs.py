"""Routes: log lines, as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from dayfly.admin.bodies import TenantName
from dayfly.admin.caller import Need
from dayfly.admin.route import Operating, make_router, needs
from dayfly.errors import Overload
from dayfly.log import LogLine
from dayfly.operator import Operator

HEARTBEAT_SECONDS = 15.0
"""How long a stream is silent before a comment says that it is there."""

SUBSCRIBERS_MAX = 64

EVENTS = "text/event-stream"

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "events `line`, each a line of the log, and `missed`, how many a slow reader missed",
        "content": {EVENTS: {"schema": {"type": "string"}}},
    }
}

Follow = Annotated[bool, Query(description="go on with the lines that come")]
Tail = Annotated[int, Query(ge=0, le=1000, description="how many of the last lines to begin with")]

router = make_router("logs")


@router.get("/logs", response_class=StreamingResponse, **needs(Need.READ, answers=_STREAM))
async def read_logs(operator: Operating, *, follow: Follow = False) -> StreamingResponse:
    """Follow the logs of all tenants."""
    return await _stream(operator, None, 0, follow=follow)


@router.get("/tenants/{tenant}/logs", response_class=StreamingResponse, **needs(Need.READ, answers=_STREAM))
async def read_log(
    tenant: TenantName, operator: Operating, *, follow: Follow = False, tail: Tail = 100
) -> StreamingResponse:
    """Read the end of a tenant's log, and follow it."""
    return await _stream(operator, tenant, tail, follow=follow)


async def _stream(operator: Operator, name: str | None, tail: int, *, follow: bool) -> StreamingResponse:
    if operator.subscribers >= SUBSCRIBERS_MAX:
        raise Overload("too many read logs already; try again in some seconds")
    if name is not None:
        await run_in_threadpool(operator.tenant, name)
    return StreamingResponse(_events(operator, name, tail, follow=follow), media_type=EVENTS)


async def _events(operator: Operator, name: str | None, tail: int, *, follow: bool) -> AsyncIterator[str]:
    """Give the last lines, and those that come, until the reader or the server goes away."""
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop is closed: the server has gone away
            loop.call_soon_threadsafe(woken.set)

    # Subscribed first: a line that comes meanwhile is in both, and none is in neither.
    with operator.subscribed(name, wake) as subscription:
        known = await run_in_threadpool(operator.tail, name, tail) if name is not None else []
        fresh, _ = subscription.take()
        for line in known + fresh[_overlap(known, fresh) :]:
            yield _event(line)
        while follow and not subscription.is_closed:
            lines, missed = subscription.take()
            if missed:
                yield f"event: missed\ndata: {missed}\n\n"
            for line in lines:
                yield _event(line)
            woken.clear()
            if not lines and not await _wait(woken):
                yield ":\n\n"


async def _wait(woken: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            return await woken.wait()
    except TimeoutError:
        return False


def _overlap(known: list[LogLine], fresh: list[LogLine]) -> int:
    """Return how many lines stand at the end of one list and at the beginning of the other."""
    longest = min(len(known), len(fresh))
    return next((count for count in range(longest, 0, -1) if known[-count:] == fresh[:count]), 0)


def _event(line: LogLine) -> str:
    return f"event: line\ndata: {json.dumps(asdict(line))}\n\n"
