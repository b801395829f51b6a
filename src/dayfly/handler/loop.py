"""An event loop for a world in which nothing comes from outside while a request is answered.

It has a queue of what is ready and a heap of timers; no sockets, no selector, no threads. If nothing is ready it waits
for the next timer, and if there is none, nothing will ever wake what it runs: that is an error that names the await.

While a program is frozen time is the loop's own: timers are due as soon as nothing else is to be done, so that waiting
costs nothing, and no clock is read. A request goes on from that time, however long ago it was.
"""

import asyncio
import errno
import gc
import heapq
import linecache
import sys
from asyncio import events
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterator
from contextvars import Context
from types import FrameType
from typing import Any, NoReturn, TypeVar

from . import host, inline
from .failure import is_own

T = TypeVar("T")

HAS_EAGER_TASKS = sys.version_info >= (3, 12)

RESOLUTION_S = 0.001
"""Of the host's clock: a timer that is due within it is due."""

TASKS_SHOWN_MAX = 10
"""Of those that wait forever; a message is read by a person."""


REFUSED: list[tuple[str, Callable[[str], Exception], str]] = [
    (
        "a sandbox has no network",
        lambda text: OSError(errno.ENETUNREACH, text),
        (
            "add_reader add_writer remove_reader remove_writer connect_accepted_socket create_connection"
            " create_datagram_endpoint create_server create_unix_connection create_unix_server getaddrinfo getnameinfo"
            " sendfile sock_accept sock_connect sock_recv sock_recv_into sock_recvfrom sock_recvfrom_into sock_sendall"
            " sock_sendfile sock_sendto start_tls"
        ),
    ),
    (
        "a sandbox cannot start processes",
        lambda text: OSError(errno.ENOTSUP, text),
        "connect_read_pipe connect_write_pipe subprocess_exec subprocess_shell",
    ),
    ("a sandbox gets no signals", NotImplementedError, "add_signal_handler remove_signal_handler"),
]
"""Methods of an event loop that cannot work: why, and with what exception, which is the one that libraries expect."""


class Stalled(RuntimeError):
    """What is awaited can never happen."""


def refused(name: str, why: str, error: Callable[[str], Exception]) -> Callable[..., NoReturn]:
    """Return a method that says why it does not work."""

    def method(self: object, *args: object, **named: object) -> NoReturn:
        del self, args, named
        raise error(f"`{name}` does not work here: {why}")

    method.__name__ = name
    return method


_Refusing: Any = type(
    "_Refusing",
    (asyncio.AbstractEventLoop,),
    {name: refused(name, why, error) for why, error, names in REFUSED for name in names.split()},
)


class Loop(_Refusing):  # type: ignore[misc] # its base is made of a table
    """Runs coroutines until they are done, as asyncio's does."""

    def __init__(self) -> None:
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[asyncio.TimerHandle] = []
        self._now_s = 0.0
        self._origin_ns: int | None = None
        self._is_running = False
        self._is_closed = False
        self._is_stopping = False
        self._debug = False
        self._generators: dict[int, AsyncGenerator[Any, Any]] = {}
        self._task_factory: Any = None
        self._handle_exception: Any = None
        self.forgotten: set[object] = set()

    # -- time

    def time(self) -> float:
        """Seconds since some moment; while freezing only the loop's own waits count."""
        if host.freezing():
            return self._now_s
        now_ns = host.clock(host.STEADY_TIME)
        if self._origin_ns is None:
            self._origin_ns = now_ns
        return self._now_s + (now_ns - self._origin_ns) / 1e9

    def _wait(self) -> None:
        """Wait for the next timer."""
        delay_s = self._timers[0].when() - self.time()
        if delay_s <= 0:
            return
        if host.freezing():
            self._now_s += delay_s
        else:
            host.sleep(int(delay_s * 1e9) + 1)

    # -- what is to be done

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - any function
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Call a function after those that are ready."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # there is one thread

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - any function
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call a function after so many seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - any function
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call a function at a moment of the loop's time."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, timer)
        timer._scheduled = True  # type: ignore[attr-defined] # noqa: SLF001 - what asyncio's own loops note there
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled timer leaves when its time has come."""

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        **options: Any,  # noqa: ANN401 - as Task takes them
    ) -> asyncio.Task[T]:
        """Have a coroutine run beside others."""
        self._check_closed()
        if self._task_factory is not None:
            made: asyncio.Task[T] = self._task_factory(self, coro, **options)
            return made
        return asyncio.Task(coro, loop=self, **options)

    def forget(self, task: "asyncio.Task[Any]") -> None:
        """Say nothing of a task that waits to the end: it is meant to, or enough was said."""
        self.forgotten.add(task)
        task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001 - there is no other way to say so

    def set_task_factory(self, factory: Any) -> None:  # noqa: ANN401 - callable or None
        """Have tasks made by somebody else."""
        self._task_factory = factory

    def get_task_factory(self) -> Any:  # noqa: ANN401 - callable or None
        """Return who makes tasks."""
        return self._task_factory

    # -- running

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, its first step at once; asynchronous generators that it left open are closed."""
        self._check_closed()
        leave = self._enter()
        try:
            if HAS_EAGER_TASKS:
                task = asyncio.Task(coroutine, loop=self, eager_start=True)  # type: ignore[call-arg] # newer than the oldest Python
            else:
                task = asyncio.Task(coroutine, loop=self)
            try:
                while not task.done():
                    self._turn(task)
            except BaseException:
                self.forget(task)
                raise
            if self._generators:
                self._finish(self.shutdown_asyncgens())
            return task.result()
        finally:
            leave()

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run until a future is done."""
        self._check_closed()
        leave = self._enter()
        try:
            return self._finish(future)
        finally:
            leave()

    def _finish(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        made = asyncio.ensure_future(future, loop=self)  # type: ignore[arg-type, unused-ignore] # as asyncio does
        while not made.done():
            self._turn(made)
            if self._is_stopping:
                self._is_stopping = False
                raise RuntimeError("the event loop was stopped before the future was done")
        return made.result()  # type: ignore[return-value, unused-ignore] # likewise

    def run_forever(self) -> None:
        """Run until `stop` is called."""
        leave = self._enter()
        try:
            while not self._is_stopping:
                self._turn(None)
            self._is_stopping = False
        finally:
            leave()

    def _enter(self) -> Callable[[], None]:
        if events._get_running_loop() is not None:  # noqa: SLF001 - as asyncio's own loops do
            raise RuntimeError("an event loop is running already; await the coroutine instead")
        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(self._generator_starts, self._generator_is_dropped)
        events._set_running_loop(self)  # noqa: SLF001 - likewise
        self._is_running = True

        def leave() -> None:
            self._is_running = False
            events._set_running_loop(None)  # noqa: SLF001 - likewise
            sys.set_asyncgen_hooks(*before)

        return leave

    def _turn(self, awaited: object) -> None:
        """Do what is ready now; if nothing is, wait until something is."""
        timers, ready = self._timers, self._ready
        while timers and timers[0].cancelled():
            heapq.heappop(timers)
        if not ready:
            if not timers:
                raise Stalled(stalled(self, awaited))
            self._wait()
        if timers:
            due = self.time() + RESOLUTION_S
            while timers and timers[0].when() <= due:
                timer = heapq.heappop(timers)
                if not timer.cancelled():
                    ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001 - as asyncio's own loops do

    def stop(self) -> None:
        """Leave `run_forever` after what is ready now."""
        self._is_stopping = True

    def is_running(self) -> bool:
        """Tell whether this loop is what runs."""
        return self._is_running

    def is_closed(self) -> bool:
        """Tell whether `close` was called."""
        return self._is_closed

    def close(self) -> None:
        """Forget everything."""
        if self._is_running:
            raise RuntimeError("a running event loop cannot be closed")
        self._is_closed = True
        self._ready.clear()
        self._timers.clear()

    def _check_closed(self) -> None:
        if self._is_closed:
            raise RuntimeError("the event loop is closed")

    # -- asynchronous generators

    def _generator_starts(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._generators[id(generator)] = generator

    def _generator_is_dropped(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._generators.pop(id(generator), None)
        self.create_task(generator.aclose())

    async def shutdown_asyncgens(self) -> None:
        """Close those that were begun and not finished."""
        generators = [generator for generator in self._generators.values() if not is_finished(generator)]
        self._generators.clear()
        for generator in generators:
            await generator.aclose()

    # -- threads

    def run_in_executor(self, executor: object, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # noqa: ANN401 - any function
        """Run a function now, in place of another thread."""
        del executor
        future = self.create_future()
        try:
            future.set_result(inline.call(func, *args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the result
            future.set_exception(error)
        return future

    def set_default_executor(self, executor: object) -> None:
        """Accept one, which is not used."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's signature
        """There is none."""

    # -- errors

    def get_debug(self) -> bool:
        """Tell whether debugging is on."""
        return self._debug

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001 - asyncio's signature
        """Switch debugging on or off."""
        self._debug = enabled

    def set_exception_handler(self, handler: Any) -> None:  # noqa: ANN401 - callable or None
        """Have errors that nobody can catch handled by somebody else."""
        self._handle_exception = handler

    def get_exception_handler(self) -> Any:  # noqa: ANN401 - callable or None
        """Return who handles errors that nobody can catch."""
        return self._handle_exception

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Handle an error that nobody can catch."""
        if self._handle_exception is not None:
            self._handle_exception(self, context)
        else:
            self.default_exception_handler(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Log it."""
        from .failure import failure  # noqa: PLC0415 - when something went wrong

        error = context.get("exception")
        if isinstance(error, SystemExit | KeyboardInterrupt):
            return  # they leave the loop, and whoever runs it has them
        text = context.get("message") or "an error that nobody caught"
        host.log(host.ERROR, f"{text}\n{failure(error)}" if error else text)


def is_finished(generator: AsyncGenerator[Any, Any]) -> bool:
    """Tell whether nothing is left to run of it."""
    return getattr(generator, "ag_frame", None) is None


# -- what is waited for


def stalled(loop: Loop, awaited: object) -> str:
    """Say where everything waits: what is run first, then its helpers from the oldest on."""
    tasks = [task for task in asyncio.all_tasks(loop) if task not in loop.forgotten]
    tasks.sort(key=lambda task: (task is not awaited, len(task.get_name()), task.get_name()))
    waiting = [frames for task in tasks if (frames := list(frames_of(task.get_coro())))]
    # What only machinery waits for is shown if there is nothing else.
    theirs = [frames for frames in waiting if not all(map(is_machinery, frames))] or waiting
    if not theirs:
        return "nothing is left that could wake what is awaited"
    for task in tasks:
        loop.forget(task)
    text = f"nothing will wake what is awaited at {shown(theirs[0])}"
    for frames in theirs[1:TASKS_SHOWN_MAX]:
        text += f"\n    nor at {shown(frames)}"
    return text


def frames_of(awaited: Any) -> Iterator[FrameType]:  # noqa: ANN401 - anything that can be awaited
    """Yield the frames that wait for one another, the outermost first."""
    while awaited is not None:
        for prefix, link in (("cr", "cr_await"), ("ag", "ag_await"), ("gi", "gi_yieldfrom")):
            frame = getattr(awaited, f"{prefix}_frame", None)
            if frame is not None:
                yield frame
                awaited = getattr(awaited, link)
                break
        else:
            awaited = inner(awaited)


def inner(awaited: object) -> object:
    """Return what stands behind an object that C made for an await, such as that of `async for`."""
    if isinstance(awaited, asyncio.Future):
        return None
    for other in gc.get_referents(awaited):
        if any(hasattr(other, name) for name in ("cr_frame", "ag_frame", "gi_frame")):
            return other
    return None


def shown(frames: list[FrameType]) -> str:
    """Name the innermost line that is not asyncio's or ours."""
    theirs = [frame for frame in frames if not is_machinery(frame)] or frames
    frame = theirs[-1]
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    place = f"{frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_name}"
    return f"{place}: `{line}`" if line else place


def is_machinery(frame: FrameType) -> bool:
    """Tell whether a frame only leads to what a program awaits."""
    module = frame.f_globals.get("__name__")
    return is_own(module) or str(module).partition(".")[0] in {"asyncio", "anyio"}


def install() -> None:
    """Have `asyncio.run` and `asyncio.new_event_loop` make loops of this kind."""
    base: Any = getattr(events, "_BaseDefaultEventLoopPolicy", None) or events.BaseDefaultEventLoopPolicy
    policy = type("Policy", (base,), {"_loop_factory": Loop, "__module__": __name__})
    set_policy: Any = getattr(events, "_set_event_loop_policy", None) or events.set_event_loop_policy
    set_policy(policy())
