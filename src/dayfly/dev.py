"""A developer's own server: one directory, live at each save, and never an answer that is older than its files.

    save ────▶ watch ──┐                              ┌─ yes, or it is now ──▶ routed, answered, shown with its cost
                       ├──▶ is what is published ────┤
    request ─▶ gate ───┘    what stands in the files?  └─ it cannot be ────────▶ 503 with the reason

The watch is for the eyes: what is wrong is shown when it is saved. The gate is for the answers: it looks at the files
when a request has arrived, so a request that was sent after a save is answered by what was saved.
"""

import json
import os
import sys
import time
import traceback
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, runtime_checkable

from rich.console import Console
from rich.text import Text

from dayfly import server
from dayfly.config import Tenant
from dayfly.core import AccessRecord, Core, CoreOptions, LogRecord, NativeCore, ServerOptions
from dayfly.deploy import Steps, Trial, Workshop, captured, tried
from dayfly.errors import ConfigError, DayflyError
from dayfly.fingerprint import Fingerprint, being_written
from dayfly.log import LEVELS, cpu_time, printable
from dayfly.toolchain import Source
from dayfly.watch import following, roots_of

HOLD_SECONDS = 2.0
"""How long a request waits for a file to be closed by who writes it; after that, what is there counts."""

_LOOK_AGAIN_SECONDS = 0.002
_LONG_SECONDS = 0.001
_LINES_HELD_SECONDS = 1.0
"""A log line waits so long for the record of its request, which says what the request was."""

_RELEASES_KEPT = 2
"""The one that is published, and the one before, on which requests may still be in flight."""


@dataclass(frozen=True)
class DevOptions:
    """What is served, and where."""

    directory: Path
    host: str = "127.0.0.1"
    port: int = 8080


def serve(options: DevOptions, core: CoreOptions, workshop: Workshop, screen: "Screen") -> None:
    """Serve a directory until SIGTERM or SIGINT. To be called from the main thread.

    Raises AddressInUse or ConfigError.
    """
    if not options.directory.is_dir():
        raise ConfigError(f"`{options.directory}` is not a directory; name the directory that holds app.py")
    with ExitStack() as stack:
        live = stack.enter_context(Live.of(options.directory, core, workshop, screen))
        live.refusal()
        # Deployed at each save, also if no request comes.
        stack.enter_context(following(lambda: roots_of([options.directory]), live.look))
        listening = ServerOptions(host=options.host, port=options.port, access_log=True)
        server.serve(live.core, listening, screen, lambda host, port: screen.ready(host, port, live.hosts))


class Live:
    """A directory, and the release of it that is published."""

    def __init__(self, directory: Path, options: CoreOptions, workshop: Workshop, screen: "Screen") -> None:
        self.core = NativeCore(options, self.refusal)
        self._directory = directory
        self._workshop = workshop
        self._screen = screen
        self._lock = Lock()
        self._seen: Fingerprint | None = None
        self._digest = ""
        self._problem: str | None = None
        self._tenant: Tenant | None = None
        self._kept: deque[ExitStack] = deque()

    @classmethod
    @contextmanager
    def of(cls, directory: Path, options: CoreOptions, workshop: Workshop, screen: "Screen") -> Iterator["Live"]:
        """Give one whose releases are gone when the block ends."""
        live = cls(directory, options, workshop, screen)
        try:
            yield live
        finally:
            for held in live._kept:
                held.close()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The tenant's own hosts."""
        return self._tenant.hosts if self._tenant else ()

    def refusal(self) -> str | None:
        """Have what stands in the files published; say why it cannot be. Blocks for as long as a deploy takes."""
        with self._lock:
            try:
                return self._refusal()
            except Exception as error:  # noqa: BLE001 - to be seen where the developer looks, and reported
                traceback.print_exc()
                self._seen = None
                return f"a bug in dayfly: {type(error).__name__}: {error}\n"

    def look(self, _changes: object, _roots: object) -> None:
        """Have what stands in the files published, whatever was reported."""
        self.refusal()

    def _refusal(self) -> str | None:
        try:
            found = Fingerprint.of(self._directory)
            if found == self._seen and (self._seen.certain or self._holds_the_same(found)):
                return self._problem
            found = self._rested(found)
        except OSError as error:
            problem = f"{error.filename or self._directory}: {error.strerror}"
            if problem != self._problem:
                self._screen.broken(problem)
            self._seen, self._problem = None, problem
            return self._answer(problem)
        self._deploy(found)
        return self._problem

    def _holds_the_same(self, found: Fingerprint) -> bool:
        """Read what may have changed without another date."""
        try:
            same = Source.read(self._directory).digest == self._digest
        except DayflyError:
            return False
        if same:
            self._seen = found
        return same

    def _rested(self, found: Fingerprint) -> Fingerprint:
        """Wait while a file is being written, for a while. Raises OSError."""
        deadline = time.monotonic() + HOLD_SECONDS
        while time.monotonic() < deadline:
            if not any(being_written(self._directory / name) for name in found.changed(self._seen)):
                break
            time.sleep(_LOOK_AGAIN_SECONDS)
            found = Fingerprint.of(self._directory)
        return found

    def _deploy(self, found: Fingerprint) -> None:
        changed = found.changed(self._seen) if self._seen else []
        self._screen.take(self.core)  # what was asked before is shown above what was saved after it
        self._seen, self._digest = found, ""
        try:
            source = Source.read(self._directory)
            self._digest = source.digest
            tenant = Tenant.load(self._directory)
            trial = self._publish(tenant, source)
        except DayflyError as error:
            self._problem = self._answer(str(error))
            self._screen.broken(str(error), changed)
        else:
            self._problem = None
            self._screen.live(tenant, trial, changed)

    def _publish(self, tenant: Tenant, source: Source) -> Trial:
        held = ExitStack()
        try:
            trial = held.enter_context(tried(tenant, source, workshop=self._workshop, core=self.core))
            with trial.steps.step("publish"):
                if self._tenant and self._tenant.name != tenant.name:
                    self.core.retire(self._tenant.name)
                    self._tenant = None
                self.core.publish(_everywhere(tenant), trial.directory, self._secrets(tenant))
        except BaseException:
            held.close()
            raise
        self._tenant = tenant
        self._kept.append(held)
        while len(self._kept) > _RELEASES_KEPT:
            self._kept.popleft().close()
        return trial

    def _secrets(self, tenant: Tenant) -> dict[str, str]:
        """Return the values of the tenant's secrets: variables of this process's environment."""
        known = {name: os.environ[name] for name in tenant.secrets if name in os.environ}
        if missing := [name for name in tenant.secrets if name not in known]:
            self._screen.note(f"no value for secret {', '.join(missing)}: set the variable before dayfly dev")
        return known

    def _answer(self, problem: str) -> str:
        return f"{self._directory} is not live:\n\n{problem}\n"


def _everywhere(tenant: Tenant) -> Tenant:
    """Have a tenant answer on every host, so that localhost will do."""
    return tenant if "/" in tenant.paths else tenant.model_copy(update={"paths": (*tenant.paths, "/")})


@runtime_checkable
class Recording(Protocol):
    """A core that keeps records of requests."""

    def accesses(self) -> list[AccessRecord]:
        """Take those that wait."""


class Screen:
    """What the developer sees: requests with their cost, what they logged, and each save.

    Args:
        as_json: one JSON object a line instead of text.

    """

    def __init__(self, as_json: bool = False) -> None:  # noqa: FBT001, FBT002 - a choice of two
        self._json = as_json
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._lock, self._taking = Lock(), Lock()
        self._waiting: dict[str, list[LogRecord]] = {}

    def ready(self, host: str, port: int, hosts: Sequence[str]) -> None:
        """Say where requests are answered."""
        name = f"[{host}]" if ":" in host else host
        urls = [f"http://{name}:{port}", *(f"http://{own}:{port}" for own in hosts)]
        self._show({"event": "serving", "url": urls[0], "urls": urls}, f"serving {'  '.join(urls)}")

    def live(self, tenant: Tenant, trial: Trial, changed: Collection[str]) -> None:
        """Say that a release is live, and what it logged when it was frozen."""
        steps, snapshot = trial.steps, trial.made.snapshot
        facts = {
            "event": "live",
            "tenant": tenant.name,
            "release": trial.directory.name,
            "changed": list(changed),
            "ms": round(steps.total_ms, 1),
            "steps_ms": {name: round(seconds * 1e3, 1) for name, seconds in steps.seconds.items()},
        }
        line = Text.assemble(
            *_saved(changed),
            (f"{tenant.name} live", "green"),
            f" in {steps.total_ms:.0f} ms",
            (f"  {_long(steps)}", "dim"),
        )
        self._show(facts, line)
        for level, text in snapshot.init_log:
            self._log("init", level, text)
        for note in captured(snapshot):
            self.note(note)

    def broken(self, problem: str, changed: Collection[str] = ()) -> None:
        """Say why what was saved is not live."""
        first, *rest = map(printable, problem.splitlines() or [""])
        lines = Text.assemble(*_saved(changed), ("not live", "bold red"), f": {first}")
        for line in rest:
            lines.append(f"\n    {line}")
        self._show({"event": "broken", "changed": list(changed), "problem": problem}, lines)

    def note(self, text: str) -> None:
        """Say something that is worth knowing."""
        self._show({"event": "note", "text": text}, Text.assemble(("note ", "yellow"), printable(text)))

    def take(self, core: Core) -> bool:
        """Show what waits in a core; tell whether there was anything."""
        with self._taking:
            # Requests first: what they logged is there before they are.
            accesses = core.accesses() if isinstance(core, Recording) else []
            records = core.logs()
            for record in records:
                self._waiting.setdefault(record.request_id, []).append(record)
            for access in accesses:
                self._access(access)
            now = time.time()
            for request_id, lines in list(self._waiting.items()):
                if now - lines[0].time_s > _LINES_HELD_SECONDS:
                    self._lines(request_id)
        return bool(accesses or records)

    def _access(self, access: AccessRecord) -> None:
        colour = "red" if access.status >= 500 else "yellow" if access.status >= 400 else "green"  # noqa: PLR2004
        lane = access.lane if access.lane != "inline" or access.reruns else ""
        line = Text.assemble(
            (time.strftime("%H:%M:%S", time.localtime(access.time_s)), "dim"),
            "  ",
            (f"{access.status}", colour),
            f"  {access.method} {printable(access.target)}  ",
            (f"{cpu_time(access.cpu_ns)}  {access.pages} pages  {lane}".rstrip(), "dim"),
        )
        self._show({"event": "request", **asdict(access)}, line)
        self._lines(access.request_id)

    def _lines(self, request_id: str) -> None:
        for record in self._waiting.pop(request_id, ()):
            self._log(request_id, record.level, record.text)

    def _log(self, request_id: str, level: int, text: str) -> None:
        name = LEVELS[level]
        style = {"warning": "yellow", "error": "red", "critical": "bold red"}.get(name, "")
        lines = Text("\n".join(f"    {printable(line)}" for line in text.splitlines() or [""]), style=style)
        self._show({"event": "log", "request_id": request_id, "level": name, "text": text}, lines)

    def _show(self, facts: dict[str, Any], line: str | Text) -> None:
        with self._lock:
            if self._json:
                sys.stdout.write(f"{json.dumps(facts)}\n")
                sys.stdout.flush()
            else:
                self._console.print(line)


def _long(steps: Steps) -> str:
    """Name the steps that took a while."""
    long = [f"{name} {seconds * 1e3:.0f} ms" for name, seconds in steps.seconds.items() if seconds > _LONG_SECONDS]
    return ", ".join(long)


def _saved(changed: Collection[str]) -> list[str]:
    names = sorted(changed)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004 - what an eye takes in
    return [f"{', '.join(map(printable, names[:3]))}{more}: "] if names else []
