"""A running server: the core's threads, the log on its way out, and the signals that end it."""

import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from dayfly.core import Core, ServerOptions
from dayfly.log import logger

LOG_WAIT_SECONDS = (0.05, 0.25)
"""How long the log waits for lines: the first value after a line, then doubling up to the second."""

SIGNAL_WAIT_SECONDS = 0.25
"""How long a signal may wait for the main thread to look."""


class Sink(Protocol):
    """Where the log goes."""

    def take(self, core: Core) -> bool:
        """Write what waits in a core; tell whether there was anything."""


def raise_descriptor_limit() -> None:
    """Allow this process all the descriptors that it may have; also a worker's start takes some."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(  # noqa: PLR0913 - a core, and what is to be done in its life
    core: Core,
    options: ServerOptions,
    logs: Sink,
    on_ready: Callable[[str, int], None],
    *,
    may_leave: Callable[[], bool] | None = None,
    finish: Callable[[], None] = lambda: None,
) -> bool:
    """Serve until SIGTERM or SIGINT, and finish what is in flight. To be called from the main thread.

    `finish`: ends what needs a core that serves; called before the core is stopped or left. A second signal does not
    wait for it. `may_leave` is asked now and then; if it agrees, this returns True, and the core goes on serving.
    Raises AddressInUse or InvalidOption before `on_ready`.
    """
    errors: list[BaseException] = []

    def work() -> None:
        try:
            core.serve(options, on_ready)
        except BaseException as error:  # noqa: BLE001 - carried to the main thread
            errors.append(error)

    # The core blocks in native code, where Python never looks at signals: it gets a thread, they get the main one.
    data_plane = threading.Thread(target=work, name="data-plane")
    with _stop_on_signal(core, finish), _draining(core, logs):
        data_plane.start()
        # A signal that arrives just before the main thread waits does not wake it: it must look now and then.
        while data_plane.is_alive():
            data_plane.join(SIGNAL_WAIT_SECONDS)
            if may_leave and may_leave():
                finish()
                return True
    if errors:
        raise errors[0]
    return False


@contextmanager
def _stop_on_signal(core: Core, finish: Callable[[], None]) -> Iterator[None]:
    """Stop the core at SIGTERM and SIGINT; put the old handlers back afterwards."""
    ending: list[threading.Thread] = []
    is_hurried = threading.Event()

    def end() -> None:
        try:
            finish()
        finally:
            if not is_hurried.is_set():
                core.stop()

    def stop(number: int, _frame: FrameType | None) -> None:
        logger.info("%s: finishing what is in flight", signal.Signals(number).name)
        if not ending:
            ending.append(threading.Thread(target=end, name="ending", daemon=True))
            ending[0].start()
        else:
            is_hurried.set()
            core.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for thread in ending:
            thread.join(SIGNAL_WAIT_SECONDS)  # it has stopped the core, unless a second signal was faster


@contextmanager
def _draining(core: Core, logs: Sink) -> Iterator[None]:
    """Write the tenants' log lines while the core serves, and the last ones when it has stopped."""
    stopped = threading.Event()

    def drain() -> None:
        wait, longest = LOG_WAIT_SECONDS
        while not stopped.wait(wait):
            wait = LOG_WAIT_SECONDS[0] if logs.take(core) else min(wait * 2, longest)

    thread = threading.Thread(target=drain, name="log")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        logs.take(core)
