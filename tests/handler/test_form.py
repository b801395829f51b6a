"""Forms, as browsers send them and as nobody should."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.handler import HTTPError
from dayfly.handler.form import BOUNDARY_CHARS_MAX, PARTS_MAX, File, Files, Form, make_form, parameters

MULTIPART = "multipart/form-data; boundary=line"


def part(head: str, content: bytes = b"x") -> bytes:
    """Return one part, with the delimiter before it."""
    return b"--line\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def test_urlencoded_fields_repeat() -> None:
    """The first of a name stands for it."""
    form = make_form("application/x-www-form-urlencoded; charset=utf-8", b"a=1&b=%C3%BC+x&a=2&c")
    assert dict(form) == {"a": "1", "b": "ü x", "c": ""}
    assert form.all("a") == ["1", "2"]
    assert len(form) == 3
    assert dict(form.files) == {}
    with pytest.raises(KeyError):
        form["nothing"]


def test_multipart_has_fields_and_files() -> None:
    """Names are UTF-8, contents octets."""
    body = (
        part('Content-Disposition: form-data; name="text"', "zü".encode())
        + part(
            'content-disposition: form-data; filename="a%22b.txt"; name="f"\r\nContent-Type: text/x', b"\r\n--lin\r\n"
        )
        + part('Content-Disposition: form-data; name="f"; filename="zwei ü"', b"")
        + b"--line--\r\nepilogue"
    )
    form = make_form(MULTIPART, b"preamble\r\n" + body)
    assert dict(form) == {"text": "zü"}
    first, second = form.files.all("f")
    assert (first.filename, first.content_type, first.content) == ('a"b.txt', "text/x", b"\r\n--lin\r\n")
    assert (second.filename, second.content_type, len(second)) == ("zwei ü", "application/octet-stream", 0)
    assert form.files["f"] is first
    assert first.text == "\r\n--lin\r\n"
    assert list(form.files) == ["f"]
    with pytest.raises(KeyError):
        form.files["nothing"]


def test_an_empty_form_is_well_formed() -> None:
    """A browser sends one for a form without fields."""
    assert dict(make_form(MULTIPART, b"--line--\r\n")) == {}


def test_other_content_has_no_fields() -> None:
    """Nor has none."""
    assert dict(make_form("application/json", b'{"a": 1}')) == {}
    assert dict(make_form("", b"")) == {}


@pytest.mark.parametrize(
    ("content_type", "body", "words"),
    [
        ("multipart/form-data", b"--line--", "no boundary"),
        (f"multipart/form-data; boundary={'b' * 71}", b"--" + b"b" * 71 + b"--", "no boundary of 1 to 70"),
        (MULTIPART, b"", "cut off"),
        (MULTIPART, b"--line\r\n", "cut off"),
        (MULTIPART, part('Content-Disposition: form-data; name="a"'), "cut off"),
        (MULTIPART, b"--line garbage\r\n\r\n\r\nx\r\n--line--", "cut off"),
        (MULTIPART, b"--line\r\nContent-Disposition: form-data\r\n--line--", "no end of its head"),
        (MULTIPART, part("X: " + "y" * 9000) + b"--line--", "no end of its head"),
        (MULTIPART, part("Content-Disposition: form-data") + b"--line--", "no name"),
        (MULTIPART, b"--line\r\n\r\nx\r\n--line--", "no name"),
    ],
)
def test_a_broken_form_is_a_400(content_type: str, body: bytes, words: str) -> None:
    """With words that say what is wrong."""
    with pytest.raises(HTTPError, match=f"400 .*{words}"):
        make_form(content_type, body)


def test_a_form_of_endless_parts_is_refused() -> None:
    """Before it fills the memory."""
    body = part('Content-Disposition: form-data; name="a"') * (PARTS_MAX + 1) + b"--line--"
    with pytest.raises(HTTPError, match="413"):
        make_form(MULTIPART, body)


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("", ("", {})),
        ("Text/HTML", ("text/html", {})),
        ('a/b; C="d;\\"e"; f = g ;h', ("a/b", {"c": 'd;"e', "f": "g"})),
        ('a/b; name="\\unc\\path"', ("a/b", {"name": "\\unc\\path"})),
        ('a/b; c="open', ("a/b", {"c": "open"})),
        ("a/b;;c=d;c=e", ("a/b", {";c": "d", "c": "e"})),
    ],
)
def test_parameters_are_split(value: str, parsed: tuple[str, dict[str, str]]) -> None:
    """Quoted or not."""
    assert parameters(value) == parsed


MANY = 300_000
"""So many that nobody would live to see what is done once for each pair of them."""


@pytest.mark.parametrize("piece", [";a=b", ';a="b', ';a="b\\\\"', ';a="\\\\', "; =", '"\\\\=', " ", ";a= "])
def test_parameters_take_time_in_proportion_to_their_length(piece: str) -> None:
    """Whatever is repeated."""
    _, named = parameters("a/b" + piece * MANY)
    assert len(named) <= 1


def test_looking_up_every_field_takes_time_in_proportion_to_their_number() -> None:
    """In any of the ways that mappings have."""
    names = list(map(str, range(MANY // 3)))
    form = Form([(name, name) for name in names] * 2, Files([(name, File(name, "", b"")) for name in names]))
    assert dict(form) == {name: form.all(name)[1] for name in form}
    assert len(form) == len(dict(form.files)) == len(names)
    assert [form.files.all(name)[0].filename for name in names] == names


def test_a_form_of_endless_fields_is_refused() -> None:
    """Before they are parsed, and all the same whether it is urlencoded or multipart."""
    kind = "application/x-www-form-urlencoded"
    assert len(make_form(kind, b"a=1&" * (PARTS_MAX - 1)).all("a")) == PARTS_MAX - 1
    with pytest.raises(HTTPError, match=f"413 the form has more than {PARTS_MAX} parts"):
        make_form(kind, b"&" * MANY)


def test_a_form_of_pieces_of_its_boundary_takes_time_in_proportion_to_its_length() -> None:
    """The longest that a boundary may be, and content that is nearly it."""
    boundary = "-" * BOUNDARY_CHARS_MAX
    near = b"\r\n--" + b"-" * (BOUNDARY_CHARS_MAX - 1) + b"x"
    body = part('Content-Disposition: form-data; name="a"', near * MANY).replace(b"line", boundary.encode(), 1)
    form = make_form(f"multipart/form-data; boundary={boundary}", body + b"--" + boundary.encode() + b"--")
    assert form["a"].encode() == near * MANY


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_octets_of_a_file_come_through(content: bytes, other: bytes) -> None:
    """Whatever they are, except the delimiter."""
    if b"\r\n--line" in b"\r\n" + content + b"\r\n":
        return
    body = (
        part('Content-Disposition: form-data; name="f"; filename="x"', content)
        + part('Content-Disposition: form-data; name="f"; filename="y"', other.replace(b"-", b""))
        + b"--line--"
    )
    assert [file.content for file in make_form(MULTIPART, body).files.all("f")] == [content, other.replace(b"-", b"")]


@given(st.text('-\r\nline ;=:"abc', max_size=80), st.text('-\r\nline;=" ', max_size=30))
def test_no_content_does_worse_than_a_400(body: str, boundary: str) -> None:
    """Random pieces of what forms are made of."""
    with contextlib.suppress(HTTPError):
        make_form(f"multipart/form-data; boundary={boundary}", body.encode())
