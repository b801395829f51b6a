"""ASGI 3: `app` objects of Starlette, Quart and the like, as they are, on the event loop of `loop`.

The start-up of an application's lifespan runs while it is frozen; its shut-down never does, because a sandbox is not
shut down but thrown away. An answer is sent when the application has returned, so what it does after the last piece
of the body, such as background tasks, is done too.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, TypeVar, cast

from . import host, inline
from .arguments import EntryError, failed
from .failure import failure
from .loop import Loop, Stalled
from .request import make_path
from .response import Reply
from .wsgi import KEYS, server_of

T = TypeVar("T")
Message = MutableMapping[str, Any]
App = Callable[
    [dict[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

NAMES = {name: name.lower().encode("latin-1") for name in KEYS}
"""Names of common header fields, as ASGI has them."""

VERSION = {"version": "3.0", "spec_version": "2.4"}

_loop: Loop | None = None

kept: "list[Lifespan]" = []
"""Lifespans of applications: nobody else refers to them, and they are not done."""


def the_loop() -> Loop:
    """Return this program's loop."""
    global _loop  # noqa: PLW0603 - there is one
    if _loop is None:
        _loop = Loop()
    return _loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on this program's loop."""
    return the_loop().run(coroutine)


def finish(value: object) -> object:
    """Return what a coroutine returns, or what an asynchronous generator gives, as an iterator."""
    if hasattr(value, "__aiter__"):
        return iter(run(collect(cast("AsyncIterable[object]", value))))
    return run(cast("Coroutine[Any, Any, object]", value))


async def collect(items: AsyncIterable[object]) -> list[object]:
    """Return everything that is given."""
    return [item async for item in items]


class Exchange:
    """One request and its answer."""

    __slots__ = ("body", "gone", "headers", "is_complete", "is_read", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: Any = ()
        self.body: bytes | list[bytes] | None = None
        self.is_read = False
        self.is_complete = False
        self.gone: asyncio.Event | None = None
        """What those wait for who ask for more than the content: the end of the answer."""

    async def receive(self) -> Message:
        """Give the content, whole; after that, when the answer is complete, the client has gone."""
        if not self.is_read:
            self.is_read = True
            return {"type": "http.request", "body": host.content(4), "more_body": False}
        if not self.is_complete:
            if self.gone is None:
                self.gone = asyncio.Event()
            await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Keep the head of the answer, then the pieces of its body."""
        kind = message["type"]
        if kind == "http.response.start" and not self.status:
            self.status = message["status"]
            self.headers = message.get("headers", ())
        elif kind == "http.response.body" and self.status and not self.is_complete:
            piece = message.get("body", b"")
            if self.body is None:
                self.body = piece
            elif type(self.body) is list:
                self.body.append(piece)
            else:
                self.body = [cast("bytes", self.body), piece]
            if not message.get("more_body", False):
                self.is_complete = True
                if self.gone is not None:
                    self.gone.set()
        else:
            raise RuntimeError(f"`{kind}` cannot be sent {self._so_far()}")

    def _so_far(self) -> str:
        if self.is_complete:
            return "after the end of the answer"
        return "once the answer has begun" if self.status else "before the answer has begun"

    def answer(self) -> Reply:
        """Return it in the host's form."""
        if not self.is_complete:
            raise RuntimeError(f"the application returned {self._so_far()}")
        body = self.body
        if type(body) is not bytes:
            body = b"".join(body) if type(body) is list else bytes(cast("bytes", body))
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers]
        return (int(self.status), None, headers, body)


class Lifespan:
    """An application's start-up, and the state that it leaves to requests."""

    def __init__(self, app: App, loop: Loop) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._loop = loop
        self._messages = 0
        self._outcome = ""
        self._reason = ""
        self._end: asyncio.Future[None] = loop.create_future()

    def stop(self) -> None:
        """Run the shut-down, where there is one: not in a sandbox."""
        if not self._task.done():
            self._end.set_result(None)
            self._loop.run_until_complete(asyncio.wait([self._task]))

    def start(self) -> None:
        """Run it; an application that knows no lifespan has none. Raises `EntryError` if it fails."""
        scope = {"type": "lifespan", "asgi": VERSION, "state": self.state}
        try:
            self._loop.run_until_complete(self._started(self._app(scope, self._receive, self._send)))
        except Stalled as error:
            self._loop.forget(self._task)
            raise EntryError(f"the start-up of the application does not end: {error}") from error

    async def _started(self, running: Awaitable[None]) -> None:
        task = self._task = asyncio.ensure_future(running)
        self._told = asyncio.Event()
        task.add_done_callback(lambda _: self._told.set())
        await self._told.wait()
        self._loop.forget(task)
        if self._outcome == "failed":
            raise EntryError(f"the start-up of the application failed: {self._reason}")
        if self._outcome == "complete" or not task.done():
            return
        error = None if task.cancelled() else task.exception()
        if error is not None and self._messages and self._outcome != "unknown":
            raise EntryError(f"the start-up of the application failed: {failure(error)}")
        self.state.clear()

    async def _receive(self) -> Message:
        self._messages += 1
        if self._messages == 1:
            return {"type": "lifespan.startup"}
        await self._end
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            self._outcome = "complete"
        elif kind == "lifespan.startup.failed":
            self._outcome, self._reason = "failed", message.get("message", "")
        elif not kind.startswith("lifespan.shutdown."):
            self._outcome = "unknown"
            raise RuntimeError(f"`{kind}` cannot be sent while the application starts")
        self._told.set()


def shut_down() -> None:
    """End what applications have started: for tests of programs, which are not thrown away like a sandbox."""
    while kept:
        kept.pop().stop()


def forget() -> None:
    """Have the next program begin with a loop of its own."""
    global _loop  # noqa: PLW0603 - there is one
    shut_down()
    _loop = None


def make_asgi(app: App) -> Callable[..., Reply | str]:
    """Run the start-up of an application and return the function that a request calls."""
    inline.install_in_anyio(lambda running: isinstance(running, Loop))
    loop = the_loop()
    lifespan = Lifespan(app, loop)
    lifespan.start()
    kept.append(lifespan)
    state = lifespan.state

    def entry(  # noqa: PLR0913, PLR0917 - the host's order
        method: str, path: str, query: str, client: str, scheme: str, authority: str, mount: str
    ) -> Reply | str:
        exchange = Exchange()
        try:
            name, port = server_of(authority, scheme)
            whole = mount + path
            scope = {
                "type": "http",
                "asgi": VERSION,
                "http_version": "1.1",
                "method": method,
                "scheme": scheme,
                "path": make_path(whole),
                "raw_path": whole.encode("latin-1"),
                "query_string": query.encode("latin-1"),
                "root_path": mount,
                "headers": [
                    (NAMES.get(name) or name.lower().encode("latin-1"), value.encode("latin-1"))
                    for name, value in host.fields()
                ],
                "client": (client, 0) if client else None,
                "server": (name, int(port)),
                "state": state.copy(),
                "extensions": {},
            }
            loop.run(cast("Coroutine[Any, Any, None]", app(scope, exchange.receive, exchange.send)))
        except BaseException as raised:  # noqa: BLE001 - the log tells the tenant
            if not exchange.is_complete:
                return failed(raised)
            # As with a server that has sent it by now: nothing changes an answer that is complete.
            host.log(host.ERROR, failure(raised))
        try:
            return exchange.answer()
        except BaseException as raised:  # noqa: BLE001 - likewise
            return failed(raised)

    return entry
