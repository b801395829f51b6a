"""The operator's package index (PEP 503 in HTML, PEP 691 in JSON), read with bounds and over nothing but HTTP."""

import base64
import hashlib
import http.client
import json
import os
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import IO

from dayfly.errors import IndexUnreachable, PackagesRefused

PAGE_BYTES_MAX = 64 << 20
"""Of one project's page; the largest known ones have some 20 MiB."""

METADATA_BYTES_MAX = 4 << 20
REQUESTS_MAX = 1_000
TIMEOUT_SECONDS = 30
_REDIRECTS_MAX = 5
_NOT_FOUND = 404

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_USER = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)([^/?#]*)@")
"""What stands before the host of an address (RFC 3986 section 3.2.1)."""

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class File:
    """A file that the index has of a project. Those without a SHA-256 are never used."""

    name: str
    url: str
    sha256: str
    requires_python: str = ""
    yanked: bool = False
    metadata: bool = False
    """Whether `url.metadata` has the METADATA of the wheel (PEP 658)."""
    metadata_sha256: str = ""


class Index:
    """What is asked of the index. `url`: its root, like `https://packages.example/simple/`.

    A user and password in it (`https://user:password@packages.example/simple/`) are sent to where it points, and
    nowhere else, whatever its pages and redirections say. `bytes_max`: of all answers together.
    """

    def __init__(self, url: str, bytes_max: int) -> None:
        self.url = without_user(url).rstrip("/") + "/"
        origin = _origin(self.url)
        if origin is None:
            # Whatever it is, there may be a password in it.
            raise IndexUnreachable("package index: its address is no valid one of http or https; give another")
        self._origin, self._scheme = origin, origin[0]
        self._authorization = _authorization(url)
        self._requests = 0
        self._left = self._most = bytes_max
        self._opener = _opener(self._allowed, self._authorize)

    def project(self, name: str) -> list[File] | None:
        """Return the files of a project; None if the index does not know it."""
        url = urllib.parse.urljoin(self.url, urllib.parse.quote(name) + "/")
        try:
            content, base, content_type = self._get(url, PAGE_BYTES_MAX, _ACCEPT)
        except urllib.error.HTTPError as error:
            if error.code == _NOT_FOUND:
                return None
            raise self._unreachable(url, f"status {error.code}") from None
        try:
            found = _of_json(content) if "json" in content_type else _of_html(content)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._unreachable(url, f"not a page of an index ({type(error).__name__})") from None
        files = [_joined(file, base) for file in found if _SHA256.fullmatch(file.sha256)]
        return [file for file in files if self._allowed(file.url)]

    def metadata(self, file: File) -> bytes:
        """Return the METADATA that stands beside a wheel, checked against its digest if there is one."""
        content = self._fetch(f"{file.url}.metadata", METADATA_BYTES_MAX)
        if file.metadata_sha256 and hashlib.sha256(content).hexdigest() != file.metadata_sha256:
            raise PackagesRefused(f"{file.name}: its metadata does not have the digest that the index gives; try again")
        return content

    def download(self, file: File, bytes_max: int) -> bytes:
        """Return the octets of a file, which have its digest."""
        content = self._fetch(file.url, bytes_max)
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise PackagesRefused(f"{file.name}: does not have the digest that the index gives; try again")
        return content

    def _fetch(self, url: str, bytes_max: int) -> bytes:
        try:
            return self._get(url, bytes_max, "*/*")[0]
        except urllib.error.HTTPError as error:
            raise self._unreachable(url, f"status {error.code}") from None

    def _get(self, url: str, bytes_max: int, accept: str) -> tuple[bytes, str, str]:
        """Return content, final address and media type."""
        self._requests += 1
        if self._requests > REQUESTS_MAX:
            raise PackagesRefused(f"resolving takes more than {REQUESTS_MAX} questions to the index; pin versions")
        request = urllib.request.Request(url, headers={"Accept": accept, "User-Agent": "dayfly"})  # noqa: S310 - the opener knows no other scheme
        self._authorize(request)
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                content: bytes = response.read(min(bytes_max, self._left) + 1)
                address, media = str(response.geturl()), str(response.headers.get_content_type())
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unreachable(url, _reason(error)) from None
        self._left -= len(content)
        if self._left < 0:
            raise PackagesRefused(
                f"{_last(url)}: resolving takes more than {self._most >> 10} KiB of the index; pin versions"
            )
        if len(content) > bytes_max:
            raise PackagesRefused(f"{_last(url)}: more than {bytes_max} octets; the limit of packages is reached")
        return content, address, media

    def _allowed(self, url: str) -> bool:
        """Tell whether a link or a redirection may be followed: never to files, never from https to http."""
        origin = _origin(url)
        return origin is not None and origin[0] in {"https", self._scheme}

    def _authorize(self, request: urllib.request.Request) -> None:
        """Add the password where the index itself is asked; a redirection does not take it along."""
        if self._authorization and _origin(request.full_url) == self._origin:
            request.add_unredirected_header("Authorization", self._authorization)

    def _unreachable(self, url: str, reason: str) -> IndexUnreachable:
        return IndexUnreachable(
            f"package index: {_last(url)}: {reason}; check --index and the network, and try again: "
            "what was resolved before needs neither"
        )


class _LeadsAwayError(urllib.error.URLError):
    """A redirection that is not followed."""


def _opener(
    allowed: Callable[[str], bool], authorize: Callable[[urllib.request.Request], None]
) -> urllib.request.OpenerDirector:
    class Redirections(urllib.request.HTTPRedirectHandler):
        max_redirections = _REDIRECTS_MAX

        def redirect_request(  # noqa: PLR0913, PLR0917 - the signature of urllib
            self,
            req: urllib.request.Request,
            fp: IO[bytes],
            code: int,
            msg: str,
            headers: http.client.HTTPMessage,
            newurl: str,
        ) -> urllib.request.Request | None:
            target = without_user(newurl)
            if not allowed(target):
                raise _LeadsAwayError("")
            request = super().redirect_request(req, fp, code, msg, headers, target)
            if request:
                authorize(request)
            return request

    # Without build_opener, which would add handlers for file:, ftp: and data: addresses.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        Redirections(),
    ):
        opener.add_handler(handler)
    return opener


def _of_json(content: bytes) -> list[File]:
    files = []
    for entry in json.loads(content)["files"]:
        described = entry.get("core-metadata", entry.get("dist-info-metadata", False))
        files.append(
            File(
                name=str(entry["filename"]),
                url=str(entry["url"]),
                sha256=str(entry["hashes"].get("sha256", "")),
                requires_python=str(entry.get("requires-python") or ""),
                yanked=bool(entry.get("yanked", False)),
                metadata=bool(described),
                metadata_sha256=str(described.get("sha256", "")) if isinstance(described, dict) else "",
            )
        )
    return files


def _of_html(content: bytes) -> list[File]:
    page = _Page()
    page.feed(content.decode("utf-8"))
    page.close()
    return page.files


@dataclass
class _Anchor:
    attributes: dict[str, str]
    text: list[str] = field(default_factory=list)


class _Page(HTMLParser):
    """The anchors of a project's page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.files: list[File] = []
        self._anchor: _Anchor | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._anchor = _Anchor({name: value or "" for name, value in attrs})

    def handle_data(self, data: str) -> None:
        if self._anchor:
            self._anchor.text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag != "a" or not self._anchor:
            return
        attributes, name = self._anchor.attributes, "".join(self._anchor.text).strip()
        self._anchor = None
        url, _, fragment = attributes.get("href", "").partition("#")
        described = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
        self.files.append(
            File(
                name=name,
                url=url,
                sha256=fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else "",
                requires_python=attributes.get("data-requires-python", ""),
                yanked="data-yanked" in attributes,
                metadata=described not in {None, "false"},
                metadata_sha256=(described or "").removeprefix("sha256=") if "sha256=" in (described or "") else "",
            )
        )


def _joined(file: File, base: str) -> File:
    """Make a link whole; one that is none is empty."""
    try:
        url = without_user(urllib.parse.urljoin(base, file.url))
    except ValueError:
        url = ""
    return File(**{**vars(file), "url": url})


def _last(url: str) -> str:
    """Return the end of an address: hosts and what stands before them (a password, perhaps) go into no message."""
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path.rstrip("/").rpartition("/")[2]) or "its root"


def without_user(url: str) -> str:
    """Return an address without the user and password in it."""
    return _USER.sub(r"\1", url)


def _authorization(url: str) -> str:
    """Return the header of the user and password in an address (RFC 7617); empty: there are none."""
    found = _USER.match(url)
    if not found:
        return ""
    user, _, password = found[2].partition(":")
    pair = f"{urllib.parse.unquote(user)}:{urllib.parse.unquote(password)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port (RFC 6454 section 4); None: not an address of the web."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, _PORTS[parts.scheme] if port is None else port


def _reason(error: Exception) -> str:
    """Say why there is no answer, in our words or the system's: those of libraries quote addresses."""
    cause = getattr(error, "reason", error)
    if isinstance(error, _LeadsAwayError):
        return "it redirects away from https"
    if isinstance(cause, ssl.SSLError):
        return f"no secure connection ({cause.reason or type(cause).__name__})"
    if isinstance(cause, TimeoutError):
        return f"no answer in {TIMEOUT_SECONDS} s"
    if isinstance(cause, OSError) and cause.errno is not None:
        return cause.strerror or os.strerror(cause.errno)
    return "the proxy refuses" if str(cause).startswith("Tunnel connection failed") else type(cause).__name__
