"""A thread that tidies after deploys, so that none of them waits for it."""

import os
import threading
from types import TracebackType
from typing import Self

from dayfly.errors import DayflyError
from dayfly.log import logger
from dayfly.registry.registry import Registry

_PAUSE_SECONDS = 1.0
"""From a deploy to the tidying: what is deployed again at once is not packed in between."""

_NICE = 10
"""Of the thread: packing is work for which nobody waits."""


class Housekeeper:
    """Packs the releases of a registry that do not serve any more, and removes what nobody needs, while it is open."""

    def __init__(self, registry: Registry, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._registry = registry
        self._pause_seconds = pause_seconds
        self._called = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="housekeeper", daemon=True)

    def __enter__(self) -> Self:
        self._registry.on_superseded = self._called.set
        self._called.set()  # for what a process before has left
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._called.set()
        self._thread.join()

    def _work(self) -> None:
        # A thread's own on Linux.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while self._called.wait() and not self._closed.wait(self._pause_seconds):
            self._called.clear()
            try:
                self._registry.tidy(recent=True)
            except DayflyError as error:
                logger.warning("%s; releases that do not serve take more room than they need", error)
