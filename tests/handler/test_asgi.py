"""ASGI, as its specification has it."""

import asyncio
import gc
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from dayfly.handler import EntryError, asgi, native
from dayfly.handler.client import Client
from dayfly.handler.native import ProgramFailed

Scope = dict[str, Any]
Receive = Callable[[], Any]
Send = Callable[[Scope], Any]

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
END = {"type": "http.response.body", "body": b"x"}


@pytest.fixture(autouse=True)
def end() -> Any:
    """End what applications have started."""
    yield
    asgi.shut_down()


def client_of(app: object, **options: str) -> Client:
    """Freeze a program that is this application and return a client of it."""
    module = ModuleType("program")
    module.app = app  # type: ignore[attr-defined] # a module's names are its own
    native.set_freezing(is_freezing=True)
    try:
        return Client(module, **options)
    finally:
        native.set_freezing(is_freezing=False)


def sends(*messages: dict[str, Any]) -> Any:
    """Return an application that sends these."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        for message in messages:
            await send(message)

    return app


def test_the_scope_says_what_the_request_said() -> None:
    """Names of fields in lower case, the path with the mount prefix."""
    seen: Scope = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            seen.update(scope, content=await receive())
            await send(START)
            await send(END)

    client = client_of(app, host="example.org:8080", mount="/z")
    client.post("/a%2F%C3%BC?q=%20", headers=[("X-Many", "a"), ("x-many", "\xfc"), ("User-Agent", "me")], body="text")
    assert seen["type"] == "http"
    assert seen["asgi"]["version"] == "3.0"
    assert (seen["http_version"], seen["method"], seen["scheme"]) == ("1.1", "POST", "http")
    assert (seen["path"], seen["raw_path"], seen["root_path"]) == ("/z/a/ü", b"/z/a%2F%C3%BC", "/z")
    assert seen["query_string"] == b"q=%20"
    assert seen["headers"][:4] == [
        (b"host", b"example.org:8080"),
        (b"x-many", b"a"),
        (b"x-many", b"\xfc"),
        (b"user-agent", b"me"),
    ]
    assert (seen["client"], seen["server"]) == (("127.0.0.1", 0), ("example.org", 8080))
    assert seen["content"] == {"type": "http.request", "body": b"text", "more_body": False}


def test_pieces_of_a_body_are_one() -> None:
    """And fields may repeat."""
    start = {**START, "status": 201, "headers": [[b"x-a", b"1"], (b"x-a", b"\xff")]}
    more = {"type": "http.response.body", "body": b"a", "more_body": True}
    answer = client_of(sends(start, more, {**more, "body": bytearray(b"b")}, {"type": "http.response.body"})).get("/")
    assert (answer.status, answer.headers.all("x-a"), answer.body) == (201, ["1", "\xff"], b"ab")


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "returned before the answer has begun"),
        ([START], "returned once the answer has begun"),
        ([END], "`http.response.body` cannot be sent before the answer has begun"),
        ([START, START], "`http.response.start` cannot be sent once the answer has begun"),
        ([{"type": "http.response.push"}], "`http.response.push` cannot be sent before"),
    ],
)
def test_what_breaks_the_protocol_is_the_programs_failure(messages: list[dict[str, Any]], words: str) -> None:
    """In words that name it."""
    with pytest.raises(ProgramFailed, match=words):
        client_of(sends(*messages)).get("/")


def test_after_the_answer_the_client_has_gone() -> None:
    """Whoever waits for that is woken."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await receive()
        waiting = [asyncio.create_task(receive()) for _ in range(2)]
        await send(START)
        await asyncio.sleep(0)
        await send(END)
        assert [message["type"] for message in await asyncio.gather(*waiting)] == ["http.disconnect"] * 2
        assert await receive() == {"type": "http.disconnect"}

    assert client_of(app).get("/").body == b"x"


def test_waiting_for_a_client_to_go_who_waits_for_an_answer_is_named() -> None:
    """It would never end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await receive()
        await receive()

    with pytest.raises(
        ProgramFailed, match=r"nothing will wake what is awaited at .*test_asgi.py.*`await receive\(\)`"
    ):
        client_of(app).get("/")


def test_an_error_after_the_answer_is_only_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """As other servers do; before it, it is the failure."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        if scope["path"] == "/late":
            await send(START)
            await send(END)
        raise ValueError("broken")

    client = client_of(app)
    assert client.get("/late").body == b"x"
    assert "ValueError: broken" in capsys.readouterr().err
    with pytest.raises(ProgramFailed, match="ValueError: broken"):
        client.get("/")


async def fail(error: BaseException) -> None:
    """Raise."""
    raise error


async def fail_in_a_task(error: BaseException) -> None:
    """Raise where somebody waits for it."""
    await asyncio.create_task(fail(error))


async def fail_in_a_lost_task(error: BaseException) -> None:
    """Raise where nobody waits for it."""
    task = asyncio.create_task(fail(error))
    await asyncio.sleep(0)
    del task, error


@pytest.mark.parametrize("how", [fail, fail_in_a_task, fail_in_a_lost_task])
@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError, ExceptionGroup])
@pytest.mark.parametrize("when", ["late", "early"])
def test_a_failure_is_told_once_and_after_the_answer_changes_nothing(
    how: Callable[[BaseException], Any], kind: type[BaseException], when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever it is and wherever: in the log, or as what the request failed of, which the host logs."""
    is_late = when == "late"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        if is_late:
            await send(START)
            await send(END)
        arguments = ("broken-so", [KeyError()]) if kind is ExceptionGroup else ("broken-so",)
        await how(kind(*arguments))
        if not is_late:
            await send(START)
            await send(END)

    asgi.forget()
    client, told = client_of(app), ""
    try:
        answer = client.get("/")
        assert (answer.status, answer.body) == (200, b"x")
        assert is_late or how is fail_in_a_lost_task
    except ProgramFailed as failed:
        assert not is_late
        told = str(failed)
    asgi.forget()
    gc.collect()
    told += capsys.readouterr().err
    is_silent = how is fail_in_a_lost_task and kind is asyncio.CancelledError  # a task that ends so has not failed
    assert told.count(": broken-so") == (not is_silent)
    assert "never retrieved" not in told or how is fail_in_a_lost_task
    assert "pending" not in told


def test_an_answer_that_is_none_is_the_failure_also_after_another(capsys: pytest.CaptureFixture[str]) -> None:
    """Both are told."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({**START, "headers": [("x-a", 1)]})
        await send(END)
        raise ValueError("broken")

    with pytest.raises(ProgramFailed, match="AttributeError"):
        client_of(app).get("/")
    assert capsys.readouterr().err.count("ValueError: broken") == 1


def lifespan(before: Callable[[Scope], Any]) -> Any:
    """Return an application that does something while it starts."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            assert await receive() == {"type": "lifespan.startup"}
            answer = await before(scope)
            await send(answer or {"type": "lifespan.startup.complete"})
            assert await receive() == {"type": "lifespan.shutdown"}
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send(START)
        await send({**END, "body": repr(scope["state"]).encode()})
        scope["state"]["left"] = "behind"

    return app


def test_the_start_up_runs_while_the_program_is_frozen() -> None:
    """Its state reaches each request, which gets a copy of its own; waits take no time."""

    async def start(scope: Scope) -> None:
        await asyncio.sleep(3600)
        scope["state"]["pool"] = 3

    client = client_of(lifespan(start))
    assert client.get("/").text == "{'pool': 3}"
    assert client.get("/").text == "{'pool': 3}"


def test_a_start_up_that_fails_refuses_the_deploy() -> None:
    """Told or raised."""

    async def tell(scope: Scope) -> dict[str, str]:
        return {"type": "lifespan.startup.failed", "message": "no database"}

    async def fail(scope: Scope) -> None:
        raise ValueError("no database")

    with pytest.raises(EntryError, match="the start-up of the application failed: no database"):
        client_of(lifespan(tell))
    with pytest.raises(
        EntryError, match=r"(?s)the start-up of the application failed: Traceback.*, in fail.*no database"
    ):
        client_of(lifespan(fail))


def test_a_start_up_that_never_ends_refuses_the_deploy() -> None:
    """And names what it waits for."""

    async def wait(scope: Scope) -> None:
        await asyncio.Event().wait()

    with pytest.raises(
        EntryError, match=r"start-up of the application does not end: nothing will wake .*in wait: `await"
    ):
        client_of(lifespan(wait))


def test_an_application_without_lifespan_needs_none() -> None:
    """Whether it refuses the scope, returns, or mistakes it for a request."""

    async def ignores(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send(START)
            await send(END)

    async def mistakes(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)
        await send(END)

    for app in (sends(START, END), ignores, mistakes):
        assert client_of(app).get("/").body == b"x"
