"""`WorkerCore`: a core whose data plane is a process of its own, watched and replaced.

What is published stands in a book here. A worker that takes over is brought to what the book says before it serves; a
spare one follows the book as it changes, so that taking over is one message.
"""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from sys import getsizeof
from typing import Any

from dayfly.config import Limits, SampleRequest, Tenant
from dayfly.confinement import Policy
from dayfly.core import NO_SECRETS, Canary, CoreOptions, Freezers, LogRecord, Rehearsed, ServerOptions, Snapshot
from dayfly.errors import DayflyError, InternalError, InvalidOption, SystemRefused
from dayfly.log import logger
from dayfly.worker.channel import WorkerGone, to_polled, to_stats
from dayfly.worker.estate import Estate
from dayfly.worker.process import Predecessor, Published, Worker
from dayfly.worker.sockets import Sockets

LOG_BYTES_MAX = 64 << 20
"""Log lines that may wait here, as they lie in memory: eight times the text that waits in a worker."""

ATTEMPTS = 3
"""Workers that may end over one order before it is taken for the reason."""


@dataclass(frozen=True)
class Watch:
    """When a worker is taken for lost, and how soon the next one starts. In seconds."""

    poll: tuple[float, float] = (0.05, 0.25)
    """Between two looks at it: the first value after log lines, then doubling up to the second."""
    stuck: float = 1.0
    """An I/O thread that works on without looking up: twenty times what a request may use by default (50 ms of CPU)."""
    looks: int = 4
    """Looks that must have found it so: a machine that stood still is no thread that hangs."""
    silent: float = 5.0
    """A worker that does not answer."""
    drain: float = 15.0
    """A worker that should have finished: its own limit is 12 s."""
    soon: float = 5.0
    """A worker that ended sooner after it began to serve did not really serve."""
    backoff: tuple[int, float, float] = (3, 0.2, 10.0)
    """So many of these in a row are replaced at once; then after the second value, doubling up to the third."""
    patience: float = 60.0
    """How long an order waits for a worker."""


@dataclass
class _Pulse:
    """What the looks at one worker have found."""

    asked: float | None = None
    """Since when an answer is awaited."""
    beats: list[int] = field(default_factory=list)
    still: list[tuple[float, int]] = field(default_factory=list)
    """For each thread, since when and in how many looks it has been working on the same thing."""

    def take(self, beats: list[int], now: float) -> None:
        """Compare with the last look; an odd number is a thread that works."""
        if len(beats) != len(self.beats):
            self.still = [(now, 0)] * len(beats)
        else:
            self.still = [
                (since, looks + 1) if beat == before and beat % 2 else (now, 0)
                for beat, before, (since, looks) in zip(beats, self.beats, self.still, strict=True)
            ]
        self.beats = beats

    def trouble(self, watch: Watch, now: float) -> str:
        """Say what is wrong; nothing, if nothing is."""
        if self.asked is not None and now - self.asked > watch.silent:
            return f"has not answered for {watch.silent:g} s"
        for thread, (since, looks) in enumerate(self.still):
            if now - since > watch.stuck and looks >= watch.looks:
                return f"hangs in I/O thread {thread} for {watch.stuck:g} s"
        return ""


class _Log:
    """What was logged and not taken yet: so much, and what comes beyond it is dropped and counted."""

    def __init__(self) -> None:
        self.dropped = 0
        self._lock = threading.Lock()
        self._records: list[LogRecord] = []
        self._octets = 0

    def put(self, records: list[LogRecord]) -> None:
        """Add what a worker has logged."""
        with self._lock:
            for record in records:
                octets = sum(map(getsizeof, (record, vars(record), *vars(record).values())))
                if self._octets + octets > LOG_BYTES_MAX:
                    self.dropped += 1
                else:
                    self._octets += octets
                    self._records.append(record)

    def take(self) -> list[LogRecord]:
        """Take all."""
        with self._lock:
            records, self._records, self._octets = self._records, [], 0
            return records


@dataclass(frozen=True)
class _Gone:
    worker: Worker


@dataclass(frozen=True)
class _Polled:
    worker: Worker
    beats: list[int]
    records: list[LogRecord]


@dataclass(frozen=True)
class _Stop:
    pass


@dataclass(frozen=True)
class _Leave:
    pass


_Event = _Gone | _Polled | _Stop | _Leave


@contextmanager
def _killed_else(worker: Worker) -> Iterator[None]:
    """Kill a worker that did not do what it was to do: nobody will ask it again."""
    try:
        yield
    except BaseException:
        worker.kill()
        raise


class WorkerCore:
    """The data plane in a worker process. See `dayfly.core.Core` for what the methods do."""

    def __init__(  # noqa: PLR0913 - the parts of a server
        self,
        options: CoreOptions,
        freezers: Freezers,
        *,
        keep: Iterable[int] = (),
        watch: Watch | None = None,
        estate: Estate | None = None,
        policy: Policy | None = None,
    ) -> None:
        """Freezing and rehearsing are left to `freezers`; each worker holds the descriptors of `keep` open.

        `policy`: what each worker gives up before it meets a program. `estate`: what this process has served with as
        another version. Its worker goes when the new one serves.
        """
        self._policy = policy
        self._estate = estate
        self._left: queue.SimpleQueue[tuple[dict[str, Any], Worker] | None] = queue.SimpleQueue()
        self._leaving = False
        self._settled = threading.Event()
        self._options = options
        self._freezers = freezers
        self._keep = tuple(keep)
        self._watch = watch or Watch()
        self._book: dict[str, Published] = {}
        self._changed = threading.Condition()
        self._worker: Worker | None = None
        self._spare: Worker | None = None
        self._serving = False
        self._stopping = False
        self._wake_spare = threading.Event()
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._log = _Log()
        self._started = 0

    @property
    def process_id(self) -> int:
        """The process that serves; waits for it while it is replaced. Raises SystemRefused if there is none."""
        return self._present().process.pid

    def wait_for_spare(self, seconds: float) -> bool:
        """Wait until a spare worker is ready; tell whether one is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._spare is not None, seconds)

    # ---- before a release is published ----

    def freeze(self, wasm: bytes, limits: Limits) -> Snapshot:  # noqa: D102 - the protocol says it
        return self._freezers.freeze(wasm, limits)

    def freeze_on(self, parent: Path, bundle: bytes, limits: Limits) -> Snapshot:  # noqa: D102
        return self._freezers.freeze_on(parent, bundle, limits)

    def rehearse(  # noqa: D102
        self, release: Path, host: str, samples: Sequence[SampleRequest], secrets: Mapping[str, str]
    ) -> list[Rehearsed]:
        return self._freezers.rehearse(release, host, samples, secrets)

    # ---- orders to the worker that serves ----

    def publish(  # noqa: D102
        self,
        tenant: Tenant,
        release: Path,
        secrets: Mapping[str, str] = NO_SECRETS,
        canary: Canary | None = None,
    ) -> None:
        one, is_live = Published(tenant, release, dict(secrets), canary), False
        while not is_live:
            worker = self._order(lambda worker: worker.publish(one))
            with self._changed:
                # At the end: what took a host from another tenant comes after the release that gave it up.
                self._book.pop(tenant.name, None)
                self._book[tenant.name] = one
                # Else the next one may have read the book before.
                is_live = self._worker is worker
        self._wake_spare.set()

    def retire(self, name: str) -> None:  # noqa: D102
        with self._changed:
            if self._book.pop(name, None) is None:
                raise InvalidOption(f"there is no tenant `{name}`")
        self._order(lambda worker: worker.retire(name))
        self._wake_spare.set()

    def stats(self) -> dict[str, Any]:  # noqa: D102
        stats: dict[str, Any] = {}
        self._order(lambda worker: stats.update(worker.channel.ask("stats", to_stats)))
        dropped = stats["log_dropped"] + self._log.dropped
        return {**stats, "log_dropped": dropped, "workers_started": self._started}

    def logs(self) -> list[LogRecord]:  # noqa: D102
        return self._log.take()

    def stop(self) -> None:  # noqa: D102
        self._events.put(_Stop())

    def settle(self) -> None:
        """Before `leave`, wait until the worker of the version before, if there is one, has finished."""
        if self._estate and not self._settled.is_set():
            logger.info("the worker of the version before still answers; the upgrade waits for that")
            self._settled.wait(2 * self._watch.drain)

    def leave(self, lock: int) -> Estate | None:
        """Let `serve` return while its worker serves on; return what another version goes on with.

        Nobody may give orders any more. None: the server was stopped before. `lock`: that of the data directory.
        """
        self._events.put(_Leave())
        left = self._left.get()
        if left is None:
            return None
        bound, worker = left
        return Estate(os.dup(lock), bound, worker.process.pid, worker.channel.leave())

    def _order(self, act: Callable[[Worker], None]) -> Worker:
        """Have the worker do something, or the next one if it ends over it; return which one did."""
        for _ in range(ATTEMPTS):
            worker = self._present()
            try:
                act(worker)
                return worker  # noqa: TRY300 - the rest is for the other case
            except WorkerGone:
                with self._changed:
                    if self._worker is worker:
                        self._worker = None
        raise InternalError(f"{ATTEMPTS} workers have ended over one order; see the log")

    def _present(self) -> Worker:
        """Return the worker that serves, or will; wait for it while it is replaced."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._worker is not None or self._stopping or not self._serving, self._watch.patience
            )
            if self._worker is not None:
                return self._worker
            if self._stopping or self._serving:
                raise SystemRefused("no worker takes orders now; see the log of the server")
            self._worker = self._ready_worker()
            return self._worker

    # ---- the life of the workers ----

    def serve(self, options: ServerOptions, on_ready: Callable[[str, int], None]) -> None:  # noqa: D102
        sockets = Sockets(self._estate.bound) if self._estate else Sockets.bind(self._options, options)
        predecessor = Predecessor(self._estate) if self._estate else None
        spares = threading.Thread(target=self._keep_spare, name="spare-worker")
        try:
            worker = self._present()
            worker.serve(sockets, options)
            with self._changed:
                self._serving = True
            on_ready(sockets.host, sockets.port)
            spares.start()
            if predecessor:
                finishing = threading.Thread(target=self._finish, args=[predecessor], name="predecessor")
                finishing.start()
            self._keep_serving(worker, sockets, options)
        finally:
            self._end(sockets)
            if spares.ident:
                spares.join()

    def _finish(self, predecessor: Predecessor) -> None:
        self._log.put(self._own(predecessor.finish(self._watch.drain)))
        self._settled.set()

    def _end(self, sockets: Sockets) -> None:
        with self._changed:
            self._stopping = True
            worker, spare = self._worker, self._spare
            self._worker = self._spare = None
            self._changed.notify_all()
        self._wake_spare.set()
        if spare:
            spare.kill()
        if worker and self._leaving:
            self._left.put((sockets.leave(), worker))
            return
        sockets.close()
        if worker:
            worker.kill()
        self._left.put(None)

    def _keep_serving(self, worker: Worker, sockets: Sockets, options: ServerOptions) -> None:
        """Watch a worker that serves, and each that takes its place, until `stop`."""
        began, in_a_row = time.monotonic(), 0
        while (ended := self._watch_one(worker)) is not None:
            in_a_row = in_a_row + 1 if time.monotonic() - began < self._watch.soon else 1
            logger.error("worker process %d %s", worker.process.pid, ended)
            next_one = self._replace(sockets, options, in_a_row)
            if next_one is None:
                return
            worker, began = next_one, time.monotonic()
        if not self._leaving:
            self._drain(worker, sockets)

    def _watch_one(self, worker: Worker) -> str | None:
        """Look after a worker until it has ended, and say how; or until the server is to stop, or to be left."""
        pulse, (wait, longest) = _Pulse(), self._watch.poll
        while True:
            event = self._next_event(wait)
            now = time.monotonic()
            if isinstance(event, _Stop):
                self._leaving = False
                return None
            if isinstance(event, _Gone) and event.worker is worker:
                self._log.put(self._own(worker.channel.last_logs))
                return worker.how_it_ended()
            if isinstance(event, _Leave):
                self._leaving = True
            elif isinstance(event, _Gone):
                self._forget_spare(event.worker)
            elif isinstance(event, _Polled) and event.worker is worker:
                pulse.asked = None
                pulse.take(event.beats, now)
                self._log.put(self._own(event.records))
                if self._leaving:
                    return None  # it lives, and no message is on its way
                wait = self._watch.poll[0] if event.records else min(wait * 2, longest)
            if pulse.asked is None and (event is None or self._leaving):
                pulse.asked = now
                self._poll(worker)
            if trouble := pulse.trouble(self._watch, now):
                logger.error("worker process %d %s; it is ended", worker.process.pid, trouble)
                worker.kill()
                pulse = _Pulse()

    def _replace(self, sockets: Sockets, options: ServerOptions, in_a_row: int) -> Worker | None:
        """Have another worker serve. None: the server is to stop."""
        while True:
            if not self._pause(in_a_row):
                return None
            with self._changed:
                self._worker = None
                worker, self._spare = self._spare, None
            try:
                worker = worker or self._new_worker()
                self._follow(worker)
                with _killed_else(worker):
                    worker.serve(sockets, options)
            except DayflyError as error:
                logger.error("a new worker does not serve: %s", error)
                in_a_row += 1
                continue
            with self._changed:
                self._worker = worker
                self._changed.notify_all()
            self._wake_spare.set()
            logger.warning("worker process %d has taken over", worker.process.pid)
            for name, reason in worker.refused.items():
                logger.error("tenant %s: %s; until it is deployed again, nothing answers", name, reason)
            return worker

    def _pause(self, in_a_row: int) -> bool:
        """Wait before the next worker, if one after the other ends. False: the server is to stop."""
        free, first, longest = self._watch.backoff
        if in_a_row <= free:
            return True
        seconds = min(first * 2 ** min(in_a_row - free - 1, 30), longest)
        logger.error("%d workers have ended one after the other; the next starts in %.1f s", in_a_row, seconds)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            event = self._next_event(left)
            if isinstance(event, _Stop):
                return False
            if isinstance(event, _Leave):
                self._leaving = True
            if isinstance(event, _Gone):
                self._forget_spare(event.worker)
        return True

    def _drain(self, worker: Worker, sockets: Sockets) -> None:
        """Let the worker finish what is in flight. A second `stop` ends it at once."""
        with self._changed:
            self._stopping = True
            spare, self._spare = self._spare, None
            self._changed.notify_all()
        self._wake_spare.set()
        if spare:
            spare.kill()
        # Before the worker's: else connections would wait for nobody.
        sockets.close()
        worker.channel.send("stop")
        end = time.monotonic() + self._watch.drain
        while (left := end - time.monotonic()) > 0:
            event = self._next_event(min(left, self._watch.poll[1]))
            if isinstance(event, _Gone) and event.worker is worker:
                self._log.put(self._own(worker.channel.last_logs))
                ended = worker.how_it_ended()
                if worker.process.returncode:
                    logger.error("worker process %d %s", worker.process.pid, ended)
                return
            if isinstance(event, _Stop):
                worker.channel.send("stop")
                end = min(end, time.monotonic() + self._watch.silent)
            elif isinstance(event, _Polled):
                self._log.put(self._own(event.records))
            elif event is None:
                self._poll(worker)
        logger.error("worker process %d does not end; it is killed", worker.process.pid)

    def _next_event(self, seconds: float) -> _Event | None:
        try:
            return self._events.get(timeout=seconds)
        except queue.Empty:
            return None

    def _poll(self, worker: Worker) -> None:
        def answered(answer: "Future[Any]") -> None:
            if answer.exception() is None:
                self._events.put(_Polled(worker, *answer.result()))

        worker.channel.send("poll", check=to_polled).add_done_callback(answered)

    def _own(self, records: list[LogRecord]) -> list[LogRecord]:
        """Return those that a worker may write: a name that is no tenant's could be a path."""
        with self._changed:
            return [record for record in records if not record.tenant or record.tenant in self._book]

    # ---- making workers ----

    def _new_worker(self) -> Worker:
        worker = Worker(self._options, self._keep, self._policy, lambda worker: self._events.put(_Gone(worker)))
        self._started += 1
        with _killed_else(worker):
            worker.wait_ready()
        return worker

    def _ready_worker(self) -> Worker:
        worker = self._new_worker()
        self._follow(worker)
        return worker

    def _follow(self, worker: Worker) -> None:
        """Bring a worker to what the book says; a tenant for which that fails is not served by it."""
        with _killed_else(worker):
            worker.follow(self._published)

    def _follow_as_spare(self, worker: Worker) -> None:
        """Do so unless it has taken over: a publish may be at that worker already and not yet in the book."""
        with _killed_else(worker):
            worker.follow(lambda: self._published() if self._spare is worker else None)

    def _published(self) -> dict[str, Published]:
        with self._changed:
            return dict(self._book)

    def _keep_spare(self) -> None:
        """Have a second worker ready, and let it follow the book."""
        pause, longest = self._watch.backoff[1:]
        while True:
            self._wake_spare.clear()
            if self._stopping:
                return
            try:
                self._look_after_spare()
            except DayflyError as error:
                logger.error("no spare worker: %s; tried again in %.1f s", error, pause)
                self._wake_spare.wait(pause)
                pause = min(pause * 2, longest)
                continue
            pause = self._watch.backoff[1]
            self._wake_spare.wait()

    def _look_after_spare(self) -> None:
        with self._changed:
            spare = self._spare
        if spare:
            self._follow_as_spare(spare)
            return
        spare = self._ready_worker()
        with self._changed:
            if not self._stopping:
                self._spare = spare
                self._changed.notify_all()
                return
        spare.kill()

    def _forget_spare(self, worker: Worker) -> None:
        with self._changed:
            if self._spare is not worker:
                return
            self._spare = None
        logger.error("spare worker process %d %s", worker.process.pid, worker.how_it_ended())
        self._wake_spare.set()
