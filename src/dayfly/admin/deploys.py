"""The route of a deploy: the one that takes an archive."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from fastapi import Query, Request, Response
from starlette.concurrency import run_in_threadpool

from dayfly.admin import archive
from dayfly.admin.bodies import Share, TenantName
from dayfly.admin.caller import Need
from dayfly.admin.problem import Problem
from dayfly.admin.route import Changing, Operating, make_router, needs, tag
from dayfly.errors import Overload
from dayfly.operator import DeployReport

DEPLOYS_MAX = 4
"""Deploys at once: each holds an archive in memory, and most of the time a processor."""

TURN_SECONDS = 120.0
"""How long a deploy waits for its turn."""

ARCHIVE_TYPE = "application/x-tar"

_UPLOAD = {
    "requestBody": {
        "description": "the files of the tenant directory as a tar archive, without compression",
        "required": True,
        "content": {ARCHIVE_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}

router = make_router("deploys")


class Turns:
    """Lets so many deploys in at once; the others wait."""

    def __init__(self, most: int = DEPLOYS_MAX, seconds: float = TURN_SECONDS) -> None:
        self._free = asyncio.Semaphore(most)
        self._seconds = seconds

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it. Raises Overload if that takes too long."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._free.acquire()
        except TimeoutError:
            raise Overload("too many deploys at once; try again in some seconds") from None
        try:
            yield
        finally:
            self._free.release()


@router.post("/tenants/{tenant}/deploys", status_code=201, **needs(Need.DEPLOY, _UPLOAD))
async def deploy(  # noqa: PLR0913, PLR0917 - what the framework is to inject
    request: Request,
    tenant: TenantName,
    operator: Operating,
    change: Changing,
    response: Response,
    canary: Annotated[Share | None, Query(description="a share of the requests, instead of all of them")] = None,
) -> DeployReport:
    """Build, freeze, rehearse, record and publish a source. When this answers, the new release answers."""
    _check_type(request)
    turns: Turns = request.app.state.turns
    async with turns.turn():
        octets = bytearray()
        async for piece in request.stream():
            octets += piece

        def make() -> DeployReport:
            source = archive.read(octets, Path(tenant))
            return operator.deploy_sent(tenant, source, replace(change, canary=canary))

        report = await run_in_threadpool(make)
    tag(response, report.revision)
    return report


def _check_type(request: Request) -> None:
    for field, allowed in (("Content-Type", ARCHIVE_TYPE), ("Content-Encoding", "identity")):
        if request.headers.get(field, "identity").partition(";")[0].strip().lower() != allowed:
            detail = f"`{field}` must be `{allowed}`; send a tar archive without compression"
            raise Problem(415, "media_type", detail, field=field)
