"""Answers: `Response` and `HTTPError`, and every form of an answer made into the two that the host takes.

The host takes `(content type, body)`, which is a 200, and `(status, content type or None, fields or None, body)`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import UTC, datetime
from http import HTTPStatus
from types import CoroutineType, GeneratorType
from typing import Any, Self

Fields = list[tuple[str, str]]
Short = tuple[str, str | bytes]
Long = tuple[int, str | None, Fields | None, str | bytes]
Reply = Short | Long

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
OCTETS = "application/octet-stream"

STATUS_MIN, STATUS_MAX = 200, 599

FORMS = (
    "an answer is str, bytes, dict, list, (content type, body), (status, body), (status, fields, body), a Response,"
    " or a function or generator that gives one of these"
)

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")
_ATTRIBUTE = re.compile(r"[ -:<-~]*")


HOST_PREFIX, SECURE_PREFIX = "__host-", "__secure-"
"""Names of cookies that promise attributes (draft-ietf-httpbis-rfc6265bis section 4.1.3)."""


class ResponseHeaders(MutableMapping[str, str]):
    """Header fields of an answer: by name, in any case; `add` gives a field a further value."""

    __slots__ = ("pairs",)

    def __init__(self, fields: Mapping[str, object] | Iterable[tuple[str, object]] = ()) -> None:
        pairs = fields.items() if isinstance(fields, Mapping) else fields
        self.pairs: Fields = [(text_of(name), text_of(value)) for name, value in pairs]

    def __getitem__(self, name: str) -> str:
        key = name.lower()
        for other, value in self.pairs:
            if other.lower() == key:
                return value
        raise KeyError(name)

    def __setitem__(self, name: str, value: object) -> None:
        self.pop(name, None)
        self.add(name, value)

    def __delitem__(self, name: str) -> None:
        key = name.lower()
        kept = [pair for pair in self.pairs if pair[0].lower() != key]
        if len(kept) == len(self.pairs):
            raise KeyError(name)
        self.pairs = kept

    def __iter__(self) -> Iterator[str]:
        return iter({name.lower(): None for name, _ in self.pairs})

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self.pairs})

    def __repr__(self) -> str:
        return f"ResponseHeaders({self.pairs!r})"

    def add(self, name: str, value: object) -> None:
        """Add a field beside those of the same name."""
        self.pairs.append((text_of(name), text_of(value)))

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        key = name.lower()
        return [value for other, value in self.pairs if other.lower() == key]


class Response:
    """An answer with everything that one can have.

    The body is `str`, `bytes`, or a dict or list, which is sent as JSON. Its content type follows from that unless it
    is given, here or among the headers.
    """

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self,
        body: object = "",
        status: int = 200,
        headers: Mapping[str, object] | Iterable[tuple[str, object]] = (),
        content_type: str | None = None,
    ) -> None:
        self.body = body
        self.status = status
        self.headers = ResponseHeaders(headers)
        self.content_type = content_type

    @classmethod
    def json(
        cls, value: object, status: int = 200, headers: Mapping[str, object] | Iterable[tuple[str, object]] = ()
    ) -> Self:
        """Return an answer that is the JSON of any value, also of a str, a number or None."""
        return cls(json_of(value), status, headers, JSON)

    @classmethod
    def redirect(cls, location: str, status: int = 303) -> Self:
        """Return an answer that sends the client to another address; with 303 it asks by GET there."""
        return cls("", status, [("Location", location)])

    def set_cookie(  # noqa: PLR0913 - a cookie has that many attributes
        self,
        name: str,
        value: str,
        *,
        max_age: int | None = None,
        expires: datetime | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        http_only: bool = True,
        same_site: str | None = "Lax",
    ) -> None:
        """Have the client keep a cookie.

        Scripts cannot read it unless `http_only` is false, and other sites cannot send it with a POST unless
        `same_site` is another. The value is ASCII without spaces, quotes, commas, semicolons and backslashes: encode
        what is not, with `urllib.parse.quote` or as JSON in base64.
        """
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"`{name}` is no name for a cookie")
        if not _COOKIE_VALUE.fullmatch(value):
            raise ValueError(f"the value of cookie `{name}` needs an encoding, such as urllib.parse.quote")
        if same_site and same_site.lower() == "none" and not secure:
            raise ValueError(f"cookie `{name}` with same_site None must be secure, or browsers drop it")
        if is_promised(name, HOST_PREFIX) and not (secure and path == "/" and domain is None):
            raise ValueError(f"cookie `{name}` must have secure=True, path=`/` and no domain, or browsers drop it")
        if is_promised(name, SECURE_PREFIX) and not secure:
            raise ValueError(f"cookie `{name}` must have secure=True, or browsers drop it")
        attributes = {
            "Max-Age": None if max_age is None else str(int(max_age)),
            "Expires": None if expires is None else http_date(expires),
            "Path": path,
            "Domain": domain,
            "SameSite": same_site,
        }
        line = [f"{name}={value}"]
        for key, text in attributes.items():
            if text is not None:
                if not _ATTRIBUTE.fullmatch(text):
                    raise ValueError(f"`{text}` is no {key} for a cookie")
                line.append(f"{key}={text}")
        line += ["Secure"] * secure + ["HttpOnly"] * http_only
        self.headers.add("Set-Cookie", "; ".join(line))

    def delete_cookie(self, name: str, *, path: str | None = "/", domain: str | None = None) -> None:
        """Have the client forget a cookie that was set with this path and domain."""
        secure = is_promised(name, HOST_PREFIX) or is_promised(name, SECURE_PREFIX)
        self.set_cookie(name, "", max_age=0, path=path, domain=domain, secure=secure)

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


class HTTPError(Exception):
    """Raised anywhere in a program, it is the answer: this status, and a body that says why (RFC 9457)."""

    def __init__(
        self, status: int, detail: str = "", headers: Mapping[str, object] | Iterable[tuple[str, object]] = ()
    ) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.headers = headers

    def __str__(self) -> str:
        return f"{self.status} {self.detail}".rstrip()

    def response(self) -> Response:
        """Return the answer that this is."""
        try:
            title = HTTPStatus(self.status).phrase
        except ValueError:
            title = "Error"
        problem: dict[str, object] = {"title": title, "status": int(self.status)}
        if self.detail:
            problem["detail"] = self.detail
        return Response(json_of(problem), self.status, self.headers, "application/problem+json")


def is_promised(name: str, prefix: str) -> bool:
    """Tell whether the name of a cookie promises attributes; browsers look at it in any case."""
    return name[: len(prefix)].lower() == prefix


def json_of(value: object) -> str:
    """Write JSON. Raises ValueError for what it does not have, such as NaN (RFC 8259 section 6).

    A lone surrogate, which a client can send in JSON and UTF-8 cannot have, is escaped again.
    """
    text = _encode(value)
    return text if text.isascii() else _SURROGATE.sub(escaped, text)


def escaped(found: re.Match[str]) -> str:
    """Return the escape of a character."""
    return f"\\u{ord(found[0]):04x}"


def http_date(moment: datetime) -> str:
    """Write a moment as HTTP does (RFC 9110 section 5.6.7); without a time zone it is UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.month - 1]
    return f"{day}, {moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S} GMT"


def text_of(value: object) -> str:
    """Return a name or value of a field as an exact `str`."""
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if type(value) is int:
        return str(value)
    raise TypeError(f"a header field is text, not {type(value).__name__}")


def reply(value: object) -> Reply:  # noqa: PLR0911 - a table of kinds, the frequent ones first
    """Make an answer of any form into one of the host's two."""
    kind = type(value)
    if kind is tuple:
        return from_tuple(value)  # type: ignore[arg-type] # it is one
    if kind is str:
        return (TEXT, value)  # type: ignore[return-value] # it is str
    if kind is dict or kind is list:
        return (JSON, json_of(value))
    if kind is bytes:
        return (OCTETS, value)  # type: ignore[return-value] # it is bytes
    if isinstance(value, Response):
        return from_response(value)
    if isinstance(value, GeneratorType):
        return from_generator(value)
    return from_other(value)


def from_tuple(value: tuple[Any, ...]) -> Reply:
    """(content type, body), (status, body) or (status, fields, body)."""
    if len(value) == 2:  # noqa: PLR2004 - the short form
        first, content = value
        if isinstance(first, str):
            return (text_of(first), body_of(content)[1])
        kind, body = body_of(content)
        return (status_of(first), kind, None, body)
    if len(value) == 3:  # noqa: PLR2004 - the long form
        status, fields, content = value
        return from_parts(status_of(status), ResponseHeaders(fields).pairs, None, content)
    raise TypeError(f"a tuple of {len(value)} is no answer; {FORMS}")


def from_response(value: Response) -> Reply:
    """Everything stands in it."""
    return from_parts(status_of(value.status), value.headers.pairs, value.content_type, value.body)


def from_parts(status: int, pairs: Fields, given: str | None, content: object) -> Reply:
    """Find the content type: the one that was given, else the one among the fields, else that of the body."""
    kind, body = body_of(content)
    if given is not None:
        pairs = [pair for pair in pairs if pair[0].lower() != "content-type"]
        return (status, text_of(given), pairs or None, body)
    if any(name.lower() == "content-type" for name, _ in pairs):
        return (status, None, pairs, body)
    return (status, kind if body else None, pairs or None, body)


def from_generator(value: Iterable[object]) -> Reply:
    """Take its first item as the answer, and text or octets that follow as more of its body."""
    items = iter(value)
    try:
        first = next(items)
    except StopIteration:
        raise TypeError(f"the generator gave nothing; {FORMS}") from None
    answer, rest = reply(first), list(items)
    if not rest:
        return answer
    pieces: list[object] = [answer[-1], *rest]
    if all(type(piece) is str for piece in pieces):
        body: str | bytes = "".join(pieces)  # type: ignore[arg-type] # they are
    else:
        body = b"".join(octets_of(piece) for piece in pieces)
    return (*answer[:-1], body)


def octets_of(piece: object) -> bytes:
    """Return a piece of a body as octets."""
    if isinstance(piece, str):
        return piece.encode()
    if isinstance(piece, bytes | bytearray | memoryview):
        return bytes(piece)
    raise TypeError(f"a body goes on with str or bytes, not {type(piece).__name__}")


def from_other(value: object) -> Reply:  # noqa: PLR0911 - likewise
    """Take subclasses of what is allowed, coroutines and asynchronous generators, and functions."""
    if isinstance(value, str):
        return (TEXT, str.__str__(value))
    if isinstance(value, dict | list):
        return (JSON, json_of(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return (OCTETS, bytes(value))
    if isinstance(value, tuple):
        return from_tuple(tuple(value))
    if isinstance(value, CoroutineType) or hasattr(value, "__aiter__"):
        from .asgi import finish  # noqa: PLC0415 - only what is asynchronous needs the event loop

        return reply(finish(value))
    if isinstance(value, Iterator):
        return from_generator(value)
    if callable(value):
        return reply(value())
    raise TypeError(f"{described(value)} is no answer; {FORMS}")


def described(value: object) -> str:
    """Say what was returned in place of an answer."""
    return "None" if value is None else f"an object of type {type(value).__name__}"


def status_of(value: object) -> int:
    """Return a status as an exact `int`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no status; {FORMS}")
    if not STATUS_MIN <= value <= STATUS_MAX:
        raise ValueError(f"status {int(value)} is not in {STATUS_MIN} to {STATUS_MAX}")
    return int(value)


def body_of(value: object) -> tuple[str, str | bytes]:
    """Return the content type that a body has if none is given, and the body."""
    kind = type(value)
    if kind is str:
        return TEXT, value  # type: ignore[return-value] # it is str
    if kind is bytes:
        return OCTETS, value  # type: ignore[return-value] # it is bytes
    if isinstance(value, dict | list):
        return JSON, json_of(value)
    if isinstance(value, str):
        return TEXT, str.__str__(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return OCTETS, bytes(value)
    if isinstance(value, Iterator):
        answer = from_generator(value)
        return (answer[0] if len(answer) == 2 else answer[1]) or OCTETS, answer[-1]  # noqa: PLR2004 - the short form
    raise TypeError(f"{described(value)} is no body; a body is str, bytes, dict or list")
