"""Uses what requests commonly use, so that a base is frozen with it in use.

The interpreter adapts code to what passes through it, and notes that in the code: done once before the snapshot is
taken, requests need not write it to their copies of those pages.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType
from typing import Any

from . import asgi, host, native
from .entry import make_entry
from .request import Args, Cookies, Headers, Request
from .response import HTTPError, Response
from .routes import Router

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=line"
UPLOAD = (
    b'--line\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--line\r\nContent-Disposition: form-data;'
    b' name="f"; filename="c.txt"\r\nContent-Type: text/plain\r\n\r\nd\r\n--line--\r\n'
)
FIELDS = [
    ("Host", "localhost:8080"),
    ("User-Agent", "Mozilla/5.0"),
    ("accept", "text/html,*/*;q=0.8"),
    ("Accept-Language", "en;q=0.5"),
    ("Cookie", 'a=1; b="x y"'),
    ("X-Other", "one"),
    ("x-other", "two"),
]

FRAMES = [
    native.Frame("GET", "/", "", FIELDS),
    native.Frame("GET", "/items/3", "a=1&b=%C3%BC+x&a=2", FIELDS),
    native.Frame("GET", "/none%20such", "", FIELDS, mount="/z"),
    native.Frame("HEAD", "/", "", FIELDS, scheme="https", host="example.org"),
    native.Frame("POST", "/items/3", "", [*FIELDS, ("Content-Type", FORM), ("Content-Length", "9")], b"a=1&b=%20"),
    native.Frame(
        "POST", "/items/3", "", [*FIELDS, ("content-type", MULTIPART), ("Content-Length", str(len(UPLOAD)))], UPLOAD
    ),
    native.Frame(
        "PUT", "/items/3", "", [*FIELDS, ("Content-Type", "application/json"), ("Content-Length", "9")], b'{"a":"b"}'
    ),
]


def requests(times: int = 8) -> None:
    """Answer requests of every kind with programs of every kind, so often; nothing of them is left."""
    host.use(native, is_real=False)
    try:
        native.set_freezing(is_freezing=True)
        entries = [make_entry(module) for module in programs()]
        for _ in range(times):
            for entry in entries:
                for frame in FRAMES:
                    with contextlib.suppress(native.ProgramFailed):
                        native.call(entry.call, entry.parts, frame)
        asgi.forget()
    finally:
        native.set_freezing(is_freezing=False)
        host.bind()


def programs() -> Iterator[ModuleType]:
    """Make a program of every kind."""
    for name, value in [
        ("on_client_request", hello),
        ("on_client_request", by_name),
        ("on_client_request", by_request),
        ("on_client_request", failing),
        ("app", router),
        ("app", wsgi_list),
        ("app", wsgi_generator),
        ("app", asgi_short),
        ("app", asgi_long),
    ]:
        module = ModuleType("program")
        setattr(module, name, value)
        yield module


def hello() -> Callable[[], tuple[str, str]]:
    """Answer as the shortest program does."""

    def generator() -> tuple[str, str]:
        return "text/plain", "hello"

    return generator


def by_name(  # noqa: PLR0913, PLR0917 - parameters are what is used here
    method: str, path: str, query: str, args: Args, headers: Headers, cookies: Cookies, body: bytes
) -> object:
    """Take everything."""
    return [method, path, query, dict(args), args.all("a"), dict(headers), headers.all("x-other"), cookies, len(body)]


def by_request(request: Request) -> Response:
    """Read everything, and answer with everything."""
    request.headers.get("x-none", "")
    seen: Any = [request.method, request.path, request.query, request.args.get("a"), request.cookies.get("a")]
    seen += [request.client, request.scheme, request.host, request.mount, request.text]
    if request.content_type == "application/json":
        seen.append(request.json())
    form = request.form()
    seen += [dict(form), [file.filename for _, file in form.files.pairs]]
    response = Response({"seen": seen}, 201, {"X-A": "1"})
    response.headers["X-B"] = "2"
    response.set_cookie("a", "b", max_age=60)
    response.delete_cookie("c")
    return response


def failing(path: str) -> object:
    """Fail as programs fail."""
    try:
        return int(path)
    except ValueError as error:
        raise KeyError(path) from error


router = Router()


@router.get("/")
def index() -> tuple[str, str]:
    """Answer with a page."""
    return "text/html", "<h1>hello</h1>"


@router.get("/items/{number}")
def item(number: int, args: Args) -> dict[str, object]:
    """Answer with JSON."""
    return {"number": number, "a": args.get("a")}


@router.post("/items/{name}")
def create(name: str, request: Request) -> tuple[int, dict[str, str], dict[str, str]]:
    """Answer with a status and fields."""
    return 201, {"Location": f"/items/{name}"}, dict(request.form())


@router.put("/items/{number:int}")
def refuse(number: int) -> object:
    """Answer with an error."""
    raise HTTPError(409, f"{number} is taken")


def wsgi_list(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer as most applications of WSGI do."""
    body = environ["wsgi.input"].read() or environ["PATH_INFO"].encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def wsgi_generator(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Answer in pieces."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"one")
    yield environ["wsgi.input"].readline()
    yield b"two"


async def asgi_short(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
    """Answer without waiting for anything."""
    if scope["type"] == "lifespan":
        raise AssertionError(scope["type"])
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": message["body"]})


async def asgi_long(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
    """Wait for tasks, timers and threads, and answer in pieces."""
    if scope["type"] == "lifespan":
        raise AssertionError(scope["type"])
    await receive()
    gone = asyncio.ensure_future(receive())
    await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0.001))
    await asyncio.wait_for(asyncio.to_thread(len, b""), 1)
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    async for piece in pieces():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})
    await gone


async def pieces() -> Any:  # noqa: ANN401 - an asynchronous generator
    """Give a body in pieces."""
    for piece in (b"one", b"two"):
        await asyncio.sleep(0)
        yield piece
