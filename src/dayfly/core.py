"""The data plane as the rest of Python sees it: `Core`, and `NativeCore`, which is the one that serves.

Only plain values cross into the native half; a publish is a call, a request is not.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from dayfly import _core, choices
from dayfly.config import Limits, SampleRequest, Tenant

PAGE = b"""\tthis is a very
\tlong string if I had the
\tenergy to type more and more ...
"""
"""What the baseline path answers: the page of examples/hello, so that the two can be compared."""


Protection = choices.Protection
"""How first writes to a page are noticed; `auto` takes userfaultfd where the kernel allows it."""

NO_SECRETS: Mapping[str, str] = MappingProxyType({})
"""What a tenant has that names none."""


@dataclass(frozen=True)
class CoreOptions:
    """How sandboxes are made and where they run."""

    code_cache: Path
    """Directory of compiled machine code; any of it may be deleted at any time."""
    protection: Protection = "auto"
    paranoid_every: int = 0
    """Check one restore in so many, that the memory is the image; 1: each, about ten times slower; 0: none."""
    threads: int = 0
    """Threads that serve connections; 0 is one for each processor."""
    overflow_threads: int = 0
    """Threads for requests beyond the inline budget; 0 is one for each processor."""
    spin_us: int | None = None
    """Microseconds that a thread polls before it sleeps; None: as recent pauses were, 0: it sleeps at once."""
    resident_bytes_max: int = 2 << 30
    """Memory that releases may take; beyond it those leave that nobody uses, and at last slots are given up."""


@dataclass(frozen=True)
class ServerOptions:
    """Where the server listens and whom it believes."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 lets the system choose."""
    unix_paths: tuple[str, ...] = ()
    """Further listening sockets in the file system."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks (CIDR) or `unix` whose word about the client is believed; everybody else's is removed."""
    release_header: bool = True
    """Name the release in each answer of a tenant: `Dayfly-Release`, with the first 16 digits of its digest."""
    baseline_path: str | None = None
    """Path that answers `baseline_body` from the same HTTP code with no sandbox, on hosts that are no tenant's own."""
    baseline_body: bytes = field(default=PAGE, repr=False)
    baseline_content_type: str = "text/plain"
    access_log: bool = False
    """Keep a record of each request for `NativeCore.accesses`; each run is timed then, two looks at the CPU clock."""


@dataclass(frozen=True)
class Snapshot:
    """A program after its start-up and `on_init`, frozen: code, one memory image, and what is known about them."""

    code: bytes
    image: bytes
    layout: dict[str, int]
    takes: int
    """Which parts of a request the program asked for, as a mask of the guest ABI."""
    fresh: str | None
    """Why every request needs a new instance; None for a program that can be restored."""
    init_log: tuple[tuple[int, str], ...] = ()
    """Level and text of what the program logged while it started."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What a program that others are loaded into says of what was loaded; see docs/guest-abi.md."""
    writes: tuple[int, ...] = ()
    """Pages of the memory that a request is expected to write to: a hint for the first one."""


@dataclass(frozen=True)
class Rehearsed:
    """What came of a sample request."""

    status: int
    """What a client would have got."""
    failure: str | None = None
    """Why the program gave no answer."""
    log: tuple[tuple[int, str], ...] = ()
    """Level and text of what it logged."""
    cpu_ns: int = field(default=0, compare=False)
    """CPU time in a new slot, where each page written to is a first write; no part of what came of it."""
    pages: int = field(default=0, compare=False)
    """Pages that it wrote to, which are restored after each request."""


@dataclass(frozen=True)
class AccessRecord:
    """One request that a tenant was asked, and what it got."""

    time_s: float
    tenant: str
    release: str
    request_id: str
    method: str
    target: str
    """Path and query, cut at 512 octets."""
    status: int
    lane: str
    """`inline`, `overflow` or `blocking`: where it was answered."""
    cpu_ns: int
    """CPU time of the run that answered and of its restore."""
    pages: int
    """Pages restored after it."""
    reruns: int
    """Runs thrown away before, because they took too long or would have blocked."""


@dataclass(frozen=True)
class Canary:
    """A release that gets a share of a tenant's requests."""

    release: Path
    share: float
    """More than 0, at most 1."""
    limits: Limits
    """What one request may use."""
    secrets: Mapping[str, str] = field(default_factory=lambda: NO_SECRETS, repr=False)


@dataclass(frozen=True)
class LogRecord:
    """One line that a tenant's program logged."""

    time_s: float
    tenant: str
    release: str
    request_id: str
    level: int
    """0 debug, 1 info (print), 2 warning, 3 error, 4 critical."""
    text: str


class NativeCore:
    """The data plane in this process. See `Core` for what the methods do.

    Args:
        options: how sandboxes are made and where they run.
        gate: asked before each request is routed, on the thread that serves it: None lets the request pass, a text is
            answered instead, with status 503. Everything on that thread waits for it: for a developer's own server.

    """

    def __init__(self, options: CoreOptions, gate: Callable[[], str | None] | None = None) -> None:
        self._core = _core.Core(to_json(options), gate)

    def freeze(self, wasm: bytes, limits: Limits) -> Snapshot:  # noqa: D102 - the protocol says it
        code, image, facts = self._core.freeze(wasm, limits.model_dump_json())
        return _to_snapshot(code, image, facts)

    def freeze_on(self, parent: Path, bundle: bytes, limits: Limits) -> Snapshot:  # noqa: D102
        image, facts = self._core.freeze_on(str(parent), bundle, limits.model_dump_json())
        return _to_snapshot(b"", image, facts)

    def rehearse(  # noqa: D102
        self, release: Path, host: str, samples: Sequence[SampleRequest], secrets: Mapping[str, str]
    ) -> list[Rehearsed]:
        requests = [
            {**sample.model_dump(exclude={"status"}), "host": host, "headers": list(sample.headers.items())}
            for sample in samples
        ]
        answers = json.loads(self._core.rehearse(str(release), json.dumps(requests), json.dumps(dict(secrets))))
        return [Rehearsed(**{**one, "log": tuple(map(tuple, one["log"]))}) for one in answers]

    def publish(  # noqa: D102
        self,
        tenant: Tenant,
        release: Path,
        secrets: Mapping[str, str] = NO_SECRETS,
        canary: Canary | None = None,
    ) -> None:
        self._core.publish(json.dumps(to_spec(tenant, secrets, canary)), str(release))

    def retire(self, name: str) -> None:  # noqa: D102
        self._core.retire(name)

    def serve(self, options: ServerOptions, on_ready: Callable[[str, int], None]) -> None:  # noqa: D102
        self._core.serve(to_json(options), on_ready)

    def stop(self) -> None:  # noqa: D102
        self._core.stop()

    def stats(self) -> dict[str, Any]:  # noqa: D102
        stats: dict[str, Any] = json.loads(self._core.stats())
        return stats

    def logs(self) -> list[LogRecord]:  # noqa: D102
        return [LogRecord(**record) for record in json.loads(self._core.logs())]

    def accesses(self) -> list[AccessRecord]:
        """Take the waiting records of requests; there are none without `access_log`. Never blocks."""
        return [AccessRecord(**record) for record in json.loads(self._core.accesses())]


def _to_snapshot(code: bytes, image: bytes, facts: str) -> Snapshot:
    known = json.loads(facts)
    log = tuple((level, text) for level, text in known.pop("init_log"))
    writes = tuple(known.pop("writes"))
    return Snapshot(code=code, image=image, init_log=log, writes=writes, **known)


def to_spec(tenant: Tenant, secrets: Mapping[str, str], canary: Canary | None) -> dict[str, Any]:
    """Return what the native half needs to know of a tenant."""
    spec = tenant.model_dump(include={"name", "hosts", "paths", "limits"}) | {"secrets": dict(secrets)}
    if canary:
        spec["canary"] = {
            "release": str(canary.release.absolute()),
            "share": canary.share,
            "limits": canary.limits.model_dump(),
            "secrets": dict(canary.secrets),
        }
    return spec


def to_json(options: CoreOptions | ServerOptions) -> str:
    """Return options as the native half reads them."""
    return json.dumps(asdict(options), default=lambda value: value.decode() if isinstance(value, bytes) else str(value))


class Freezers(Protocol):
    """What runs a program before anybody is routed to it. All methods may be called from any thread."""

    def freeze(self, wasm: bytes, limits: Limits) -> Snapshot:
        """Compile a program, run its start-up and `on_init` once, and keep the result.

        Blocks up to the limit of `init_cpu_ns_max`. Raises ProgramRefused or InitFailed.
        """

    def freeze_on(self, parent: Path, bundle: bytes, limits: Limits) -> Snapshot:
        """Load a bundle into the release in a directory, and keep the result: no code, and a delta as the image.

        Blocks up to the limit of `init_cpu_ns_max`. Raises DamagedRelease, ProgramRefused or InitFailed.
        """

    def rehearse(
        self, release: Path, host: str, samples: Sequence[SampleRequest], secrets: Mapping[str, str]
    ) -> list[Rehearsed]:
        """Send sample requests to a recorded release, each in a sandbox of its own.

        Blocks up to the release's limits for each. Raises DamagedRelease.
        """


class Core(Freezers, Protocol):
    """What serves requests. All methods may be called from any thread."""

    def publish(
        self,
        tenant: Tenant,
        release: Path,
        secrets: Mapping[str, str] = NO_SECRETS,
        canary: Canary | None = None,
    ) -> None:
        """Make a recorded release the one that answers; requests in flight keep theirs. Raises DamagedRelease.

        `secrets`: values by name, for the program to ask for while it answers; they go into no file. `canary`: another
        release, which gets a share of the requests.
        """

    def retire(self, name: str) -> None:
        """Take a tenant away; requests in flight are finished. Raises InvalidOption if there is none of that name."""

    def serve(self, options: ServerOptions, on_ready: Callable[[str, int], None]) -> None:
        """Serve until `stop`. Calls `on_ready` with host and port once connections are answered.

        Blocks; raises AddressInUse or InvalidOption before `on_ready`.
        """

    def stop(self) -> None:
        """Stop accepting, finish what is in flight, and let `serve` return."""

    def stats(self) -> dict[str, Any]:
        """Counters of all threads and tenants since the start."""

    def logs(self) -> list[LogRecord]:
        """Take the waiting log lines. Never blocks."""
