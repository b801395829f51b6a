"""A core that serves on a free port of this machine for as long as a test needs it."""

import queue
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from dayfly.core import CoreOptions, NativeCore, ServerOptions
from dayfly.registry import Registry


class Serving:
    """A registry and a core of one thread, which checks every restore."""

    def __init__(self, directory: Path, code_cache: Path) -> None:
        self.registry = Registry.open(directory / "data")
        self.core = NativeCore(CoreOptions(code_cache=code_cache, paranoid_every=1, threads=1, overflow_threads=1))
        self.options = ServerOptions(port=0)
        self._port: queue.Queue[int] = queue.Queue()
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        self.core.serve(self.options, lambda _host, port: self._port.put(port))

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._port.get(timeout=30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.core.stop()
        self._thread.join(30)
        self.registry.close()
