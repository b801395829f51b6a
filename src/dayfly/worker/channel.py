"""Messages between this process and a worker: JSON behind its length, over a pair of connected sockets.

A worker runs the programs of strangers, so that its words are checked like theirs: whoever sends what cannot be is
taken for gone.
"""

import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import MappingProxyType
from typing import Any, TypeVar

from dayfly import errors
from dayfly.core import LogRecord
from dayfly.errors import DayflyError, InternalError

PROTOCOL = 1
"""As in `dayfly_core::worker`."""

MESSAGE_BYTES_MAX = 64 << 20
"""What a worker may say at once, as in `dayfly_core::control`."""

ORDER_BYTES_MAX = 256 << 20
"""What it may be told at once, as there: one tenant always fits."""

SEND_SECONDS = 10
"""How long a worker may leave a message unread."""

LOOK_SECONDS = 1.0
"""How long an answer may take before the worker is asked for a sign of life, and then again."""

SILENT_SECONDS = 5.0
"""How long it may take to give one."""

_LENGTH = struct.Struct("<I")
_RECEIVE_BYTES = 1 << 18
_DIGITS = frozenset("0123456789abcdef")

_ERRORS = {
    kind.kind: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DayflyError)
}


_T = TypeVar("_T")


_NO_PARTS: Mapping[str, object] = MappingProxyType({})


def _nothing(result: object) -> None:
    if result is not None:
        raise ValueError


class WorkerGone(InternalError):
    """The worker ended, or said what cannot be, before it answered."""

    kind = "worker_gone"

    def __init__(self, text: str, reason: DayflyError | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        """What the worker ended with, in its own words."""


class Channel:
    """One end of the sockets; methods may be called from any thread."""

    def __init__(self, control: socket.socket, on_end: Callable[[], None]) -> None:
        """`control` is closed at the end. Raises RuntimeError, with it closed, if there can be no further thread."""
        self.hello: Future[str] = Future()
        """The worker's version, once it is ready for orders."""
        self.last_logs: list[LogRecord] = []
        """What the worker had logged when it ended."""
        self.reason: DayflyError | None = None
        """What it ended with."""
        self._control = control
        seconds = struct.pack("@ll", SEND_SECONDS, 0)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)
        self._on_end = on_end
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        self._asked: dict[int, tuple[Future[Any], Callable[[Any], Any]]] = {}
        self._last_id = 0
        self._ended = False
        self._thread = threading.Thread(target=self._listen, name="worker-control", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            control.close()
            raise

    def send(
        self,
        order: str,
        parts: Mapping[str, object] = _NO_PARTS,
        *,
        check: Callable[[Any], Any] = _nothing,
        descriptors: Sequence[int] = (),
    ) -> "Future[Any]":
        """Send an order; its answer comes later, at the latest with the worker's end.

        `check` makes of the result what is wanted, and raises ValueError or the like if it cannot be.
        """
        with self._lock:
            self._last_id += 1
            number, answer = self._last_id, Future[Any]()
            message = json.dumps({"id": number, "order": {order: dict(parts)}}, ensure_ascii=False).encode()
            if len(message) > ORDER_BYTES_MAX:
                raise InternalError(f"an order to a worker has {len(message)} octets")
            if self._ended:
                answer.set_exception(self._gone())
                return answer
            self._asked[number] = answer, check
        try:
            with self._sending:
                self._write(_LENGTH.pack(len(message)) + message, descriptors)
        except OSError:
            self.end()
        return answer

    def ask(self, order: str, check: Callable[[Any], _T], parts: Mapping[str, object] = _NO_PARTS) -> _T:
        """Send an order and wait for its answer. Raises WorkerGone, or what the worker says."""
        result: _T = self.wait(self.send(order, parts, check=check))
        return result

    def wait(self, answer: "Future[_T]") -> _T:
        """Wait for an answer as long as the worker, which may work on it for long, gives signs of life.

        One that gives none is left. Raises WorkerGone, or what the worker says.
        """
        while True:
            try:
                return answer.result(LOOK_SECONDS)
            except TimeoutError:
                sign = self.send("stats", check=to_stats)
                if not wait([answer, sign], SILENT_SECONDS, FIRST_COMPLETED).done:
                    self.end()

    def leave(self) -> int:
        """Give up the socket, open as it is; nothing must be on its way in either direction.

        If the worker has just ended, it is one from which nothing comes.
        """
        with self._lock:
            if not self._ended:
                return os.dup(self._control.fileno())
        ours, theirs = socket.socketpair()
        theirs.close()
        return ours.detach()

    def end(self) -> None:
        """Hear and say no more; the worker drains and leaves."""
        try:
            self._control.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the other side was faster

    def _write(self, octets: bytes, descriptors: Sequence[int]) -> None:
        sent = socket.send_fds(self._control, [octets], descriptors) if descriptors else 0
        self._control.sendall(octets[sent:])

    # ---- what the worker says ----

    def _listen(self) -> None:
        try:
            while (message := self._next()) is not None:
                self._hear(json.loads(message))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self.reason = self.reason or InternalError(f"the worker said what cannot be: {type(error).__name__}")
        finally:
            with self._lock:
                self._ended = True
                asked, self._asked = list(self._asked.values()), {}
            for answer in [self.hello, *(answer for answer, _ in asked)]:
                if not answer.done():
                    answer.set_exception(self._gone())
            self._control.close()
            self._on_end()

    def _next(self) -> bytes | None:
        """Return the next message; None at the end. Takes no more memory than octets have come."""
        head = self._read(_LENGTH.size)
        if head is None:
            return None
        (length,) = _LENGTH.unpack(head)
        if length > MESSAGE_BYTES_MAX:
            raise ValueError
        return self._read(length)

    def _read(self, count: int) -> bytes | None:
        octets = bytearray()
        while len(octets) < count:
            more = self._control.recv(min(count - len(octets), _RECEIVE_BYTES))
            if not more:
                return None
            octets += more
        return bytes(octets)

    def _hear(self, message: dict[str, Any]) -> None:
        ((kind, parts),) = message.items()
        if kind == "hello":
            self._greet(parts["protocol"], parts["version"])
        elif kind == "done":
            answer, check = self._asked[parts["id"]]
            result = check(parts["result"])  # before it counts as answered
            answer.set_result(result)
            self._forget(parts["id"])
        elif kind == "failed":
            error = to_error(parts["error"])
            self._asked[parts["id"]][0].set_exception(error)
            self._forget(parts["id"])
        elif kind == "ended":
            self.last_logs = to_records(parts["logs"])
            self.reason = to_error(parts["error"]) if parts["error"] else None
        else:
            raise ValueError

    def _greet(self, protocol: int, version: str) -> None:
        if protocol != PROTOCOL:
            self.reason = InternalError(
                f"the installed version of dayfly, {version!r}, is not the one that runs; dayfly upgrade"
            )
            raise ValueError
        self.hello.set_result(version)

    def _forget(self, number: int) -> None:
        with self._lock:
            del self._asked[number]

    def _gone(self) -> WorkerGone:
        return WorkerGone("the worker has ended" if self.reason is None else str(self.reason), self.reason)


def to_error(error: dict[str, str]) -> DayflyError:
    """Return what a worker reports as an error of the tree."""
    return _ERRORS.get(error["kind"], InternalError)(str(error["text"]))


def to_records(logs: list[dict[str, Any]]) -> list[LogRecord]:
    """Return log lines whose parts are what they must be; raises ValueError or TypeError else."""
    records = [LogRecord(**record) for record in logs]
    for record in records:
        texts = (record.tenant, record.release, record.request_id, record.text)
        sound = all(type(text) is str for text in texts) and type(record.time_s) in {int, float}
        if not sound or record.level not in range(5) or not _DIGITS.issuperset(record.release):
            raise ValueError
    return records


def to_polled(polled: dict[str, Any]) -> tuple[list[int], list[LogRecord]]:
    """Return the beats of the I/O threads, and log lines; raises ValueError if they are not."""
    beats = polled["beats"]
    if not isinstance(beats, list) or not all(isinstance(beat, int) for beat in beats):
        raise ValueError
    return beats, to_records(polled["logs"])


def to_refused(answers: list[dict[str, Any]]) -> dict[str, DayflyError]:
    """Return what was not published, and why."""
    return {str(answer["name"]): to_error(answer["error"]) for answer in answers}


def to_stats(result: dict[str, Any]) -> dict[str, Any]:
    """Return counters; raises ValueError or the like if they are none."""
    if not isinstance(result["log_dropped"], int):
        raise ValueError  # noqa: TRY004 - as with everything that a worker says
    return result
