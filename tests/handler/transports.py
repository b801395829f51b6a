"""Ways to send a request of the table: natively, through the entry, and to a server."""

import asyncio
import gzip
import http.client
import importlib.util
import io
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from http.cookies import SimpleCookie
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from dayfly.handler import native
from dayfly.handler.entry import make_entry

from .table import Answer, Row, Sent

HOST = "site.example"

Send = Callable[[Sent, list[tuple[str, str]]], Answer]
"""Sends a request with exactly these header fields beside Host and Content-Length."""

NOT_COMPARED = {"date", "server", "connection", "content-length", "dayfly-request-id", "dayfly-release"}
"""The server's own fields; the length of the body is compared with the body."""


def load(directory: Path, name: str) -> ModuleType:
    """Import a tenant's `app.py` as a module of its own."""
    spec = importlib.util.spec_from_file_location(name, directory / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def stand_in(module: ModuleType, mount: str = "") -> Send:
    """Send through the entry that a sandbox calls."""
    native.set_freezing(is_freezing=True)
    try:
        entry = make_entry(module)
    finally:
        native.set_freezing(is_freezing=False)

    def send(sent: Sent, fields: list[tuple[str, str]]) -> Answer:
        path, _, query = sent.target.partition("?")
        fields = [("Host", HOST), *fields]
        if sent.body:
            fields.append(("Content-Length", str(len(sent.body))))
        frame = native.Frame(sent.method, path, query, fields, sent.body, host=HOST, mount=mount)
        reply = native.call(entry.call, entry.parts, frame)
        return Answer(reply.status, reply.fields, reply.body)

    return send


def native_wsgi(app: Callable[..., Iterable[bytes]], host: str = HOST) -> Send:
    """Call a WSGI application as PEP 3333 says, in the plainest way."""

    def send(sent: Sent, fields: list[tuple[str, str]]) -> Answer:
        path, _, query = sent.target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": sent.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": host,
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": host,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(sent.body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in fields:
            key = "HTTP_" + name.upper().replace("-", "_")
            key = "CONTENT_TYPE" if key == "HTTP_CONTENT_TYPE" else key
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        if sent.body:
            environ["CONTENT_LENGTH"] = str(len(sent.body))
        started: list[Any] = []
        pieces: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
            del exc_info
            started[:] = [status, headers]
            return pieces.append

        result = app(environ, start_response)
        try:
            pieces.extend(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        return Answer(int(started[0][:3]), list(started[1]), b"".join(pieces))

    return send


class NativeAsgi:
    """An ASGI application on asyncio's own event loop, in a thread of its own, with real threads beside it."""

    def __init__(self, app: Callable[..., Any], host: str = HOST) -> None:
        self.app = app
        self.host = host
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.state: dict[str, Any] = {}
        self.stop: Any = None
        self.in_loop(self.start())

    def in_loop(self, coroutine: Any) -> Any:
        """Run a coroutine in the loop's thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    async def start(self) -> None:
        """Run the start-up of the lifespan."""
        self.stop, ready = asyncio.Event(), asyncio.Event()
        messages = [{"type": "lifespan.startup"}]

        async def receive() -> dict[str, str]:
            if messages:
                return messages.pop()
            await self.stop.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: dict[str, Any]) -> None:
            assert not message["type"].endswith(".failed"), message
            ready.set()

        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self.state}
        self.lifespan = asyncio.ensure_future(self.app(scope, receive, send))
        await ready.wait()

    def close(self) -> None:
        """Run the shut-down."""

        async def end() -> None:
            self.stop.set()
            await self.lifespan
            await self.loop.shutdown_default_executor()

        self.in_loop(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def __call__(self, sent: Sent, fields: list[tuple[str, str]]) -> Answer:
        """Send a request."""
        return self.in_loop(self.send(sent, fields))  # type: ignore[no-any-return] # it does

    async def send(self, sent: Sent, fields: list[tuple[str, str]]) -> Answer:
        """Call the application as the specification says."""
        path, _, query = sent.target.partition("?")
        fields = [("host", self.host), *fields]
        if sent.body:
            fields.append(("content-length", str(len(sent.body))))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": sent.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields],
            "client": ("127.0.0.1", 1234),
            "server": (self.host, 80),
            "state": self.state.copy(),
        }
        content = [{"type": "http.request", "body": sent.body, "more_body": False}]
        answer, complete = Answer(0, [], b""), asyncio.Event()

        async def receive() -> dict[str, Any]:
            if content:
                return content.pop()
            await complete.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.fields = [
                    (name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]
                ]
                return
            answer.body += message.get("body", b"")
            if not message.get("more_body", False):
                complete.set()

        try:
            await self.app(scope, receive, send)
        except Exception:
            logging.getLogger(__name__).debug("after the answer", exc_info=True)
            assert complete.is_set()
        return answer


def server(address: tuple[str, int], host: str) -> Send:
    """Send to a server that listens there."""

    def send(sent: Sent, fields: list[tuple[str, str]]) -> Answer:
        connection = http.client.HTTPConnection(*address, timeout=30)
        try:
            connection.putrequest(sent.method, sent.target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host)
            for name, value in fields:
                connection.putheader(name, value)
            if sent.body:
                connection.putheader("Content-Length", str(len(sent.body)))
            connection.endheaders(sent.body or None)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    return send


def converse(row: Row, send: Send) -> list[Answer]:
    """Send a row's requests, with the cookies and the tag that came with the answers before."""
    jar: dict[str, str] = {}
    etag = ""
    answers = []
    for sent in row.requests:
        fields = [(name, value.replace("{etag}", etag)) for name, value in sent.headers]
        if jar:
            fields.append(("Cookie", "; ".join(f"{name}={value}" for name, value in jar.items())))
        answer = send(sent, fields)
        for name, value in answer.fields:
            if name.lower() == "etag":
                etag = value
            if name.lower() == "set-cookie":
                for cookie in SimpleCookie(value).values():
                    jar[cookie.key] = cookie.coded_value
        answers.append(compared(answer, sent.method))
    return answers


def compared(answer: Answer, method: str) -> Answer:
    """Leave what must be equal: sorted fields, without what a server adds, dates of cookies, signatures."""
    fields = sorted((name.lower(), value) for name, value in answer.fields if name.lower() not in NOT_COMPARED)
    for number, (name, value) in enumerate(fields):
        if name == "set-cookie":
            fields[number] = (name, cookie_without_signature(value))
        if name == "allow":  # of a set, in Werkzeug
            fields[number] = (name, ", ".join(sorted(value.split(", "))))
    body = b"" if method == "HEAD" or answer.status in {204, 304} else answer.body
    if ("content-encoding", "gzip") in fields:
        body = gzip.decompress(body)
    return Answer(answer.status, fields, body)


def cookie_without_signature(value: str) -> str:
    """Leave out what holds the second in which it was made: a signed value, and `expires`."""
    pieces = value.split("; ")
    name, _, content = pieces[0].partition("=")
    if name in {"session", "count"} and content:
        pieces[0] = f"{name}=..."
    return "; ".join(piece for piece in pieces if not (piece.lower().startswith("expires=") and "1970" not in piece))
