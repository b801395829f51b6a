"""What was last read of all tenants, until somebody writes: a start reads them once, and asks for each several times.

Nobody else writes to an embedded database while its data directory is locked. One that is shared is asked each time.
"""

import threading
from collections.abc import Callable

from dayfly.registry.tenants import Recorded


class Memory:
    """All tenants by name, or nothing."""

    def __init__(self, *, is_used: bool) -> None:
        self._is_used = is_used
        self._lock = threading.Lock()
        self._writes = 0
        self._known: dict[str, Recorded] | None = None

    def known(self) -> dict[str, Recorded] | None:
        """Return all tenants, if nothing was written since they were read."""
        return self._known

    def all(self, read: Callable[[], list[Recorded]]) -> list[Recorded]:
        """Return all tenants, read if they are not known."""
        known = self._known
        if known is not None:
            return list(known.values())
        writes = self._writes
        found = read()
        with self._lock:
            # Whoever has written meanwhile has written something else.
            if self._is_used and writes == self._writes:
                self._known = {one.name: one for one in found}
        return found

    def forget(self) -> None:
        """Something was written."""
        with self._lock:
            self._writes += 1
            self._known = None
