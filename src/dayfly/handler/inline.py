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
from importlib import import_module
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


def install() -> None:
    """Have thread pools, of which a sandbox has none, run functions at once."""
    concurrent.futures.thread.ThreadPoolExecutor.submit = submit  # type: ignore[method-assign, assignment] # on purpose


def install_in_anyio(is_ours: Callable[[asyncio.AbstractEventLoop], bool]) -> None:
    """Have anyio, if the program has it, run functions for threads at once when the loop that runs is ours."""
    if "anyio" not in sys.modules:
        return
    backend = import_module("anyio._backends._asyncio").AsyncIOBackend
    original = backend.run_sync_in_worker_thread
    if getattr(original, "is_inline", False):
        return

    async def run_sync_in_worker_thread(cls: object, func: Any, args: Any, *more: Any, **named: Any) -> Any:  # noqa: ANN401 - anyio's
        del cls
        if is_ours(asyncio.get_running_loop()):
            return contextvars.copy_context().run(call, func, *args)
        return await original(func, args, *more, **named)

    run_sync_in_worker_thread.is_inline = True  # type: ignore[attr-defined] # so that it is done once
    backend.run_sync_in_worker_thread = classmethod(run_sync_in_worker_thread)
