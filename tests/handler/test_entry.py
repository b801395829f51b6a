"""From a program to what a request calls."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

import dayfly
from dayfly.handler import Entry, EntryError, host, make_entry, native
from dayfly.handler.client import Client
from dayfly.handler.native import ProgramFailed

from .conftest import MakeClient


def entry_of(**names: object) -> Entry:
    """Return the entry of a module with these names."""
    module = ModuleType("program")
    vars(module).update(names)
    return make_entry(module)


def test_the_host_gives_only_what_a_handler_names() -> None:
    """A program that takes nothing pays nothing."""
    cases: list[tuple[Callable[..., object], int, tuple[int, ...]]] = [
        (lambda: "x", 0, ()),
        (lambda path: path, 2, (host.PATH,)),
        (lambda path, query: path + query, 6, (host.PATH, host.QUERY)),
        (lambda query, args, method: "", 5, (host.QUERY, host.METHOD)),
        (lambda headers, cookies: "", 8, ()),
        (lambda body: body, 16, (host.BODY,)),
        (lambda client, scheme, host, mount: "", 480, (host.CLIENT, host.SCHEME, host.HOST, host.MOUNT)),
        (lambda request: "", 511, ()),
    ]
    for function, takes, parts in cases:
        assert entry_of(on_client_request=function)[1:4] == (takes, parts, "handler")


def test_parameters_are_given_by_name(load: MakeClient) -> None:
    """In any order, by position or by keyword; what has a default and no such name keeps it."""
    client = load(
        """
        def on_client_request(query, /, path, other=3, *rest, method, host="x", **more):
            return {"values": [query, path, other, rest, method, host, more]}
        """
    )
    assert client.get("/a%20b?c=%20").json() == {"values": ["c=%20", "/a b", 3, [], "GET", "localhost", {}]}


def test_every_name_gives_what_a_request_has(load: MakeClient) -> None:
    """The same values."""
    client = load(
        """
        def on_client_request(
            request, method, path, query, args, headers, cookies, body, client, scheme, host, mount
        ):
            assert method == request.method
            assert path == request.path
            assert query == request.query
            assert args.pairs == request.args.pairs
            assert headers.pairs == request.headers.pairs
            assert cookies == request.cookies
            assert body == request.body
            assert [client, scheme, host, mount] == [request.client, request.scheme, request.host, request.mount]
            some = [method, path, query, dict(args), headers["x-a"], cookies, body.decode()]
            return [*some, client, scheme, host, mount]
        """,
        host="example.org",
        mount="/z",
    )
    answer = client.post("/%C3%BC?a=1", headers={"X-A": "b", "Cookie": "c=d"}, body="e")
    expected = ["POST", "/ü", "a=1", {"a": "1"}, "b", {"c": "d"}, "e", "127.0.0.1", "http", "example.org", "/z"]
    assert answer.json() == expected


def test_an_unknown_parameter_refuses_the_deploy() -> None:
    """With the names that there are."""

    def on_client_request(reqeust: object) -> None: ...

    with pytest.raises(EntryError, match=r"`on_client_request` has a parameter `reqeust`.*there are request, method"):
        entry_of(on_client_request=on_client_request)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({}, "neither a function `on_client_request`, nor an `app`, nor a route"),
        ({"on_client_request": 3}, "`on_client_request` is no function"),
        ({"app": "text"}, "`app` is neither a router nor a WSGI or ASGI application"),
        ({"application": 3}, "`application` is neither"),
        ({"app": lambda scope: scope}, "has one parameter; a WSGI application has two, one of ASGI 3 has three"),
    ],
)
def test_a_program_with_nothing_to_call_is_refused(names: dict[str, object], words: str) -> None:
    """In words for its author."""
    with pytest.raises(EntryError, match=words):
        entry_of(**names)


def test_a_handler_comes_before_an_application(load: MakeClient) -> None:
    """And an application before routes."""
    source = """
        from dayfly import get

        def app(environ, start_response): ...

        @get("/")
        def index(): ...
        """
    assert load(source).entry.interface == "wsgi"
    assert load(source + "\n        def on_client_request(): return 'handler'\n").entry.interface == "handler"


def test_both_kinds_of_application_are_told_apart() -> None:
    """By being asynchronous, or by their parameters."""

    class Plain:
        def __call__(self, environ: object, start_response: object) -> list[bytes]:
            return []

    class Asynchronous:
        async def __call__(self, scope: object, receive: object, send: object) -> None: ...

    async def coroutine(scope: object, receive: object, send: object) -> None: ...

    def returns_one(scope: object, receive: object, send: object) -> object:
        return coroutine(scope, receive, send)

    assert entry_of(app=Plain()).interface == "wsgi"
    assert entry_of(application=lambda environ, start_response: []).interface == "wsgi"
    for app in (Asynchronous(), coroutine, returns_one):
        assert entry_of(app=app).interface == "asgi"


def test_the_seed_program_takes_the_short_way() -> None:
    """What it returns reaches the host as the object that it is."""
    page = "a page"
    pair = ("text/plain", page)
    entry = entry_of(on_client_request=lambda: lambda: pair)
    assert entry.call() is pair


def test_an_exception_is_a_traceback_from_the_programs_first_line(load: MakeClient) -> None:
    """None of ours, and with what it was raised from."""
    client = load(
        """
        def on_client_request(path):
            try:
                return [][1]
            except IndexError as error:
                raise ValueError(path) from error
        """
    )
    with pytest.raises(ProgramFailed) as failed:
        client.get("/x")
    text = str(failed.value)
    assert text.startswith("Traceback (most recent call last):\n  File ")
    assert ", line 4, in on_client_request" in text
    assert "handler/" not in text.replace("tests/handler", "")
    assert text.endswith("ValueError: /x\n")


@pytest.mark.parametrize(
    ("body", "last"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise MemoryError", "MemoryError"),
        ("return on_client_request()", "RecursionError: maximum recursion depth exceeded"),
        ("return None", "TypeError: None is no answer; an answer is"),
    ],
)
def test_nothing_leaves_the_entry_but_text(load: MakeClient, body: str, last: str) -> None:
    """Whatever a program raises."""
    client = load(f"def on_client_request():\n    {body}\n")
    with pytest.raises(ProgramFailed) as failed:
        client.get("/")
    assert str(failed.value).splitlines()[-1].startswith(last)


def test_an_http_error_may_be_raised_anywhere(load: MakeClient) -> None:
    """Also with fields; a wrong one is the program's failure."""
    client = load(
        """
        from dayfly import HTTPError

        def deep(path):
            raise HTTPError(int(path[1:]), "because", {"Retry-After": 3})

        def on_client_request(path):
            return deep(path)
        """
    )
    answer = client.get("/429")
    assert (answer.status, answer.headers["retry-after"]) == (429, "3")
    assert answer.json() == {"title": "Too Many Requests", "status": 429, "detail": "because"}
    with pytest.raises(ProgramFailed, match="status 99 is not in 200 to 599"):
        client.get("/99")


def test_a_coroutine_function_is_a_handler(load: MakeClient) -> None:
    """And so is an asynchronous generator."""
    client = load(
        """
        import asyncio

        async def on_client_request(path):
            await asyncio.sleep(0)
            return "text/html", path
        """
    )
    assert client.get("/x").text == "/x"
    client = load("async def on_client_request():\n    yield 'a'\n    yield 'b'\n")
    assert client.get("/").text == "ab"


def test_an_entry_gives_the_host_exactly_what_it_takes() -> None:
    """The stand-in is as strict as the host."""
    assert native.reply(("a/b", "x")) == native.Reply(200, [("Content-Type", "a/b")], b"x")
    wrong: list[tuple[object, type[Exception]]] = [
        (None, TypeError),
        (("a/b", 1), TypeError),
        ((200, None, [["a", "b"]], ""), TypeError),
        ((199, None, None, ""), ValueError),
        (("x",), TypeError),
    ]
    for value, error in wrong:
        with pytest.raises(error):
            native.reply(value)
    with pytest.raises(ProgramFailed, match="why"):
        native.reply("why")


def test_importing_the_package_is_light() -> None:
    """Neither half of it is loaded before it is asked for, nor the event loop by a program without coroutines."""
    code = """
import sys
import dayfly
assert not [name for name in sys.modules if name.startswith("dayfly.")], sys.modules
assert "importlib.metadata" not in sys.modules
from dayfly import Request, get
assert "asyncio" not in sys.modules
assert "pydantic" not in sys.modules
assert set(dayfly.__all__) <= {name for name in dayfly.__all__ if getattr(dayfly, name)}
try:
    dayfly.nothing
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "module `dayfly` has no attribute `nothing`\n"


def test_a_sandbox_does_not_know_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the package is not installed."""
    monkeypatch.delitem(vars(dayfly), "__version__", raising=False)
    monkeypatch.setattr(importlib.metadata, "version", raise_not_found)
    with pytest.raises(AttributeError, match="known where dayfly is installed"):
        _ = dayfly.__version__


@pytest.mark.parametrize("answer", ['"\\ud800"', '("text/html", "\\ud800")', '(200, {"X-A": "\\ud800"}, "")'])
def test_text_that_no_client_can_be_sent_is_the_programs_failure(load: MakeClient, answer: str) -> None:
    """With a traceback, as of any other exception."""
    client = load(f"def on_client_request():\n    return {answer}\n")
    with pytest.raises(ProgramFailed, match=r"UnicodeEncodeError: .* can't encode character '.*ud800'"):
        client.get("/")


def test_a_program_may_import_everything(load: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is not installed either; of its own names it loses none."""
    monkeypatch.delitem(vars(dayfly), "__version__", raising=False)
    monkeypatch.setattr(importlib.metadata, "version", raise_not_found)
    client = load(
        """
        from dayfly import *

        @get("/{name}")
        def show(name, request: Request):
            return Response.json([name, request.method, __name__.startswith("program_")])
        """
    )
    assert client.get("/x").json() == ["x", "GET", True]
    names = {name for name in vars(dayfly.handler) if not name.startswith("_")}
    assert set(dayfly.__all__) <= names
    assert set(dayfly.__all__) == set(dayfly.handler.__all__) - {"Entry", "EntryError", "failure", "make_entry"}


def raise_not_found(name: str) -> str:
    """Stand for `version` where nothing is installed."""
    raise importlib.metadata.PackageNotFoundError(name)


def test_a_client_loads_a_program_as_a_deploy_does(load: MakeClient, capsys: pytest.CaptureFixture[str]) -> None:
    """Its module, then `on_init`, once."""
    client = load(
        """
        CALLS = []

        def on_init():
            CALLS.append("init")
            print("ready")

        def on_client_request():
            return CALLS
        """
    )
    assert capsys.readouterr().out == "ready\n"
    assert client.get("/").json() == ["init"]
    assert isinstance(client, Client)
