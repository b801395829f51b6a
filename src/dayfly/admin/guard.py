"""What every request passes before a route sees it: where it comes from, whose it is, and how much of it is read."""

import asyncio
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from anyio.to_thread import current_default_thread_limiter

from dayfly.admin.archive import ARCHIVE_BYTES_MAX
from dayfly.admin.caller import Failures, Peer, identify
from dayfly.admin.problem import REQUEST_ID, Problem, internal, response
from dayfly.log import logger
from dayfly.operator import Operator

BODY_BYTES_MAX = 512 << 10
"""Octets of a body that is no archive: a secret has at most 64 KiB, and JSON may write each octet in six."""

BODY_SECONDS = 30.0
"""How long a body may keep the server waiting for its next piece."""

BODY_SECONDS_MAX = 300.0
"""How long a body may take in all."""

REQUESTS_MAX = 128
"""Requests at once; one more is told to come back."""

OPEN_PATHS = frozenset({"/health", "/ready"})
"""What needs no token: a load balancer has none."""

ARCHIVE_SUFFIX = "/deploys"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
"""Of every answer: a secret's name or a token is in no cache, and no browser guesses what JSON is."""


class Guard:
    """An application around the one with the routes."""

    def __init__(self, app: Application, operator: Operator, *, hosts: frozenset[str], failures: Failures) -> None:
        """`hosts`: names by which the server may be called, besides addresses and `localhost`."""
        self._app = app
        self._operator = operator
        self._hosts = hosts
        self._failures = failures
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, request_id)
        self._requests += 1
        # Then no request waits for a thread: of a few busy tenants' changes, each holds one for as long as it waits.
        current_default_thread_limiter().total_tokens = REQUESTS_MAX
        try:
            await self._admit(scope)
            await self._app(scope, _Body(scope, receive).receive, answer.send)
        except Problem as problem:
            await answer.refuse(problem, scope, receive)
        except Exception:  # noqa: BLE001 - whatever it is, the client gets an answer and the log the rest
            logger.exception("admin: request %s failed", request_id)
            await answer.refuse(internal(), scope, receive)
        finally:
            self._requests -= 1

    async def _admit(self, scope: Scope) -> None:
        """Raise Problem for what goes no further."""
        peer = Peer.of(scope)
        _check_origin(scope, None if peer.address.startswith("unix:") else self._hosts)
        if scope["path"] not in OPEN_PATHS:
            if self._requests > REQUESTS_MAX:
                raise Problem(503, "overload", "too many requests at once; try again", headers={"Retry-After": "1"})
            caller = await identify(self._operator, self._failures, peer, _values(scope, b"authorization"))
            scope["state"]["caller"] = caller


class _Answer:
    """The way back of one request."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self._started = False

    async def send(self, message: Message) -> None:
        """Pass a piece on, with the headers of every answer."""
        if message["type"] == "http.response.start":
            self._started = True
            own = [*_HEADERS, (REQUEST_ID.lower().encode(), self._request_id.encode())]
            message["headers"] = [*message.get("headers", []), *own]
        await self._send(message)

    async def refuse(self, problem: Problem, scope: Scope, receive: Receive) -> None:
        """Answer with a problem; what has begun to be answered ends early instead."""
        if not self._started:
            await response(problem, self._request_id)(scope, receive, self.send)


class _Body:
    """The way in: so many octets and no more, in so much time."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._most = ARCHIVE_BYTES_MAX if str(scope["path"]).endswith(ARCHIVE_SUFFIX) else BODY_BYTES_MAX
        self._taken = 0
        self._is_whole = False
        self._until = asyncio.get_running_loop().time() + BODY_SECONDS_MAX
        announced = _values(scope, b"content-length")
        if announced and announced[0].isdigit() and int(announced[0][:20]) > self._most:
            raise self._too_large()

    async def receive(self) -> Message:
        """Take the next piece. Raises Problem."""
        if self._is_whole:
            return await self._receive()
        left = self._until - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(BODY_SECONDS, left)):
                message = await self._receive()
        except TimeoutError:
            raise Problem(
                408, "timeout", "the body took too long; send it again", field="body", headers={"Connection": "close"}
            ) from None
        self._taken += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._taken > self._most:
            raise self._too_large()
        return message

    def _too_large(self) -> Problem:
        # What is left of it is not read, so the connection is of no further use.
        detail = f"the body has more than {self._most >> 10} KiB; send less"
        return Problem(413, "too_large", detail, field="body", headers={"Connection": "close"})


def _check_origin(scope: Scope, hosts: frozenset[str] | None) -> None:
    """Refuse what a page of somebody else's has a browser send; `hosts`: names that are ours, None: any.

    A page can come from a name that its owner then points at this machine (DNS rebinding): only addresses, `localhost`
    and names that the operator gave are ours. No browser speaks on a socket in the file system.
    """
    host = b"".join(_values(scope, b"host")).decode("latin-1")
    name = _host_name(host)
    if name is None or (hosts is not None and name not in hosts and name != "localhost" and not _is_address(name)):
        detail = (
            f"this server does not go by the name {host[:100]!r}; use its address, or give the name to --admin-name"
        )
        raise Problem(421, "host", detail, field="Host")
    for origin in _values(scope, b"origin"):
        if origin.decode("latin-1").lower() not in {f"http://{host.lower()}", f"https://{host.lower()}"}:
            raise Problem(403, "origin", "pages of other origins may not ask this server", field="Origin")
    if _values(scope, b"sec-fetch-site") not in ([], [b"same-origin"], [b"none"]):
        raise Problem(403, "origin", "pages of other origins may not ask this server", field="Sec-Fetch-Site")


def _host_name(host: str) -> str | None:
    """Return the name in a `Host` field, None if it is none."""
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:
        return None
    is_plain = parts.netloc == host and "@" not in host and not parts.path
    return parts.hostname if is_plain and (port is None or port > 0) else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for field, value in scope["headers"] if field.lower() == name]
