"""WSGI, as PEP 3333 has it."""

import io
import sys
import wsgiref.validate
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

import pytest

from dayfly.handler.client import Client
from dayfly.handler.native import ProgramFailed
from dayfly.handler.wsgi import WHOLE_BYTES_MAX

Environ = dict[str, Any]
Start = Callable[..., Any]


def client_of(app: object, **options: str) -> Client:
    """Return a client of a program that is this application."""
    module = ModuleType("program")
    module.app = app  # type: ignore[attr-defined] # a module's names are its own
    return Client(module, **options)


def environ_of(client: Client, method: str, target: str, **options: Any) -> Environ:
    """Return what the application was given."""
    seen: Environ = {}

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return []

    client_of(app, host=client.host, mount=client.mount).request(method, target, **options)
    return seen


def nothing(environ: Environ, start_response: Start) -> list[bytes]:
    """Answer with nothing."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return []


def test_the_environ_says_what_the_request_said() -> None:
    """In octets, each as the character of its number."""
    client = client_of(nothing, host="example.org:8080", mount="/z")
    fields = [("X-Many", "a"), ("Cookie", "a=1"), ("x-many", "b"), ("COOKIE", "b=2"), ("User-Agent", "me")]
    environ = environ_of(client, "PUT", "/a%2F%C3%BC?q=%20", headers=fields, body=b"1234")
    expected = {
        "REQUEST_METHOD": "PUT",
        "SCRIPT_NAME": "/z",
        "PATH_INFO": "/a/\xc3\xbc",
        "QUERY_STRING": "q=%20",
        "SERVER_NAME": "example.org",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": "4",
        "HTTP_HOST": "example.org:8080",
        "HTTP_X_MANY": "a,b",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_USER_AGENT": "me",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": False,
        "wsgi.run_once": True,
    }
    assert {key: environ.get(key) for key in expected} == expected
    assert "CONTENT_TYPE" not in environ
    assert environ["wsgi.errors"] is sys.stderr


@pytest.mark.parametrize(
    ("host", "server"),
    [("a", ("a", "80")), ("a:81", ("a", "81")), ("[::1]", ("[::1]", "80")), ("[::1]:82", ("[::1]", "82"))],
)
def test_the_server_is_who_the_client_named(host: str, server: tuple[str, str]) -> None:
    """With the port of the scheme if it named none."""
    environ = environ_of(client_of(nothing, host=host), "GET", "/")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == server


@pytest.mark.parametrize("size", [0, 5, WHOLE_BYTES_MAX, WHOLE_BYTES_MAX + 1, 3 * WHOLE_BYTES_MAX + 7])
def test_content_is_read_as_from_a_file(size: int) -> None:
    """Whole, in pieces, by lines; its end is the end."""
    content = (bytes(range(256)) * (size // 256 + 1))[:size]

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        start_response("200 OK", [])
        source, read = environ["wsgi.input"], []
        read += [source.read(0), source.read(3), source.readline(2), source.readline()]
        read += source.readlines(1000)
        read += [
            source.read(1000),
            next(iter(source), b""),
            source.read(),
            source.read(),
            source.readline(),
            source.read(3),
        ]
        return read

    assert client_of(app).post("/", body=content).body == content


def test_the_standard_librarys_validator_is_content() -> None:
    """With requests of either kind; it wraps and checks everything that passes."""

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        source = environ["wsgi.input"]
        body = source.read(2) + source.readline() + b"".join(source) + b"".join(source.readlines(5)) + source.read(1)
        environ["wsgi.errors"].write("")
        environ["wsgi.errors"].flush()
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"<")
        return [body, b">"]

    client = client_of(wsgiref.validate.validator(app))
    assert client.get("/?a=b").body == b"<>"
    assert client.post("/a%20b", body="one\ntwo", headers={"Content-Type": "text/plain"}).body == b"<one\ntwo>"


def test_an_iterable_may_be_of_any_kind_and_is_closed() -> None:
    """After an error, too."""
    closed: list[str] = []

    class Pieces:
        def __init__(self, *pieces: bytes | Exception) -> None:
            self.pieces = pieces

        def __iter__(self) -> Iterator[bytes]:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                yield piece

        def close(self) -> None:
            closed.append("closed")

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Pieces(b"a", b"", b"b", *([ValueError("broken")] if environ["PATH_INFO"] == "/x" else []))

    client = client_of(app)
    assert client.get("/").body == b"ab"
    assert closed == ["closed"]
    with pytest.raises(ProgramFailed, match="ValueError: broken"):
        client.get("/x")
    assert closed == ["closed", "closed"]


def test_start_response_may_be_called_when_the_first_item_is_made() -> None:
    """As a generator does."""

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("201 Made", [("X-A", "1"), ("X-A", "2")])
        yield b"a"

    answer = client_of(app).get("/")
    assert (answer.status, answer.headers.all("x-a"), answer.body) == (201, ["1", "2"], b"a")


def test_what_is_written_comes_before_what_is_returned() -> None:
    """By the callable that `start_response` gives."""

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"one ")
        write(b"two ")
        return [b"three"]

    assert client_of(app).get("/").body == b"one two three"


def test_an_error_replaces_an_answer_of_which_nothing_was_sent() -> None:
    """`exc_info` is raised again if something was."""

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [("X-A", "1")])
        if environ["PATH_INFO"] == "/late":
            yield b"begun"
        try:
            int("broken")
        except ValueError:
            start_response("500 Oh no", [("X-B", "2")], sys.exc_info())
        yield b"sorry"

    client = client_of(app)
    answer = client.get("/")
    assert (answer.status, dict(answer.headers), answer.body) == (500, {"x-b": "2"}, b"sorry")
    with pytest.raises(ProgramFailed, match="ValueError: invalid literal"):
        client.get("/late")


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (lambda environ, start_response: [], "did not call start_response"),
        (lambda environ, start_response: [b"x", b"y"], "gave a body before it called start_response"),
        (lambda environ, start_response: [start_response("200 OK", []) and "text"], "str, not bytes"),
        (lambda environ, start_response: start_response("OK", []) and [b""], "`OK` is no status"),
        (lambda environ, start_response: start_response("2000", []) and [b""], "`2000` is no status"),
        (lambda environ, start_response: [start_response("200 OK", []), start_response("200 OK", [])], "called again"),
    ],
)
def test_what_breaks_the_protocol_is_the_programs_failure(app: object, words: str) -> None:
    """In words that name it."""
    with pytest.raises(ProgramFailed, match=words):
        client_of(app).get("/")


def test_the_input_is_a_file_for_those_who_ask_more_of_it() -> None:
    """Such as `readable` or `tell`."""

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        start_response("200 OK", [])
        wrapped = io.TextIOWrapper(environ["wsgi.input"], "utf-8")
        return [wrapped.read().encode()]

    assert client_of(app).post("/", body="ü").body == "ü".encode()
