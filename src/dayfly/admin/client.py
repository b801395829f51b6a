"""The other end of the admin API: what client commands ask with."""

import io
import json
import os
import re
import socket
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from dayfly import __version__, errors
from dayfly.admin.address import SOCKET_NAME, reachable
from dayfly.errors import DayflyError, ExitCode, InternalError, InvalidOption, ServerRefused, ServerUnreachable
from dayfly.toolchain import Source

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
DEPLOY_SECONDS = 900.0
"""How long an answer may take; a deploy waits for others, a compiler and the package index."""

SILENCE_SECONDS = 60.0
"""How long a log may be silent: the server says four times in this time that it is there."""

Json = Any
"""What an answer holds; its shape stands in docs/admin-api.md."""

_URL = r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/[!-~]*)?"

_KINDS = {
    kind.kind: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, DayflyError) and kind is not DayflyError
}


class Client:
    """A connection to one server. All methods raise DayflyError: ServerUnreachable, or why the server refused."""

    def __init__(self, http: httpx.Client, place: str, closing: ExitStack) -> None:
        self._http = http
        self._place = place
        self._closing = closing

    @classmethod
    def open(cls, server: str | None, token: str | None, data_directory: Path) -> Self:
        """Make ready to ask a server: `http://HOST:PORT`, `https://...`, or the path of a socket.

        None: what DAYFLY_SERVER says, else the socket in the data directory; the token is taken from DAYFLY_TOKEN.
        Nothing is sent yet. Raises InvalidOption, or ServerUnreachable if nobody listens on the socket.
        """
        place = server or os.environ.get("DAYFLY_SERVER") or str(_socket_of(data_directory))
        token = token or os.environ.get("DAYFLY_TOKEN") or None
        headers = {"User-Agent": f"dayfly/{__version__}"}
        if token:
            headers["Authorization"] = f"Bearer {_plain(token)}"
        with ExitStack() as stack:
            transport, base = _transport(place, stack)
            timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
            http = httpx.Client(
                base_url=base,
                transport=transport,
                headers=headers,
                timeout=timeout,
                trust_env=False,
                follow_redirects=False,
            )
            stack.enter_context(http)
            return cls(http, place, stack.pop_all())

    def close(self) -> None:
        """Close the connection."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, path: str, **options: object) -> Json:
        """Read something."""
        return self._ask("GET", path, options)[0]

    def read_tagged(self, path: str) -> tuple[Any, str]:
        """Read something with its tag, for a change that must not undo somebody else's."""
        return self._ask("GET", path, {})

    def change(self, method: str, path: str, body: object = None, *, tag: str | None = None, why: str = "") -> Json:
        """Ask for a change; `tag`: of what was read before."""
        headers = {"If-Match": tag} if tag else {}
        return self._ask(method, path, {"why": why}, json=body, headers=headers)[0]

    def deploy(self, name: str, source: Source, *, why: str = "", canary: float | None = None) -> Json:
        """Deploy a source; returns when the new release answers."""
        return self._ask(
            "POST",
            f"/v1/tenants/{name}/deploys",
            {"why": why, "canary": canary},
            content=archive_of(source),
            headers={"Content-Type": "application/x-tar"},
            timeout=httpx.Timeout(DEPLOY_SECONDS, connect=CONNECT_SECONDS),
        )[0]

    def events(self, path: str, **options: object) -> Iterator[tuple[str, Any]]:
        """Give the events of a log as they come: kind and data."""
        timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
        with self._reaching(), self._http.stream("GET", path, params=_given(options), timeout=timeout) as answer:
            if answer.is_error:
                answer.read()
                raise _refusal(answer)
            kind = ""
            for line in answer.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    kind = value
                elif field == "data":
                    yield kind, json.loads(value)

    def _ask(self, method: str, path: str, options: Mapping[str, object], **rest: Any) -> tuple[Any, str]:  # noqa: ANN401 - httpx
        if rest.get("json", ...) is None:
            del rest["json"]
        with self._reaching():
            answer = self._http.request(method, path, params=_given(options), **rest)
        if answer.is_error:
            raise _refusal(answer)
        try:
            return answer.json() if answer.content else None, answer.headers.get("ETag", "")
        except ValueError:
            raise ServerRefused(f"what answers at `{self._place}` is not a dayfly server; see --server") from None

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException:
            raise ServerUnreachable(f"the server at `{self._place}` does not answer in time; look at its log") from None
        except httpx.TransportError as error:
            raise _unreachable(self._place, error) from None


def archive_of(source: Source) -> bytes:
    """Return a source as the archive that is sent, with the time of its last change."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in source.files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), source.modified_s
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _socket_of(data_directory: Path) -> Path:
    """Return the socket of a data directory; one with a relative name may also stand beside a directory above this one.

    There only a socket of our own counts: who can write above must not be sent what is meant for our server.
    """
    here = data_directory / SOCKET_NAME
    if data_directory.is_absolute() or here.exists():
        return here
    above = [parent / here for parent in Path.cwd().parents]
    return next((path for path in above if _is_ours(path)), here)


def _is_ours(path: Path) -> bool:
    try:
        facts = path.lstat()
    except OSError:
        return False
    return stat.S_ISSOCK(facts.st_mode) and facts.st_uid == os.geteuid()


def _transport(place: str, stack: ExitStack) -> tuple[httpx.HTTPTransport, str]:
    """Return what reaches a server, and what its paths are appended to."""
    if "://" in place:
        if re.fullmatch(_URL, place):
            return httpx.HTTPTransport(), place.rstrip("/")
        raise InvalidOption(
            f"--server cannot be `{place}`; allowed: http://HOST:PORT, https://HOST, or a socket's path"
        )
    try:
        address = stack.enter_context(reachable(Path(place.removeprefix("unix:"))))
        # Tried first, because the library forgets to close a socket that cannot be connected.
        with socket.socket(socket.AF_UNIX) as trial:
            trial.settimeout(CONNECT_SECONDS)
            trial.connect(address)
    except OSError as error:
        raise _unreachable(place, error) from None
    return httpx.HTTPTransport(uds=address), "http://dayfly"


def _unreachable(place: str, error: Exception) -> ServerUnreachable:
    reason = getattr(error, "strerror", None) or error
    return ServerUnreachable(
        f"no server answers at `{place}` ({reason}); start it: dayfly serve; or see --server and --data-dir"
    )


def _plain(token: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidOption("--token has characters that no token has; look at how it was copied")
    return token


def _given(options: Mapping[str, object]) -> dict[str, str]:
    """Return the options of a query that have a value."""
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in options.items()
        if value not in {None, ""}
    }


def _refusal(answer: httpx.Response) -> DayflyError:
    """Return the error that the server had, as if it had happened here."""
    try:
        problem = answer.json()
        kind, detail, field = str(problem["kind"]), str(problem["detail"]), str(problem["field"])
    except (ValueError, KeyError, TypeError):
        return ServerRefused(f"the server answered {answer.status_code} {answer.reason_phrase}; see --server")
    if kind == InternalError.kind:
        return InternalError(f"{detail} ({problem.get('request_id')})")
    known = _KINDS.get(kind, ServerRefused)
    # What is wrong with an option there is wrong with what was sent; how this command was called is not.
    return known(detail, field=field) if known.exit_code is ExitCode.REFUSED else ServerRefused(detail, field=field)
