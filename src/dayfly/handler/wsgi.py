"""WSGI (PEP 3333): `app` objects of Flask, Bottle, Django and the like, as they are.

An answer is sent as a whole, so `write` and the items of the returned iterable are collected. What PEP 3333 says of
headers that "have been sent" is said here of the first piece of a body that is not empty.
"""

import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import unquote_to_bytes

from . import host
from .arguments import failed
from .response import Reply

Environ = dict[str, Any]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
App = Callable[[Environ, Callable[..., object]], Iterable[bytes]]

WHOLE_BYTES_MAX = 65536
"""Content up to here is read at once; of more, as much as is asked for."""

PORTS = {"http": "80", "https": "443"}

_FIELDS = (
    "Accept Accept-Charset Accept-Encoding Accept-Language Authorization Cache-Control Cookie DNT Host If-Match"
    " If-Modified-Since If-None-Match If-Range If-Unmodified-Since Origin Pragma Priority Range Referer Sec-CH-UA"
    " Sec-CH-UA-Mobile Sec-CH-UA-Platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User"
    " Upgrade-Insecure-Requests User-Agent X-CSRF-Token X-CSRFToken X-Requested-With X-Request-ID"
)


def key_of(name: str) -> str:
    """Return the key of a header field in an environ."""
    key = name.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


KEYS = {
    form: key_of(name) for name in [*_FIELDS.split(), "Content-Type", "Content-Length"] for form in (name, name.lower())
}
"""Those of common fields, as browsers and programs write them."""

_ = {*KEYS.values()}  # so that their hashes are known, which are kept in the texts


class Input:
    """`wsgi.input`: the content of the request, read from the host when it is read."""

    _opened: io.BufferedIOBase | None = None

    def __init__(self, length: int) -> None:
        self._length = length

    def _file(self) -> io.BufferedIOBase:
        if self._opened is None:
            if self._length <= WHOLE_BYTES_MAX:
                self._opened = io.BytesIO(host.content(4) if self._length else b"")
            else:
                self._opened = io.BufferedReader(Content(), WHOLE_BYTES_MAX)
        return self._opened

    def read(self, size: int | None = -1) -> bytes:
        """Read so many octets, or all; at the end, none."""
        return self._file().read(-1 if size is None else size)

    def readline(self, size: int | None = -1) -> bytes:
        """Read a line with its end."""
        return self._file().readline(-1 if size is None else size)

    def readlines(self, hint: int = -1) -> list[bytes]:
        """Read lines until they have so many octets."""
        return self._file().readlines(hint)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._file())

    def __getattr__(self, name: str) -> object:
        """Be what else a file is."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._file(), name)


class Content(io.RawIOBase):
    """The content of a request as a file."""

    def __init__(self) -> None:
        self._at = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill the buffer as far as there is content."""
        view = memoryview(buffer).cast("B")
        octets = host.body(self._at, len(view))
        view[: len(octets)] = octets
        self._at += len(octets)
        return len(octets)


NO_CONTENT = Input(0)


def collected(result: Iterable[bytes], pieces: list[bytes], is_started: Callable[[], bool]) -> bytes:
    """Return the whole body, after the pieces that there are; the iterable is closed."""
    try:
        for piece in result:
            if piece:
                if not is_started():
                    raise AssertionError("the application gave a body before it called start_response")
                pieces.append(piece)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    return b"".join(pieces)


def may_replace(pieces: list[bytes], exc_info: ExcInfo | None) -> None:
    """Allow another start, because of an error and before anything was sent; else raise."""
    if exc_info is None:
        raise AssertionError("start_response was called again without exc_info")
    if any(pieces):
        raise exc_info[1].with_traceback(exc_info[2])


def answer(status: str | None, headers: list[tuple[str, str]], body: bytes) -> Reply:
    """Return what the application has said in the host's form."""
    if status is None:
        raise AssertionError("the application did not call start_response")
    if type(body) is not bytes:
        raise TypeError(f"the application returned {type(body).__name__}, not bytes")
    number = STATUSES.get(status) or status_of(status)
    return (number, None, headers if type(headers) is list else list(headers), body)


def status_of(status: str) -> int:
    """Read a status that is not one of the usual."""
    if re.fullmatch(r"[0-9]{3}( .*)?", status) is None:
        raise ValueError(f"`{status}` is no status such as `200 OK`")
    return int(status[:3])


STATUSES = {
    f"{status.value} {phrase}": status.value
    for status in HTTPStatus
    for phrase in (status.phrase, status.phrase.upper())
}
"""As frameworks write them; Werkzeug writes them in capitals."""


def server_of(authority: str, scheme: str) -> tuple[str, str]:
    """Split the host that the client named into name and port."""
    name, separator, port = authority.rpartition(":")
    if separator and port.isdigit():
        return name, port
    return authority, PORTS.get(scheme, "80")


def path_info(path: str) -> str:
    """Decode a path as WSGI wants it: octets, each as the character of its number."""
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1") if "%" in path else path


def make_wsgi(app: App) -> Callable[..., Reply | str]:
    """Return the function that a request calls."""
    template: Environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "",
        "SERVER_PORT": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "dayfly",
        "REMOTE_ADDR": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": NO_CONTENT,
        "wsgi.input_terminated": True,
        "wsgi.errors": None,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": True,
    }

    def entry(  # noqa: PLR0913, PLR0917 - likewise; the parameters are the host's
        method: str, path: str, query: str, client: str, scheme: str, authority: str, mount: str
    ) -> Reply | str:
        try:
            environ = template.copy()
            environ["REQUEST_METHOD"] = method
            environ["SCRIPT_NAME"] = mount
            environ["PATH_INFO"] = path if "%" not in path else path_info(path)
            environ["QUERY_STRING"] = query
            environ["SERVER_NAME"], environ["SERVER_PORT"] = server_of(authority, scheme)
            environ["REMOTE_ADDR"] = client
            environ["wsgi.url_scheme"] = scheme
            environ["wsgi.errors"] = sys.stderr
            for name, value in host.fields():
                key = KEYS.get(name) or key_of(name)
                if key in environ:
                    value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"  # noqa: PLW2901 - joined
                environ[key] = value
            if "CONTENT_LENGTH" in environ:
                environ["wsgi.input"] = Input(int(environ["CONTENT_LENGTH"]))
            status: str | None = None
            headers: list[tuple[str, str]] = []
            pieces: list[bytes] = []

            def write(piece: bytes) -> None:
                pieces.append(piece)

            def start_response(
                new_status: str, new_headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
            ) -> Callable[[bytes], None]:
                nonlocal status, headers
                if status is not None or exc_info is not None:
                    may_replace(pieces, exc_info)
                status, headers = new_status, new_headers
                return write

            result = app(environ, start_response)
            if type(result) is list and len(result) == 1 and not pieces:
                body = result[0]
            else:
                body = collected(result, pieces, lambda: status is not None)
            return answer(status, headers, body)
        except BaseException as raised:  # noqa: BLE001 - the log tells the tenant
            return failed(raised)

    return entry
