"""Directories of tenants, watched: what changes, comes or goes there is deployed or taken away while the server runs.

What the file system reports is only a reason to look. Whether something has changed is told by fingerprints, so an
event that comes twice, late or under another name is harmless. A directory is deployed when it has rested:

    looked at ──differs from what was tried──▶ resting ──the same, and nobody writes──▶ read ──the same──▶ deployed
                                                 ▲ ▲                                     │
                                                 │ └────────── it has changed ───────────┘
                                                 └─ a file is open for writing

A failure of any kind leaves the release before. It is tried again when something changes, or after a while if it was
not the files' fault. Deploys run beside the watch, one for a directory and a few in all: one that takes long holds up
nobody.
"""

import os
import stat
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from dayfly.config import CONFIG_NAME, Tenant
from dayfly.errors import (
    BuildError,
    ConfigError,
    DayflyError,
    InitFailed,
    InternalError,
    InvalidOption,
    NotFound,
    PackagesRefused,
    ProgramRefused,
    RehearsalFailed,
    RouteTaken,
)
from dayfly.fingerprint import Fingerprint, being_written
from dayfly.log import logger
from dayfly.toolchain.source import Source, is_left_out

SETTLE_SECONDS = 0.1
"""A directory that has not changed for so long has rested: longer than an editor or a copy pauses between two files."""

GONE_SECONDS = 2.0
"""A tenant whose directory is away for so long is taken away; until then it may be on its way to be replaced."""

RETRY_SECONDS = 30.0
"""After so long a deploy is tried again that failed for another reason than what stands in the files."""

DEPLOYS_MAX = 2
"""Deploys at a time; they wait for each other's compilers anyway."""

STOP_SECONDS = 5.0
"""How long the end of a watch waits for a deploy in the middle."""

_IDENTITY_MS = 250
"""How often the directories themselves are looked at: the file system does not report that a link leads elsewhere."""

_DEBOUNCE_MS = 100
_STEP_MS = 50
_POLL_SECONDS = 2.0
"""How often everything is looked at where the file system reports nothing."""

_FAULTS_OF_FILES = (BuildError, ConfigError, InitFailed, PackagesRefused, ProgramRefused, RehearsalFailed)
"""What will fail again as long as the files are the same. Not `RouteTaken`: another tenant may go."""

_ENTRIES = (CONFIG_NAME, "app.py", "app.wasm", "app.wat")
"""One of these makes a directory a tenant's."""


class Site(Protocol):
    """What is done about what is found."""

    def deploy(self, tenant: Tenant, source: Source) -> object:
        """Deploy what was read. Raises DayflyError; then the release before serves on."""

    def remove(self, name: str) -> object:
        """Take a tenant away. Raises DayflyError."""


@dataclass
class _Known:
    """One tenant directory."""

    name: str | None = None
    """Of the tenant that was deployed from it."""
    tried: Fingerprint | None = None
    """What was deployed, or refused."""
    problem: str = ""
    """Why it was refused."""
    resting: Fingerprint | None = None
    since: float = 0
    """When it was first seen as it rests, or missing."""
    missing: bool = False
    retry_at: float | None = None
    """When to try again what was tried."""
    deploying: str | None = None
    """Name of the tenant that is being deployed from it."""


@dataclass(frozen=True)
class Root:
    """What is watched: an inode, for another one may take its name."""

    resolved: Path
    device: int
    inode: int


Roots = dict[Path, Root]


@dataclass(frozen=True)
class Report:
    """How a watched directory stands."""

    directory: Path
    tenant: str | None
    """None: nothing was deployed from it yet."""
    problem: str
    """Why what is in it now is not live; empty if it is."""


class Watcher:
    """Looks after the directories that a server was given.

    Args:
        places: tenant directories, or directories of such. One that is neither counts as a tenant's.
        site: what deploys and removes.
        clock: seconds that only rise.
        begin: begins a deploy, in a thread or at once.

    """

    def __init__(
        self,
        places: Collection[Path],
        site: Site,
        clock: Callable[[], float] = time.monotonic,
        begin: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._parents = [place for place in places if is_parent(place)]
        self._single = [place for place in places if place not in self._parents]
        self._site = site
        self._clock = clock
        self._begin = begin or self._in_a_thread
        self._threads: list[Thread] = []
        self._known: dict[Path, _Known] = {}
        self._restless: set[Path] = set()
        """Directories that are to be looked at again, whether anything is reported or not."""
        self._links: set[Path] = set()
        """Those in a directory of tenants that lead out of it: nothing is reported of what they lead to."""

    def adopt(self, directory: Path, name: str, fingerprint: Fingerprint | None) -> None:
        """Take note of what was deployed at the start; the fingerprint is from before it was read.

        None: what is there now was not deployed, and is tried by the watch.
        """
        self._known[directory] = _Known(name=name, tried=fingerprint if fingerprint and fingerprint.certain else None)

    def reports(self) -> list[Report]:
        """Return how each directory stands. May be called from any thread."""
        known = sorted(self._known.copy().items())
        return [Report(directory, entry.name, entry.problem) for directory, entry in known]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch in a thread for as long as the block lasts."""
        with following(self._roots, lambda changes, roots: self.look(self._concerned(changes, roots))):
            yield
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def look(self, concerned: Collection[Path] | None = None) -> float | None:
        """Look at some directories, None: at all, and at those that do not rest. Deploy and remove what is due.

        Returns in how many seconds to look again, None: when something has happened.
        """
        now = self._clock()
        if concerned is None:
            wanted = [*self._known, *self._single, *self._children()]
        else:
            wanted = [*concerned, *self._restless]
        waits = {directory: self._look_once(directory, now) for directory in dict.fromkeys(wanted)}
        self._restless -= waits.keys()
        self._restless |= {directory for directory, wait in waits.items() if wait is not None}
        return min((wait for wait in waits.values() if wait is not None), default=None)

    def _look_once(self, directory: Path, now: float) -> float | None:
        known = self._known.get(directory)
        if _is_directory(directory) if known or directory in self._single else is_tenant(directory):
            return self._look_at(directory, self._known.setdefault(directory, _Known()), now)
        # Where the place that holds it cannot be looked into, nobody knows whether it is gone.
        return self._look_for(directory, known, now) if known and _can_be_listed(directory.parent) else None

    def _look_at(self, directory: Path, known: _Known, now: float) -> float | None:
        known.missing = False
        if known.deploying:
            return SETTLE_SECONDS
        try:
            if directory not in self._single and directory.is_symlink():
                self._links.add(directory)
            found = Fingerprint.of(directory)
            if found == known.tried and (known.retry_at is None or now < known.retry_at):
                known.resting = None
            elif self._rests(directory, known, found, now):
                self._deploy(directory, known, found)
        except FileNotFoundError:  # taken away while it was looked at
            known.resting = None
            return SETTLE_SECONDS
        except OSError as error:
            known.resting, known.tried = None, None
            self._refuse(directory, known, f"{error.filename or directory}: {error.strerror}")
            return SETTLE_SECONDS
        return self._wait(known, now)

    def _rests(self, directory: Path, known: _Known, found: Fingerprint, now: float) -> bool:
        """Tell whether a directory has been the same for longer than a date of the file system takes to move on."""
        if found != known.resting:
            known.resting, known.since = found, now
        if now - known.since < SETTLE_SECONDS:
            return False
        return not any(being_written(directory / name) for name in found.changed(known.tried))

    def _wait(self, known: _Known, now: float) -> float | None:
        """Say when a directory is to be looked at again, if nothing is reported before."""
        if known.resting:
            rested = now - known.since
            return SETTLE_SECONDS - rested if rested < SETTLE_SECONDS else SETTLE_SECONDS
        if known.deploying:
            return SETTLE_SECONDS
        return None if known.retry_at is None else known.retry_at - now

    def _deploy(self, directory: Path, known: _Known, found: Fingerprint) -> None:
        if sum(other.deploying is not None for other in self._known.values()) >= DEPLOYS_MAX:
            return
        read = self._read(directory)
        if Fingerprint.of(directory) != found:
            known.since = self._clock()  # what was read may be half of it
            return
        known.tried, known.resting, known.retry_at = found, None, None
        if isinstance(read, DayflyError):
            self._ended(directory, known, read)
            return
        tenant, source = read
        known.deploying = tenant.name
        self._begin(lambda: self._take(directory, known, tenant, source))

    def _read(self, directory: Path) -> tuple[Tenant, Source] | DayflyError:
        try:
            tenant, source = Tenant.load(directory), Source.read(directory)
            self._refuse_twins(directory, tenant.name)
        except DayflyError as error:
            return error
        return tenant, source

    def _refuse_twins(self, directory: Path, name: str) -> None:
        for other, known in self._known.items():
            if name in {known.name, known.deploying} and other != directory:
                raise InvalidOption(f"`{other}` is tenant `{name}` already; set another `name` in one dayfly.toml")

    def _take(self, directory: Path, known: _Known, tenant: Tenant, source: Source) -> None:
        problem: DayflyError | None = None
        try:
            self._site.deploy(tenant, source)
            if known.name not in {None, tenant.name}:
                self._remove(str(known.name))
            known.name = tenant.name
        except DayflyError as error:
            problem = error
        except Exception as error:  # noqa: BLE001 - said, and reported as a bug
            # One directory must not end the watch over the others.
            logger.exception("%s: a bug in dayfly; please report this", directory)
            problem = InternalError(f"{type(error).__name__}: {error}")
        self._ended(directory, known, problem)
        known.deploying = None  # last: from here on it is looked at again

    def _ended(self, directory: Path, known: _Known, problem: DayflyError | None) -> None:
        if problem is None:
            known.problem = ""
            return
        if not isinstance(problem, _FAULTS_OF_FILES) or isinstance(problem, RouteTaken):
            known.retry_at = self._clock() + RETRY_SECONDS
        self._refuse(directory, known, str(problem))

    def _refuse(self, directory: Path, known: _Known, problem: str) -> None:
        if problem == known.problem and (known.tried is None or known.retry_at is not None):
            return  # said before
        known.problem = problem
        stays = f"; tenant `{known.name}` serves as before" if known.name else ""
        logger.error("%s is not live: %s%s", directory, problem, stays)

    def _in_a_thread(self, deploy: Callable[[], None]) -> None:
        thread = Thread(target=deploy, name="watch-deploy", daemon=True)
        self._threads = [other for other in self._threads if other.is_alive()]
        thread.start()
        self._threads.append(thread)

    def _look_for(self, directory: Path, known: _Known, now: float) -> float | None:
        """Take a tenant away whose directory does not come back."""
        if not known.missing:
            known.missing, known.since, known.resting = True, now, None
        missed = now - known.since
        if missed < GONE_SECONDS or known.deploying:
            return max(GONE_SECONDS - missed, SETTLE_SECONDS)
        if known.name is not None:
            logger.warning("%s is gone: tenant `%s` is taken away", directory, known.name)
            try:
                self._remove(known.name)
            except DayflyError as error:
                logger.error("tenant `%s`: %s; it is tried again", known.name, error)
                known.since = now + RETRY_SECONDS - GONE_SECONDS
                return RETRY_SECONDS
        del self._known[directory]
        return None

    def _remove(self, name: str) -> None:
        with suppress(NotFound):  # somebody else was faster
            self._site.remove(name)

    def _children(self) -> list[Path]:
        """Return the tenant directories that are in a directory of such now."""
        return [directory for parent in self._parents for directory in tenants_in(parent)]

    def _roots(self) -> Roots:
        return roots_of([*self._parents, *self._single, *sorted(self._links)])

    def _concerned(self, changes: set[Path] | None, roots: Roots) -> set[Path] | None:
        """Return the tenant directories in which something was reported; None: it may be any."""
        if changes is None:
            return None
        found = set()
        for path in changes:
            for place, root in roots.items():
                if not path.is_relative_to(root.resolved):
                    continue
                inside = path.relative_to(root.resolved).parts
                # A data directory may stand in a tenant's, and there something happens all the time.
                if not any(map(is_left_out, inside)):
                    found.add(place.joinpath(*inside[:1]) if place in self._parents else place)
        return found


def follow(find: Callable[[], Roots], look: Callable[[set[Path] | None, Roots], float | None], stop: Event) -> None:
    """Call `look` with what is reported in some directories, until the event is set. Blocks.

    `find` says which; it is asked often, and when it gives others than before, those are watched, and `look` is called
    with None: anything may have changed. `look` returns in how many seconds to call it again, reported or not; None:
    a quarter of a second is soon enough.
    """
    while not stop.is_set():
        roots = find()
        with _reporting(roots) as notify:
            wait = look(None, roots)
            while notify and not stop.is_set():
                limit_ms = _IDENTITY_MS if wait is None else min(_IDENTITY_MS, int(wait * 1000) + 1)
                try:
                    changes = notify.watch(_DEBOUNCE_MS, _STEP_MS, limit_ms, stop)
                except WatchfilesRustInternalError as error:
                    logger.warning("watching begins anew: %s", error)
                    stop.wait(_POLL_SECONDS)
                    break
                if find() != roots:
                    break  # what is new is watched first, and then looked at
                wait = look({Path(name) for _, name in changes} if isinstance(changes, set) else set(), roots)
            else:
                stop.wait(_POLL_SECONDS if wait is None else min(wait, _POLL_SECONDS))


@contextmanager
def following(find: Callable[[], Roots], look: Callable[[set[Path] | None, Roots], float | None]) -> Iterator[None]:
    """Do what `follow` does in a thread, for as long as the block lasts.

    A deploy in the middle is waited for at the end, but not for long: one that is cut off leaves what was there before.
    """
    stop = Event()
    thread = Thread(target=follow, args=(find, look, stop), name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(STOP_SECONDS)


def roots_of(places: Collection[Path]) -> Roots:
    """Return those of the places that are directories, each with what it is now, by way of any link."""
    roots = {}
    for place in places:
        with suppress(OSError):  # not there just now
            facts = place.stat()
            if stat.S_ISDIR(facts.st_mode):
                roots[place] = Root(place.resolve(strict=True), facts.st_dev, facts.st_ino)
    return roots


def is_tenant(directory: Path) -> bool:
    """Tell whether a directory is a tenant's: it has a program or a dayfly.toml."""
    return any(os.path.isfile(directory / name) for name in _ENTRIES)  # noqa: PTH113 - as below


def _can_be_listed(place: Path) -> bool:
    return _is_directory(place) and os.access(place, os.R_OK | os.X_OK)


def _is_directory(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - pathlib raises where a parent may not be entered


def is_parent(place: Path) -> bool:
    """Tell whether a directory is no tenant's itself, and has some in it."""
    return not is_tenant(place) and bool(tenants_in(place))


def tenants_in(place: Path) -> list[Path]:
    """Return the tenant directories right in a directory, sorted."""
    try:
        names = os.listdir(place)  # noqa: PTH208 - names
    except OSError:
        return []
    return [place / name for name in sorted(names) if not is_left_out(name) and is_tenant(place / name)]


def expanded(places: Collection[Path]) -> list[Path]:
    """Replace each directory of tenants by those in it."""
    return [directory for place in places for directory in (tenants_in(place) if is_parent(place) else [place])]


@contextmanager
def _reporting(roots: Roots) -> Iterator[RustNotify | None]:
    """Have changes in some directories reported; None where the system does not."""
    try:
        notify = RustNotify([str(root.resolved) for root in roots.values()], False, False, 0, True, True)
    except FileNotFoundError:  # taken away just now
        yield None
        return
    except (OSError, WatchfilesRustInternalError) as error:
        _say_unreported(str(error))
        yield None
        return
    with notify:
        yield notify


@cache
def _say_unreported(reason: str) -> None:
    """Say it once."""
    logger.warning("changes are not reported (%s); all directories are looked at every %g s", reason, _POLL_SECONDS)
