"""Every form of an answer, and none that is not one."""

import json
from collections import OrderedDict, UserString
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from http import HTTPStatus
from typing import Any

import pytest

from dayfly.handler import HTTPError, Response
from dayfly.handler.response import JSON, OCTETS, TEXT, http_date, reply


class Text(str):
    """What template engines return."""

    __slots__ = ()


def items(*values: object) -> Iterator[object]:
    """Give these."""
    yield from values


async def later(value: object) -> object:
    """Return it when awaited."""
    return value


async def pieces(*values: object) -> AsyncIterator[object]:
    """Give these when awaited."""
    for value in values:
        yield value


FORMS: list[tuple[Callable[[], object], object]] = [
    (lambda: "text", (TEXT, "text")),
    (lambda: Text("text"), (TEXT, "text")),
    (lambda: "", (TEXT, "")),
    (lambda: b"\xff", (OCTETS, b"\xff")),
    (lambda: bytearray(b"a"), (OCTETS, b"a")),
    (lambda: memoryview(b"a"), (OCTETS, b"a")),
    (lambda: {"a": "ü"}, (JSON, '{"a":"ü"}')),
    (lambda: [1, None], (JSON, "[1,null]")),
    (lambda: OrderedDict(a=1), (JSON, '{"a":1}')),
    (lambda: ("text/html", "page"), ("text/html", "page")),
    (lambda: ("image/png", b"\x89"), ("image/png", b"\x89")),
    (lambda: ("application/geo+json", {"a": 1}), ("application/geo+json", '{"a":1}')),
    (lambda: (Text("text/html"), Text("page")), ("text/html", "page")),
    (lambda: (404, "gone"), (404, TEXT, None, "gone")),
    (lambda: (HTTPStatus.CREATED, {"id": 1}), (201, JSON, None, '{"id":1}')),
    (lambda: (200, {"X-A": "1"}, "x"), (200, TEXT, [("X-A", "1")], "x")),
    (lambda: (200, [("X-A", 1), ("X-A", Text("2"))], b"x"), (200, OCTETS, [("X-A", "1"), ("X-A", "2")], b"x")),
    (lambda: (200, {"content-TYPE": "a/b"}, "x"), (200, None, [("content-TYPE", "a/b")], "x")),
    (lambda: (204, {}, ""), (204, None, None, "")),
    (lambda: Response("x"), (200, TEXT, None, "x")),
    (lambda: Response({"a": 1}, 201, {"X-A": "1"}), (201, JSON, [("X-A", "1")], '{"a":1}')),
    (lambda: Response("x", content_type="a/b", headers={"Content-Type": "c/d"}), (200, "a/b", None, "x")),
    (lambda: Response.json("x"), (200, JSON, None, '"x"')),
    (lambda: Response.redirect("/else"), (303, None, [("Location", "/else")], "")),
    (lambda: lambda: "text", (TEXT, "text")),
    (lambda: lambda: lambda: ("a/b", "text"), ("a/b", "text")),
    (lambda: items("a", "b"), (TEXT, "ab")),
    (lambda: items("a", b"\xff"), (TEXT, b"a\xff")),
    (lambda: items(("text/html", "a"), "b", "c"), ("text/html", "abc")),
    (lambda: items((201, "a")), (201, TEXT, None, "a")),
    (lambda: items({"a": 1}), (JSON, '{"a":1}')),
    (lambda: map(str, range(3)), (TEXT, "012")),
    (lambda: ("text/csv", items("a,", "b")), ("text/csv", "a,b")),
    (lambda: (201, items(b"a", b"b")), (201, OCTETS, None, b"ab")),
    (lambda: later("text"), (TEXT, "text")),
    (lambda: later(later({"a": 1})), (JSON, '{"a":1}')),
    (lambda: pieces("a", "b"), (TEXT, "ab")),
]


@pytest.mark.parametrize(("make", "expected"), FORMS)
def test_every_form_becomes_one_of_two(make: Callable[[], object], expected: tuple[Any, ...]) -> None:
    """Of exact types, which is what the host takes."""
    value = reply(make())
    assert value == expected
    kinds = {int, str, bytes, type(None), list}
    assert {type(item) for item in value} <= kinds


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (None, TypeError, "None is no answer; an answer is str, bytes"),
        (1.5, TypeError, "an object of type float is no answer"),
        ({1, 2}, TypeError, "set is no answer"),
        ((), TypeError, "a tuple of 0 is no answer"),
        ((1, 2, 3, 4), TypeError, "a tuple of 4 is no answer"),
        ((True, "x"), TypeError, "True is no status"),
        ((None, "x"), TypeError, "None is no status"),
        ((99, "x"), ValueError, "status 99 is not in 200 to 599"),
        ((600, {}, "x"), ValueError, "status 600 is not"),
        ((200, None), TypeError, "None is no body"),
        (("text/plain", 1), TypeError, "int is no body"),
        ((200, {"X-A": None}, ""), TypeError, "a header field is text, not NoneType"),
        ((200, {"X-A": b"x"}, ""), TypeError, "a header field is text, not bytes"),
        (UserString("x"), TypeError, "UserString is no answer"),
        ({"a": object()}, TypeError, "not JSON serializable"),
        ({"a": [float("nan")]}, ValueError, "not JSON compliant"),
        ([float("-inf")], ValueError, "not JSON compliant"),
        ({float("inf"): 1}, ValueError, "not JSON compliant"),
    ],
)
def test_anything_else_is_refused_in_words(value: object, error: type[Exception], words: str) -> None:
    """That say what an answer is."""
    with pytest.raises(error, match=words):
        reply(value)


def test_json_has_any_text_that_a_client_sent_in_json() -> None:
    """A lone surrogate, which UTF-8 cannot have, is escaped as it was."""
    sent = '{"\\ud800":["\\udfff","ü\\\\","\\ud83d\\ude00"]}'
    assert reply(json.loads(sent))[-1] == '{"\\ud800":["\\udfff","ü\\\\","😀"]}'
    assert Response.json("ü\ud800").body == '"ü\\ud800"'
    assert "\\udc00" in str(HTTPError(404, "no \udc00").response().body)


def test_a_generator_that_gives_nothing_is_no_answer() -> None:
    """Nor is one that goes on with something else than text."""
    with pytest.raises(TypeError, match="gave nothing"):
        reply(items())
    with pytest.raises(TypeError, match="a body goes on with str or bytes, not int"):
        reply(items("a", 1))


def test_fields_of_a_response_are_a_mapping_that_can_repeat() -> None:
    """By name, in any case."""
    headers = Response(headers=[("X-A", "1"), ("x-a", "2"), ("X-B", "3")]).headers
    assert headers["X-a"] == "1"
    assert headers.all("X-A") == ["1", "2"]
    headers["x-A"] = 4
    headers.add("X-C", "5")
    del headers["x-b"]
    assert headers.pairs == [("x-A", "4"), ("X-C", "5")]
    assert list(headers) == ["x-a", "x-c"]
    assert len(headers) == 2
    assert "X-b" not in headers
    with pytest.raises(KeyError):
        del headers["x-b"]


def test_cookies_are_written() -> None:
    """With attributes that keep them from scripts and other sites, unless told otherwise."""
    response = Response()
    response.set_cookie("a", "1")
    moment = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))
    response.set_cookie(
        "b",
        "x=y",
        max_age=60,
        expires=moment,
        path="/p",
        domain="example.org",
        secure=True,
        http_only=False,
        same_site="None",
    )
    response.set_cookie("c", "", path=None, same_site=None, http_only=False)
    response.delete_cookie("d", path="/p")
    assert response.headers.all("set-cookie") == [
        "a=1; Path=/; SameSite=Lax; HttpOnly",
        "b=x=y; Max-Age=60; Expires=Wed, 02 Jan 2030 02:04:05 GMT; Path=/p; Domain=example.org; SameSite=None; Secure",
        "c=",
        "d=; Max-Age=0; Path=/p; SameSite=Lax; HttpOnly",
    ]


@pytest.mark.parametrize(
    ("name", "value", "options"),
    [
        ("", "x", {}),
        ("a b", "x", {}),
        ("a", "x;y", {}),
        ("a", "x y", {}),
        ("a", "ü", {}),
        ("a", "x\r\n", {}),
        ("a", "x", {"path": "/;x"}),
        ("a", "x", {"domain": "a\nb"}),
        ("a", "x", {"same_site": "None"}),
        ("a", "x", {"same_site": "none"}),
        ("__Secure-a", "x", {}),
        ("__Host-a", "x", {}),
        ("__host-a", "x", {"secure": True, "domain": "example.org"}),
        ("__Host-a", "x", {"secure": True, "path": "/p"}),
        ("__Host-a", "x", {"secure": True, "path": None}),
    ],
)
def test_a_cookie_that_browsers_would_misread_is_refused(name: str, value: str, options: dict[str, Any]) -> None:
    """While the program runs, with the name of the cookie."""
    with pytest.raises(ValueError, match=r"cookie"):
        Response().set_cookie(name, value, **options)


def test_dates_are_written_as_http_does() -> None:
    """A moment without a zone is UTC."""
    assert http_date(datetime(1994, 11, 6, 8, 49, 37)) == "Sun, 06 Nov 1994 08:49:37 GMT"  # noqa: DTZ001 - the case
    assert http_date(datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)) == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_an_http_error_is_an_answer() -> None:
    """A problem document (RFC 9457)."""
    error = HTTPError(404, "no such item", {"X-A": "1"})
    assert str(error) == "404 no such item"
    assert reply(error.response()) == (
        404,
        "application/problem+json",
        [("X-A", "1")],
        '{"title":"Not Found","status":404,"detail":"no such item"}',
    )
    assert reply(HTTPError(499).response())[-1] == '{"title":"Error","status":499}'


def test_a_cookie_whose_name_promises_attributes_has_them() -> None:
    """Also to be deleted: browsers drop what breaks the promise."""
    response = Response()
    response.set_cookie("__Host-a", "1", secure=True)
    response.set_cookie("__Secure-b", "2", secure=True, path="/p", domain="example.org")
    response.delete_cookie("__Host-a")
    response.delete_cookie("__secure-b", path="/p", domain="example.org")
    assert response.headers.all("set-cookie") == [
        "__Host-a=1; Path=/; SameSite=Lax; Secure; HttpOnly",
        "__Secure-b=2; Path=/p; Domain=example.org; SameSite=Lax; Secure; HttpOnly",
        "__Host-a=; Max-Age=0; Path=/; SameSite=Lax; Secure; HttpOnly",
        "__secure-b=; Max-Age=0; Path=/p; Domain=example.org; SameSite=Lax; Secure; HttpOnly",
    ]
    with pytest.raises(
        ValueError, match="cookie `__Host-a` must have secure=True, path=`/` and no domain, or browsers"
    ):
        response.set_cookie("__Host-a", "1")
    with pytest.raises(ValueError, match="cookie `__Secure-a` must have secure=True, or browsers drop it"):
        response.set_cookie("__Secure-a", "1")
