"""One worker process: started, told what is published, set to serve, ended."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dayfly.config import Tenant
from dayfly.confinement import Policy
from dayfly.core import Canary, CoreOptions, LogRecord, ServerOptions, to_json, to_spec
from dayfly.errors import DayflyError, InternalError, SystemRefused
from dayfly.log import logger
from dayfly.worker.channel import Channel, WorkerGone, to_refused
from dayfly.worker.estate import Estate
from dayfly.worker.sockets import Sockets

END_SECONDS = 1
"""How long a process may take from its last word to its end."""

START_SECONDS = 60.0
"""How long a worker may take until it takes orders."""

BATCH_BYTES = 1 << 20
"""Of the tenants published with one message; one that is larger has a message of its own."""

_PROGRAM = """
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
from dayfly import _core
if sys.argv[2]:
    _core.confine(sys.argv[2])
_core.run_worker(sys.argv[1])
"""
"""Orders come over the socket alone: signals are sent to whole groups of processes, and meant for the supervisor."""

_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "RUST_BACKTRACE")
"""What a worker may know of the supervisor's environment, which may hold keys."""


@dataclass(frozen=True)
class Published:
    """What answers for a tenant."""

    tenant: Tenant
    release: Path
    secrets: Mapping[str, str] = field(repr=False)
    canary: Canary | None = None

    def to_order(self) -> dict[str, Any]:
        """Return it as the worker reads it."""
        return {
            "tenant": to_spec(self.tenant, self.secrets, self.canary),
            "release": str(self.release.absolute()),
        }


class Worker:
    """A running process; methods may be called from any thread."""

    def __init__(
        self, options: CoreOptions, keep: Iterable[int], policy: Policy | None, on_end: Callable[["Worker"], None]
    ) -> None:
        """Start it. `keep`: descriptors that it holds open as long as it lives; `policy`: what it gives up.

        Raises SystemRefused.
        """
        # Code that a worker writes would run in the next one.
        native = {**json.loads(to_json(options)), "reads_code_only": policy is not None}
        words = [sys.executable, "-P", "-c", _PROGRAM, json.dumps(native), json.dumps(asdict(policy)) if policy else ""]
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            with theirs:
                # First: where no process comes of it, the channel ends as if one had.
                self.channel = Channel(ours, lambda: on_end(self))
                self.process = subprocess.Popen(
                    words,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env={name: value for name, value in os.environ.items() if name in _ENVIRONMENT},
                    pass_fds=tuple(keep),
                    start_new_session=True,
                )
        except (OSError, RuntimeError) as error:  # of descriptors, processes or threads there are no more
            raise SystemRefused(f"cannot start a worker: {error}") from None
        self._known: dict[str, Published] = {}
        self.refused: dict[str, DayflyError] = {}
        """Tenants that are in the book and that this worker could not serve when it followed that last."""
        self._turn = threading.Lock()

    def wait_ready(self) -> None:
        """Wait until it takes orders. Raises what it could not start for, or InternalError."""
        if not wait([self.channel.hello], START_SECONDS).done:
            raise InternalError(f"it takes no orders after {START_SECONDS:g} s")
        self._wait(self.channel.hello)

    def publish(self, one: Published) -> None:
        """Publish one release. Raises what the worker says, or WorkerGone."""
        with self._turn:
            if self._known.get(one.tenant.name) is one:
                return
            for error in self.channel.ask("publish", to_refused, {"tenants": [one.to_order()]}).values():
                raise error
            self._known[one.tenant.name] = one
            self.refused.pop(one.tenant.name, None)

    def retire(self, name: str) -> None:
        """Take a tenant away. Raises WorkerGone."""
        with self._turn:
            self._retire([name])

    def follow(self, book: Callable[[], dict[str, Published] | None]) -> None:
        """Publish what the book has and this worker has not, and the other way round; `refused` has what cannot be.

        None: it is not to follow the book any more. `book` is read when nobody else can give this worker orders.
        """
        with self._turn:
            wanted = book()
            if wanted is None:
                return
            if extra := [name for name in self._known if name not in wanted]:
                self._retire(extra)
            missing = [one for name, one in wanted.items() if self._known.get(name) is not one]
            self.refused = self._publish(missing)
            if self.refused:
                # A host may have gone from one to another by way of a third state, which this worker has not seen.
                self._retire([one.tenant.name for one in missing])
                self.refused = self._publish(missing)

    def _retire(self, names: list[str]) -> None:
        self.channel.ask("retire", to_refused, {"names": names})
        for name in names:
            self._known.pop(name, None)
            self.refused.pop(name, None)

    def _publish(self, many: list[Published]) -> dict[str, DayflyError]:
        refused: dict[str, DayflyError] = {}
        for batch in in_batches(many):
            failed = self.channel.ask("publish", to_refused, {"tenants": [one.to_order() for one in batch]})
            self._known.update({one.tenant.name: one for one in batch if one.tenant.name not in failed})
            refused.update(failed)
        return refused

    def serve(self, sockets: Sockets, options: ServerOptions) -> None:
        """Have it serve; returns once it does. Raises what the worker says."""
        order = {"options": json.loads(to_json(options))}
        self._wait(self.channel.send("serve", order, descriptors=sockets.descriptors))

    def _wait(self, answer: "Future[Any]") -> None:
        """Wait for an answer. Raises what the worker said last, rather than that it is gone."""
        try:
            self.channel.wait(answer)
        except WorkerGone as gone:
            raise gone.reason or gone from None

    def kill(self) -> None:
        """End it at once, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def how_it_ended(self) -> str:
        """Say how it ended, once it says no more; one that lives on is no use to anybody."""
        reason = f": {self.channel.reason}" if self.channel.reason else ""
        try:
            code = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"is not to be trusted{reason}"
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with status {code}{reason}"


class Predecessor:
    """The worker of the supervisor that this process was before: it is to finish what it has begun."""

    def __init__(self, estate: Estate) -> None:
        self._process = estate.process
        self._gone = threading.Event()
        self._channel = Channel(estate.control_socket(), self._gone.set)

    def finish(self, seconds: float) -> list[LogRecord]:
        """Have it drain now that another one serves; wait for its end, or end it. Return what it had logged."""
        self._channel.send("hand_over")
        left = END_SECONDS if self._gone.wait(seconds) else 0
        # If it ended just before the upgrade, the version before may have collected it.
        with suppress(ProcessLookupError, ChildProcessError):
            if not _has_ended(self._process, left):
                logger.error("the worker of the version before, process %d, does not end; it is killed", self._process)
                os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
        return self._channel.last_logs


def _has_ended(process: int, seconds: float) -> bool:
    """Wait for the end of a process; tell whether it came. Raises ProcessLookupError."""
    descriptor = os.pidfd_open(process)
    try:
        ends = select.poll()
        ends.register(descriptor, select.POLLIN)
        return bool(ends.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def in_batches(many: Iterable[Published]) -> Iterator[list[Published]]:
    """Cut what is to be published into messages. Octets decide: a tenant has a few hundred, or its secrets."""
    batch: list[Published] = []
    octets = 0
    for one in many:
        more = len(json.dumps(one.to_order()))  # all of it ASCII, so never less than what is sent
        if batch and octets + more > BATCH_BYTES:
            yield batch
            batch, octets = [], 0
        batch.append(one)
        octets += more
    if batch:
        yield batch
