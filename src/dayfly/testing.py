"""For tests of what stands on a core, without an engine: `FakeCore` keeps the contract of `dayfly.core.Core`."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dayfly.config import Limits, SampleRequest, Tenant
from dayfly.core import NO_SECRETS, Canary, LogRecord, Rehearsed, ServerOptions, Snapshot
from dayfly.errors import InvalidOption


class FakeCore:
    """Freezes by doing nothing, remembers what was published, and serves by waiting for `stop`."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self.published: dict[str, tuple[Tenant, Path]] = {}
        self.canaries: dict[str, Canary | None] = {}
        self.frozen: list[Limits] = []
        self.loaded: list[tuple[Path, bytes]] = []
        self.rehearsed: list[tuple[Path, str]] = []
        self.answers: dict[str, Rehearsed] = {}
        self.waiting_logs: list[LogRecord] = []
        self.stops = 0
        """How often it was told to stop: the second time, connections are ended at once."""
        self._stopped = threading.Event()

    def freeze(self, wasm: bytes, limits: Limits) -> Snapshot:
        """Return the module as its own snapshot, with an empty image."""
        self.frozen.append(limits)
        return Snapshot(code=wasm, image=b"", layout={"memory_bytes": limits.memory_bytes_max}, takes=0, fresh=None)

    def freeze_on(self, parent: Path, bundle: bytes, limits: Limits) -> Snapshot:
        """Return the bundle as the delta."""
        self.loaded.append((parent, bundle))
        return Snapshot(code=b"", image=bundle, layout={"memory_bytes": limits.memory_bytes_max}, takes=0, fresh=None)

    def rehearse(
        self,
        release: Path,
        host: str,
        samples: Sequence[SampleRequest],
        secrets: Mapping[str, str],  # noqa: ARG002 - nothing runs that could ask for one
    ) -> list[Rehearsed]:
        """Answer each sample with what a test put into `answers`, else with 200."""
        self.rehearsed.append((release, host))
        return [self.answers.get(sample.path, Rehearsed(200)) for sample in samples]

    def publish(
        self,
        tenant: Tenant,
        release: Path,
        secrets: Mapping[str, str] = NO_SECRETS,
        canary: Canary | None = None,
    ) -> None:
        """Remember the release of the tenant, its secrets, and its canary."""
        self.canaries[tenant.name] = canary
        self.secrets[tenant.name] = dict(secrets)
        self.published[tenant.name] = (tenant, release)

    def retire(self, name: str) -> None:
        """Forget the tenant."""
        if name not in self.published:
            raise InvalidOption(f"there is no tenant `{name}`")
        del self.published[name]

    def serve(self, options: ServerOptions, on_ready: Callable[[str, int], None]) -> None:
        """Say that it is ready, and block until `stop`."""
        on_ready(options.host, options.port)
        self._stopped.wait()

    def stop(self) -> None:
        """Let `serve` return."""
        self.stops += 1
        self._stopped.set()

    def stats(self) -> dict[str, Any]:
        """Return no counters."""
        return {}

    def logs(self) -> list[LogRecord]:
        """Take what a test put into `waiting_logs`."""
        taken, self.waiting_logs = self.waiting_logs, []
        return taken
