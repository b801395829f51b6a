"""What stands for threads, of which a sandbox has one: functions for other threads run at once, in this one.

They run as they would there: outside of the event loop, in a copy of the context where a copy is what they get.
"""

import asyncio
import concurrent.futures.thread
import contextvars
import sys
from asyncio import events, tasks
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


def call(function: Callable[..., Any], *args: Any, **named: Any) -> Any:  # noqa: ANN401 - any function
    """Call a function with no event loop running, as in another thread."""
    loop = events._get_running_loop()  # noqa: SLF001 - the only way to leave it for a while
    if loop is None:
        return function(*args, **named)
    task = swap_task(loop, None)
    events._set_running_loop(None)  # noqa: SLF001 - likewise
    try:
        return function(*args, **named)
    finally:
        events._set_running_loop(loop)  # noqa: SLF001 - likewise
        swap_task(loop, task)


def swap_task(loop: asyncio.AbstractEventLoop, task: Any) -> Any:  # noqa: ANN401 - a task or None
    """Make another task the current one; return the one that was."""
    swap = getattr(tasks, "_swap_current_task", None)
    if swap is not None:
        return swap(loop, task)
    before = asyncio.current_task(loop)
    if before is not None:
        tasks._leave_task(loop, before)  # noqa: SLF001 - Python 3.11 has no better
    if task is not None:
        tasks._enter_task(loop, task)  # noqa: SLF001 - likewise
    return before


def submit(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - any function
    """Run a function and return its result as a future that is done; in place of `ThreadPoolExecutor.submit`."""
    if self._shutdown:
        raise RuntimeError("cannot schedule new futures after shutdown")
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    try:
        future.set_result(call(fn, *args, **kwargs))
    except Exception as error:  # noqa: BLE001 - it belongs to whoever asks for the result
        future.set_exception(error)
    return future


async def run_sync_in_worker_thread(
    cls: type,
    func: Callable[..., Any],
    args: tuple[Any, ...],
    abandon_on_cancel: bool = False,  # noqa: FBT001, FBT002 - anyio's signature
    limiter: object = None,
) -> Any:  # noqa: ANN401 - what the function returns
    """Run a function; in place of anyio's method of that name."""
    del cls, abandon_on_cancel, limiter
    return contextvars.copy_context().run(call, func, *args)


def install() -> None:
    """Put these in place, also in anyio if the program has it."""
    concurrent.futures.thread.ThreadPoolExecutor.submit = submit  # type: ignore[method-assign, assignment] # on purpose
    if "anyio" in sys.modules:
        from anyio._backends import _asyncio  # type: ignore[import-not-found, unused-ignore] # noqa: PLC0415 - if the program has it

        setattr(_asyncio.AsyncIOBackend, run_sync_in_worker_thread.__name__, classmethod(run_sync_in_worker_thread))
