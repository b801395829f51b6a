"""Request: what a client asked.

A `Request` holds nothing when it is made. Each attribute asks the host for its part when it is read, and what takes
work to make (`args`, `headers`, `cookies`, forms) is kept: a program that reads only the path pays for the path.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import unquote

from . import host
from .charsets import codec_of
from .form import File, Form, Pairs, make_form, parameters, parse_pairs
from .response import HTTPError

__all__ = ["Args", "Cookies", "File", "Form", "Headers", "Request"]

CHARSET_CHARS_SHOWN = 40
"""Of the name of one that is not known."""


def no_constant(name: str) -> NoReturn:
    """Refuse what Python's own reader takes, and no answer could have."""
    raise ValueError(f"it has no {name}")


_decode = json.JSONDecoder(parse_constant=no_constant).decode


class Args(Pairs[str]):
    """What a query says: a mapping from each name to its first value; `all` gives every one."""

    __slots__ = ()


class Headers(Mapping[str, str]):
    """Header fields: a mapping from a name, in any case, to its value.

    The values of a field that came several times are joined by `, `, which HTTP says is the same; `all` gives each.
    Octets beyond ASCII are decoded as latin-1.
    """

    __slots__ = ("_joined", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = list(pairs)
        """Every name and value, as they were sent."""
        joined: dict[str, str] = {}
        for name, value in self.pairs:
            key = name.lower()
            joined[key] = f"{joined[key]}, {value}" if key in joined else value
        self._joined = joined

    def __getitem__(self, name: str) -> str:
        return self._joined[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._joined

    def __iter__(self) -> Iterator[str]:
        return iter(self._joined)

    def __len__(self) -> int:
        return len(self._joined)

    def __repr__(self) -> str:
        return f"Headers({self.pairs!r})"

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        key = name.lower()
        return [value for other, value in self.pairs if other.lower() == key]


class Cookies(dict[str, str]):
    """Cookies by name; of two with one name the first counts, which is the one with the longer path."""


def make_args(query: str) -> Args:
    """Parse a query string."""
    return Args(parse_pairs(query))


def make_path(path: str) -> str:
    """Decode a path: octets in percent encoding, and those that were sent bare, are UTF-8."""
    if not path.isascii():
        path = path.encode("latin-1").decode("utf-8", "replace")
    return unquote(path) if "%" in path else path


def make_cookies(values: Iterable[str]) -> Cookies:
    """Parse the values of `Cookie` fields."""
    cookies = Cookies()
    for value in values:
        for pair in value.split(";"):
            name, separator, content = pair.partition("=")
            if separator and (name := name.strip()):
                cookies.setdefault(name, unquoted(content.strip()))
    return cookies


def unquoted(value: str) -> str:
    r"""Take a cookie's value out of its quotes, within which `\054` is a character by its number."""
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':  # noqa: PLR2004 - two quotes
        return value
    value = value[1:-1]
    if "\\" not in value:
        return value
    out, at = [], 0
    while (start := value.find("\\", at)) >= 0:
        out.append(value[at:start])
        digits = value[start + 1 : start + 4]
        is_octal = len(digits) == 3 and digits.isascii() and all(digit in "01234567" for digit in digits)  # noqa: PLR2004
        out.append(chr(int(digits, 8)) if is_octal else value[start + 1 : start + 2])
        at = start + (4 if is_octal else 2)
    out.append(value[at:])
    return "".join(out)


class Request:
    """The request that is being answered.

    `method`, `query` (as received, without the question mark), `client` (an address, or empty), `scheme`, `host` and
    `mount` (where the program is mounted, empty or like `/z`) are `str`; so is `path`, which is percent-decoded and
    begins with `/` after the mount prefix.
    """

    __slots__ = ("_args", "_body", "_cookies", "_form", "_headers")

    def __init__(self) -> None:
        self._args: Args | None = None
        self._body: bytes | None = None
        self._cookies: Cookies | None = None
        self._form: Form | None = None
        self._headers: Headers | None = None

    @property
    def method(self) -> str:
        """`GET`, `POST` and the like."""
        return host.part(0)

    @property
    def path(self) -> str:
        """Decoded, after the mount prefix."""
        return make_path(host.part(1))

    @property
    def raw_path(self) -> str:
        """The path as received, in percent encoding, after the mount prefix."""
        return host.part(1)

    @property
    def query(self) -> str:
        """What follows the question mark, as received."""
        return host.part(2)

    @property
    def client(self) -> str:
        """Address of the client; empty if it is not known."""
        return host.part(6)

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return host.part(7)

    @property
    def host(self) -> str:
        """The host as the client named it, with a port if it named one."""
        return host.part(8)

    @property
    def mount(self) -> str:
        """Path prefix under which the program is mounted, empty or like `/z`."""
        return host.part(9)

    @property
    def args(self) -> Args:
        """The query, parsed."""
        made = self._args
        if made is None:
            made = self._args = make_args(host.part(2))
        return made

    @property
    def headers(self) -> Headers:
        """The header fields."""
        made = self._headers
        if made is None:
            made = self._headers = Headers(host.fields())
        return made

    @property
    def cookies(self) -> Cookies:
        """The cookies."""
        made = self._cookies
        if made is None:
            made = self._cookies = make_cookies(self.headers.all("cookie"))
        return made

    @property
    def content_type(self) -> str:
        """The media type of the content, in lower case and without parameters; empty if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def body(self) -> bytes:
        """The content."""
        made = self._body
        if made is None:
            made = self._body = host.content(4)
        return made

    @property
    def text(self) -> str:
        """The content as text, in the character set that its type names, else UTF-8.

        What is no text is a 400, a character set that is not known a 415.
        """
        charset = parameters(self.headers.get("content-type", ""))[1].get("charset", "utf-8")
        codec = codec_of(charset)
        if codec is None:
            raise HTTPError(
                415, f"the character set `{charset[:CHARSET_CHARS_SHOWN]}` of the content is not known here"
            )
        try:
            return self.body.decode(codec)
        except UnicodeDecodeError as error:
            raise HTTPError(400, f"the content is not {codec}") from error

    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        """Return the content as the JSON that it is; what is none, such as NaN, is a 400."""
        try:
            return _decode(self.body.decode(json.detect_encoding(self.body), "surrogatepass"))
        except (ValueError, RecursionError) as error:
            raise HTTPError(400, f"the content is not JSON: {error}") from error

    def form(self) -> Form:
        """Return the fields of a form, urlencoded or multipart, and its files; with any other content it is empty."""
        made = self._form
        if made is None:
            made = self._form = make_form(self.headers.get("content-type", ""), self.body)
        return made

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}>"
