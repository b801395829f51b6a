"""Forms: what browsers send, urlencoded (HTML standard) or multipart (RFC 7578)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar
from urllib.parse import unquote_plus

from .response import HTTPError

T = TypeVar("T")

PARTS_MAX = 1000
"""Fields and files of one form: more than a page has, and few enough to keep."""

BOUNDARY_CHARS_MAX = 70
"""RFC 2046 section 5.1.1."""

PART_HEAD_BYTES_MAX = 8192
"""Header fields of one part; browsers send two lines."""

_QUOTED = re.compile(r'\s*+"((?:[^"\\]+|\\["\\]?)*+)"?')
"""What never goes back: clients choose the text."""
_ESCAPED = re.compile(r'\\(["\\])')


@dataclass(frozen=True)
class File:
    """A file that was sent with a form."""

    filename: str
    """As the client calls it: nothing to open a file by."""
    content_type: str
    content: bytes

    def __len__(self) -> int:
        return len(self.content)

    @property
    def text(self) -> str:
        """The content, which is UTF-8."""
        try:
            return self.content.decode()
        except UnicodeDecodeError as error:
            raise HTTPError(400, f"`{self.filename}` is not UTF-8") from error


class Pairs(Mapping[str, T]):
    """Names and values: a mapping from each name to its first value; `all` gives every one."""

    __slots__ = ("_all", "_first", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, T]] = ()) -> None:
        self.pairs = list(pairs)
        """Every name and value, in the order in which they were sent."""
        self._first: dict[str, T] = {}
        for name, value in self.pairs:
            self._first.setdefault(name, value)
        self._all: dict[str, list[T]] | None = None

    def __getitem__(self, name: str) -> T:
        return self._first[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.pairs!r})"

    def all(self, name: str) -> list[T]:
        """Return every value of a name, in the order in which they were sent."""
        if self._all is None:
            self._all = {}
            for key, value in self.pairs:
                self._all.setdefault(key, []).append(value)
        return self._all.get(name, [])[:]


class Files(Pairs[File]):
    """Files by the name of their field, each the first of its name; `all` gives every one."""

    __slots__ = ()


class Form(Pairs[str]):
    """Fields of a form: a mapping from each name to its first value; `all` gives every one, `files` what came along."""

    __slots__ = ("files",)

    NO_FILES: ClassVar[Files] = Files()

    def __init__(self, pairs: Iterable[tuple[str, str]] = (), files: Files = NO_FILES) -> None:
        super().__init__(pairs)
        self.files = files

    def __repr__(self) -> str:
        return f"Form({self.pairs!r}, files={dict(self.files)!r})"


def make_form(content_type: str, body: bytes) -> Form:
    """Parse a form by the type of its content."""
    kind, named = parameters(content_type)
    if kind == "application/x-www-form-urlencoded":
        if body.count(b"&") >= PARTS_MAX:
            raise too_many()
        return Form(parse_pairs(body.decode("latin-1")))
    if kind == "multipart/form-data":
        return parse_multipart(named.get("boundary", ""), body)
    return Form()


def too_many() -> HTTPError:
    """Say that a form has more parts than anybody needs."""
    return HTTPError(413, f"the form has more than {PARTS_MAX} parts")


def parse_pairs(text: str) -> list[tuple[str, str]]:
    """Parse `a=b&c=d`; a name without value has an empty one."""
    if not text.isascii():
        text = text.encode("latin-1").decode("utf-8", "replace")
    is_coded = "%" in text or "+" in text
    pairs = []
    for piece in text.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            pairs.append((unquote_plus(name), unquote_plus(value)) if is_coded else (name, value))
    return pairs


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """Split `text/html; charset="utf-8"` into what it is and its parameters (RFC 9110 section 5.6.6).

    All but the values is made lower case, and of two parameters with one name the first counts.
    """
    kind, separator, _ = value.partition(";")
    named: dict[str, str] = {}
    at = len(kind) + 1 if separator else 0
    while at and (equals := value.find("=", at)) >= 0:
        name = value[at:equals].strip().lower()
        text, at = parameter_value(value, equals + 1)
        named.setdefault(name, text)
        at = value.find(";", at) + 1
    return kind.strip().lower(), named


def parameter_value(text: str, at: int) -> tuple[str, int]:
    """Return the value of a parameter, quoted or not, and where it ends."""
    quoted = _QUOTED.match(text, at)
    if quoted:
        return _ESCAPED.sub(r"\1", quoted[1]).strip(), quoted.end()
    end = text.find(";", at)
    return (text[at:].strip(), len(text)) if end < 0 else (text[at:end].strip(), end)


def parse_multipart(boundary: str, body: bytes) -> Form:
    """Parse the content of `multipart/form-data`; what is not well-formed is a 400."""
    if not 0 < len(boundary) <= BOUNDARY_CHARS_MAX:
        raise HTTPError(400, f"the form has no boundary of 1 to {BOUNDARY_CHARS_MAX} characters")
    pairs: list[tuple[str, str]] = []
    files: list[tuple[str, File]] = []
    for head, content in split_parts(b"\r\n--" + boundary.encode("latin-1"), b"\r\n" + body):
        named = parameters(head.get("content-disposition", ""))[1]
        if "name" not in named:
            raise HTTPError(400, "a part of the form has no name")
        name = unescaped(named["name"])
        if "filename" in named:
            kind = head.get("content-type", "application/octet-stream")
            files.append((name, File(unescaped(named["filename"]), kind, content)))
        else:
            pairs.append((name, content.decode("utf-8", "replace")))
        if len(pairs) + len(files) > PARTS_MAX:
            raise too_many()
    return Form(pairs, Files(files))


def split_parts(delimiter: bytes, body: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    """Yield the head and the content of each part (RFC 2046 section 5.1.1)."""
    at = body.find(delimiter)
    while at >= 0:
        at += len(delimiter)
        if body.startswith(b"--", at):
            return
        start = body.find(b"\r\n", at)
        end = body.find(delimiter, at)
        if start < 0 or end < 0 or body[at:start].strip(b" \t"):
            break
        yield split_part(body[start + 2 : end])
        at = end
    raise HTTPError(400, "the form is cut off")


def split_part(part: bytes) -> tuple[dict[str, str], bytes]:
    """Split a part into its header fields, by lower-case name, and its content."""
    if part.startswith(b"\r\n"):
        return {}, part[2:]
    head, separator, content = part.partition(b"\r\n\r\n")
    if not separator or len(head) > PART_HEAD_BYTES_MAX:
        raise HTTPError(400, "a part of the form has no end of its head")
    fields = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields, content


def unescaped(name: str) -> str:
    """Undo what browsers do to quotes and line ends in names (HTML standard, "multipart form data")."""
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n") if "%" in name else name
