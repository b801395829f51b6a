"""What a program learns of a request."""

import builtins

import pytest

from dayfly.handler import Args, Headers, HTTPError, Request, host, native
from dayfly.handler.charsets import CHARSETS
from dayfly.handler.request import make_cookies, make_path


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Request:
    """Return a request whose parts can be set by `frame`."""
    monkeypatch.setattr(native.Current, "frame", native.Frame())
    return Request()


def set_frame(**parts: object) -> None:
    """Have the request be this one."""
    native.Current.frame = native.Frame(**parts)  # type: ignore[arg-type] # as the tests write them


def test_every_part_can_be_read(ask: Request) -> None:
    """As the host has it, the path decoded."""
    set_frame(
        method="PUT",
        path="/a%20b/%C3%BC",
        query="x=1",
        body=b"\xff",
        client="::1",
        scheme="https",
        host="example.org:8080",
        mount="/z",
        fields=[("X-A", "1")],
    )
    assert (ask.method, ask.path, ask.raw_path, ask.query) == ("PUT", "/a b/ü", "/a%20b/%C3%BC", "x=1")
    assert (ask.body, ask.client, ask.scheme, ask.host, ask.mount) == (
        b"\xff",
        "::1",
        "https",
        "example.org:8080",
        "/z",
    )
    assert ask.headers["x-a"] == "1"


def test_only_what_is_read_is_asked_for(ask: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that reads the path pays for the path; what takes work is made once."""
    asked: list[object] = []

    def part(index: int) -> str:
        asked.append(index)
        return "/?"

    def fields() -> list[tuple[str, str]]:
        asked.append("fields")
        return []

    monkeypatch.setattr(host, "part", part)
    monkeypatch.setattr(host, "fields", fields)
    assert ask.path == "/?"
    assert asked == [host.PATH]
    assert ask.headers is ask.headers
    assert ask.cookies is ask.cookies
    assert ask.args is ask.args
    assert asked == [host.PATH, "fields", host.QUERY]


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ("", []),
        ("a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        ("a&b=&=c&&", [("a", ""), ("b", ""), ("", "c")]),
        ("a=b=c", [("a", "b=c")]),
        ("a+b=%C3%BC+%2B", [("a b", "ü +")]),
        ("a=%ff&b=%zz", [("a", "\ufffd"), ("b", "%zz")]),
        ("a=\xc3\xbc", [("a", "ü")]),
    ],
)
def test_a_query_is_parsed_as_browsers_write_it(ask: Request, query: str, pairs: list[tuple[str, str]]) -> None:
    """Percent encoding is UTF-8, and what is no pair is none."""
    set_frame(query=query)
    assert ask.args.pairs == pairs


def test_args_map_names_to_first_values() -> None:
    """And give all of them when asked."""
    args = Args([("a", "1"), ("b", "2"), ("a", "3")])
    assert dict(args) == {"a": "1", "b": "2"}
    assert args.all("a") == ["1", "3"]
    assert args.all("c") == []
    assert args.get("c", "none") == "none"
    assert "b" in args
    assert len(args) == 2


def test_headers_have_no_case_and_join_what_is_repeated() -> None:
    """RFC 9110 section 5.3."""
    headers = Headers([("X-Many", "one"), ("HOST", "h"), ("x-many", "two")])
    assert headers["x-MANY"] == "one, two"
    assert headers.all("X-Many") == ["one", "two"]
    assert "Host" in headers
    assert "nothing" not in headers
    assert dict(headers) == {"x-many": "one, two", "host": "h"}


@pytest.mark.parametrize(
    ("values", "cookies"),
    [
        (["a=1; b=2"], {"a": "1", "b": "2"}),
        (["a=1;b=2;a=3"], {"a": "1", "b": "2"}),
        (["a=1", "b=2"], {"a": "1", "b": "2"}),
        (['a="x y"; b="q\\"uo\\054te\\\\"; c="'], {"a": "x y", "b": 'q"uo,te\\', "c": '"'}),
        (["a; =b; c=d=e;"], {"c": "d=e"}),
        ([], {}),
    ],
)
def test_cookies_are_parsed(values: list[str], cookies: dict[str, str]) -> None:
    """The first of a name counts, quotes are taken off."""
    assert make_cookies(values) == cookies


@pytest.mark.parametrize(
    ("raw", "path"), [("/a", "/a"), ("/%41%2f", "/A/"), ("/%ff", "/\ufffd"), ("/\xc3\xbc", "/ü"), ("/%", "/%")]
)
def test_a_path_is_decoded_as_utf8(raw: str, path: str) -> None:
    """What is none is replaced, never refused."""
    assert make_path(raw) == path


def test_text_is_in_the_character_set_that_its_type_names(ask: Request) -> None:
    """Else it is UTF-8."""
    set_frame(body="ü".encode("latin-1"), fields=[("Content-Type", 'text/plain; charset="ISO-8859-1"')])
    assert ask.text == "ü"


def test_every_character_set_that_is_known_can_be_decoded(ask: Request) -> None:
    """In whatever case, with hyphens or underscores."""
    for charset in CHARSETS:
        text = "abc"
        set_frame(
            body=text.encode(charset), fields=[("Content-Type", f"a/b; charset={charset.upper().replace('-', '_')}")]
        )
        assert ask.__class__().text == text


def test_text_that_cannot_be_decoded_is_a_400(ask: Request) -> None:
    """The client's mistake, not the program's."""
    set_frame(body=b"\xff", fields=[("content-type", "text/plain;charset=UTF-8")])
    with pytest.raises(HTTPError, match="400 the content is not utf-8"):
        _ = ask.text


@pytest.mark.parametrize(
    "charset",
    [
        "none-such",
        "",
        "idna",
        "punycode",
        "unicode_escape",
        "raw-unicode-escape",
        "utf-7",
        "rot13",
        "zlib",
        "aliases",
        "a" * 9000,
    ],
)
def test_a_client_chooses_among_character_sets_only(
    ask: Request, charset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any other name is a 415, and no codec is looked for."""
    looked_up: list[str] = []
    monkeypatch.setattr(builtins, "__import__", lambda name, *_: looked_up.append(name))
    set_frame(body=b"x", fields=[("content-type", f"text/plain;charset={charset}")])
    with pytest.raises(HTTPError, match=r"415 the character set `.{0,40}` of the content is not known here"):
        _ = ask.text
    assert looked_up == []


def test_json_is_parsed(ask: Request) -> None:
    """Whatever the content type says."""
    set_frame(body=b'{"a": [1, "\xc3\xbc"]}')
    assert ask.json() == {"a": [1, "ü"]}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_json_that_is_none_is_a_400(ask: Request, body: bytes) -> None:
    """Also if it is only too deep."""
    set_frame(body=body)
    with pytest.raises(HTTPError, match="400 the content is not JSON"):
        ask.json()


@pytest.mark.parametrize("text", ["NaN", '{"a": [-Infinity]}', "Infinity"])
def test_json_that_only_python_takes_is_a_400(ask: Request, text: str) -> None:
    """No answer could have it either."""
    set_frame(body=text.encode())
    with pytest.raises(HTTPError, match=r"400 the content is not JSON: it has no (NaN|-?Infinity)"):
        ask.json()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-be"])
def test_json_is_in_any_unicode_encoding(ask: Request, encoding: str) -> None:
    """As Python's own reader finds it out; an escaped surrogate comes through."""
    set_frame(body='["ü\\ud800"]'.encode(encoding))
    assert ask.json() == ["ü\ud800"]


def test_a_request_shows_what_it_is(ask: Request) -> None:
    """For a log line."""
    set_frame(method="GET", path="/a")
    assert repr(ask) == "<Request GET /a>"
