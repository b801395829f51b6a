"""The story of a deploy, and the one of a start: which releases serve, and how they got there."""

import hashlib
import re
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from dayfly import release
from dayfly.bases import Bases
from dayfly.config import CONFIG_NAME, SampleRequest, Tenant, contradiction
from dayfly.core import Canary, Core, Rehearsed, Snapshot
from dayfly.errors import (
    ConfigError,
    DamagedRelease,
    DayflyError,
    InitFailed,
    ProgramRefused,
    RegistryError,
    RehearsalFailed,
)
from dayfly.log import logger, printable
from dayfly.registry import LOCAL, Actor, Recorded, Registry, Release
from dayfly.release import Made
from dayfly.resolver import Lock, Resolver, read_requirements
from dayfly.toolchain import Source, Toolchain
from dayfly.toolchain.progress import shown
from dayfly.toolchain.python.bundle import tenant_bundle

SERVER_ERROR = 500
"""The least status that says that the program failed."""


@dataclass
class Steps:
    """How long each step of a deploy took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what is done inside."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start

    @property
    def total_ms(self) -> float:
        """All steps together, in milliseconds."""
        return sum(self.seconds.values()) * 1e3

    def __str__(self) -> str:
        return ", ".join(f"{name} {seconds * 1e3:.0f} ms" for name, seconds in self.seconds.items())


@dataclass(frozen=True)
class Deployed:
    """A release that is recorded, and what was made for it; None: it was recorded before."""

    release: Release
    steps: Steps
    snapshot: Snapshot | None = None
    canary_failure: str = ""
    """Why the tenant's canary gets no requests, although it should."""

    @property
    def unchanged(self) -> bool:
        """Whether the release was recorded before."""
        return self.snapshot is None

    @property
    def init_log(self) -> tuple[tuple[int, str], ...]:
        """What the program logged while it started."""
        return self.snapshot.init_log if self.snapshot else ()


@dataclass(frozen=True)
class Workshop:
    """What makes releases: the toolchain of tiers that are compiled, and what tier `python` stands on."""

    toolchain: Toolchain = field(default_factory=Toolchain)
    resolver: Resolver = field(default_factory=Resolver)
    bases: Bases = field(default_factory=Bases)


@dataclass(frozen=True)
class Job:
    """One making of a release: with what, and where bases and layers are to stand."""

    workshop: Workshop
    core: Core
    registry: Registry | None
    """None: they stay in the machine's cache, because nothing is recorded."""
    steps: Steps = field(default_factory=Steps)


@dataclass(frozen=True)
class Change:
    """Who changes something, why, and what they believe to change."""

    by: Actor = LOCAL
    why: str = ""
    expected_revision: int | None = None
    """The tenant's revision that the change is meant for; None: whichever it is. Another one is a Conflict."""
    canary: float | None = None
    """The share of the requests that a new release gets; None: all."""

    @property
    def terms(self) -> dict[str, Any]:
        """What the registry wants to know of every change."""
        return {"by": self.by, "why": self.why, "expected_revision": self.expected_revision}


def deploy(  # noqa: PLR0913 - a tenant, its source, and what works on them
    tenant: Tenant,
    directory: Path | Source,
    *,
    workshop: Workshop,
    registry: Registry,
    core: Core,
    change: Change = Change(),
) -> Deployed:
    """Build, freeze, record and publish one release; the old one serves until the swap.

    Blocks for as long as a compiler or the package index takes. Raises DayflyError; then the old release still serves.
    """
    deployed = build(tenant, directory, workshop=workshop, registry=registry, core=core, change=change)
    try:
        with deployed.steps.step("publish"):
            # One pointer swap; requests in flight keep theirs.
            return replace(deployed, canary_failure=publish(tenant.name, registry, core))
    except DamagedRelease as damage:
        if not deployed.unchanged:
            raise
        logger.warning("tenant %s: %s", tenant.name, damage)
        if not _mend(deployed.release, workshop, registry) and release.is_whole(deployed.release.directory):
            registry.set_aside(deployed.release.digest)
        return deploy(tenant, directory, workshop=workshop, registry=registry, core=core, change=change)


def publish(name: str, registry: Registry, core: Core) -> str:
    """Have a tenant served as it is recorded, a damaged canary left out. Raises DamagedRelease.

    Returns why the canary gets no requests; empty if there is none, or it gets them.
    """
    recorded = registry.find(name)
    if recorded and (current := recorded.current):
        tenant, secrets = recorded.over(current.tenant), _secrets(current.tenant, registry)
        canary = _canary(recorded, registry)
        try:
            core.publish(tenant, current.directory, secrets, canary)
        except DamagedRelease as damage:
            if canary is None or canary.release.name not in str(damage):
                raise
            logger.error("tenant %s: its canary gets no requests: %s", name, damage)
            core.publish(tenant, current.directory, secrets)
            return str(damage)
    return ""


def _canary(recorded: Recorded, registry: Registry) -> Canary | None:
    canary = recorded.canary
    if canary is None:
        return None
    tenant = recorded.over(canary.release.tenant)
    return Canary(canary.release.directory, canary.share, tenant.limits, _secrets(tenant, registry))


def build(  # noqa: PLR0913 - as `deploy`
    tenant: Tenant,
    directory: Path | Source,
    *,
    workshop: Workshop,
    registry: Registry,
    core: Core,
    change: Change = Change(),
) -> Deployed:
    """Build, freeze and record one release, or return the recorded one if it was made from the same things."""
    with registry.deploying():
        return _build(tenant, directory, Job(workshop, core, registry), registry, change)


def _build(tenant: Tenant, directory: Path | Source, job: Job, registry: Registry, change: Change) -> Deployed:
    recorded = registry.look(tenant, change.expected_revision)
    steps = job.steps
    with steps.step("read"):
        source = directory if isinstance(directory, Source) else Source.read(directory)
        effective = recorded.over(tenant) if recorded else tenant
        if reason := contradiction(effective):
            raise ConfigError(f"tenant `{tenant.name}`: with what the operator has set: {reason}")
        origin = _origin(effective, source)
        known = recorded and _made_before(tenant, recorded, origin, registry, change)
    if known:
        return Deployed(known, steps)
    made = make(effective, source, job)
    with steps.step("write"):
        written = registry.write(made)
    if tenant.sample_requests:
        with steps.step("rehearse"):
            rehearse(tenant, written, job.core, _secrets(tenant, registry))  # in sandboxes that nobody else can reach
    with steps.step("record"):
        new = registry.record(tenant, written, origin, **vars(change))  # durable before visible
    return Deployed(new, steps, made.snapshot)


def _made_before(tenant: Tenant, recorded: Recorded, origin: str, registry: Registry, change: Change) -> Release | None:
    """Have a release serve that was made from the same things before, if there is one: nothing is built."""
    if recorded.broken:
        logger.warning("%s: it is replaced", recorded.broken)
    current = recorded.current
    known = current if current and current.origin == origin else registry.made_from(tenant.name, origin)
    if known is None or known.tenant != tenant:
        return None
    try:
        if change.canary is not None:
            return registry.set_canary(tenant.name, known.number, change.canary, **change.terms).release
        if known == current and recorded.canary is None and release.is_whole(known.directory):
            return known
        return registry.activate(tenant.name, known.number, **change.terms)
    except DamagedRelease as damage:
        logger.warning("tenant %s: %s; it is made again", tenant.name, damage)
        return None


def make(tenant: Tenant, source: Source, job: Job) -> Made:
    """Make a release of any tier, and record nothing."""
    if tenant.tier == "python":
        return _loaded(tenant, source, job)
    with job.steps.step("build"):
        program = job.workshop.toolchain.build(source, tenant.tier)  # one-shot process: source -> wasm
    with job.steps.step("freeze"), _explained(tenant, source):
        snapshot = job.core.freeze(program.wasm, tenant.limits)  # compile, start-up, on_init, once, limited
    return Made(tenant.tier, snapshot, tenant.limits, source.bundle)


def _loaded(tenant: Tenant, source: Source, job: Job) -> Made:
    """Load a source into the base, or into the layer of its packages, and freeze that: a page delta."""
    workshop, core, steps = job.workshop, job.core, job.steps
    with steps.step("bundle"):
        bundle = tenant_bundle(source, tenant.environment, tenant.secrets)
        wanted = read_requirements(source.files)
    parent = ensure_base(workshop.bases, core, steps)
    try:
        if wanted:
            with steps.step("lock"):
                lock = workshop.resolver.lock(wanted)  # one-shot process with network, unless it is known
            with steps.step("layer"):
                parent = _layer(parent, lock, workshop, core)
        with steps.step("adopt"):
            here = job.registry.adopt(parent) if job.registry else parent
        with steps.step("freeze"), _explained(tenant, source):
            snapshot = core.freeze_on(here, bundle, tenant.limits)  # load, on_init, once, limited
    except DamagedRelease as damage:
        others = [workshop.bases] if job.registry else []
        if not release.mend(parent.name, job.registry or workshop.bases, *others):
            raise
        logger.warning("%s; mended, or to be made again", damage)
        return _loaded(tenant, source, job)
    return Made("python", snapshot, tenant.limits, source.bundle, parent=here.name)


@contextmanager
def _explained(tenant: Tenant, source: Source) -> Iterator[None]:
    """Have the first line of what a program is refused for name its directory, the limit, and what to do."""
    try:
        yield
    except (InitFailed, ProgramRefused) as error:
        first, *rest = str(error).splitlines()
        if beyond := _MEMORY_TAKEN.search(first):
            raise ConfigError(_too_little_memory(tenant, source.directory / CONFIG_NAME, *beyond.groups())) from None
        raise type(error)("\n".join([f"{source.directory}: {_explanation(first, rest, tenant)}", *rest])) from None


# What the core says of a limit below what a base or a layer takes.
_MEMORY_TAKEN = re.compile(r"memory limit is .* takes (\d+) MiB, and allows (\d+)")


_PLACE = re.compile(r"""^ +File "/app/(.+)", line (\d+)""", re.MULTILINE)
"""A file of the tenant in a traceback."""


def _too_little_memory(tenant: Tenant, file: Path, taken: str, most: str) -> str:
    said = f"{tenant.limits.memory_bytes_max / 2**20:g} MiB"
    return (
        f"{file}: `limits.memory_bytes_max` cannot be {said}: CPython and the packages take {taken} MiB before the "
        f"program begins; leave the key out, or set some MiB more than that and {most} MiB at most"
    )


def _explanation(first: str, rest: Sequence[str], tenant: Tenant) -> str:
    limits = tenant.limits
    if "more CPU time than the limit" in first:
        return (
            f"{first}, {limits.init_cpu_ns_max / 1e9:g} s; look for a loop without an end outside of functions and in "
            "`on_init`, or raise `limits.init_cpu_ns_max` in dayfly.toml"
        )
    if "more memory than the limit" in first:
        return (
            f"{first}, {limits.memory_bytes_max / 2**20:g} MiB; keep less from the start, or raise "
            "`limits.memory_bytes_max` in dayfly.toml"
        )
    if first.startswith("Traceback") or _PLACE.match(first):
        # What the program logged stands below, further in.
        raised = next((line for line in reversed(rest) if line and not line.startswith(" ")), first)
        file, line = (_PLACE.findall("\n".join([first, *rest])) or [("app.py", "1")])[-1]
        return f"{file}:{line}: the program cannot be loaded: {raised}; correct it\n{first}"
    if "has neither a function" in first:
        return f"{first}; define one of them in app.py"
    return first


def rehearse(tenant: Tenant, directory: Path, core: Core, secrets: Mapping[str, str]) -> None:
    """Send a release the tenant's sample requests. Raises RehearsalFailed at the first that is not answered well."""
    for sample, answer in zip(tenant.sample_requests, sent(tenant, directory, core, secrets), strict=True):
        if problem := unexpected(sample, answer):
            first = f"{sample.method} {sample.path}: {problem}; correct the program, or dayfly.toml"
            raise RehearsalFailed("\n".join(filter(None, [first, answer.failure, *(text for _, text in answer.log)])))


def sent(tenant: Tenant, directory: Path, core: Core, secrets: Mapping[str, str]) -> list[Rehearsed]:
    """Send a release all sample requests of its tenant, and return the answers."""
    host = tenant.hosts[0] if tenant.hosts else "localhost"
    return core.rehearse(directory, host, tenant.sample_requests, secrets)


def unexpected(sample: SampleRequest, answer: Rehearsed) -> str:
    """Say what is wrong with the answer to a sample request; empty if nothing is."""
    if answer.status == sample.status or (sample.status is None and answer.status < SERVER_ERROR):
        return ""
    expected = f"{sample.status}" if sample.status else "a status below 500"
    return f"answered {answer.status}, and `sample_requests` expects {expected}"


def ensure_base(bases: Bases, core: Core, steps: Steps) -> Path:
    """Return the base; the first on a machine shows a bar while it is made."""
    with steps.step("base"), shown("CPython for tier `python`") as progress:
        base = bases.base(core, progress)
    if base.snapshot:
        size = mebibytes(base.directory)
        logger.info("base %s made, %.1f MiB, %.1f s", base.directory.name[:12], size, steps.seconds["base"])
    return base.directory


def _layer(base: Path, lock: Lock, workshop: Workshop, core: Core) -> Path:
    start = time.perf_counter()
    layer = workshop.bases.layer(base, lock, workshop.resolver.packages, core)
    if layer.snapshot:
        packages, seconds = ", ".join(map(str, lock.packages)), time.perf_counter() - start
        size = mebibytes(layer.directory)
        logger.info("layer %s made, %.1f MiB, %.1f s: %s", layer.directory.name[:12], size, seconds, packages)
        for pair in _list_of(layer.snapshot, "not_imported"):
            match pair:
                case [name, reason]:
                    logger.info("layer %s: module `%s` cannot be imported: %s", layer.directory.name[:12], name, reason)
        for reason in _list_of(layer.snapshot, "not_warmed"):
            logger.info("layer %s: requests will cost more: %s", layer.directory.name[:12], reason)
    return layer.directory


def mebibytes(directory: Path) -> float:
    """Return the size of code and image of a release, without those of its parent."""
    files = [directory / name for name in ("code.wasm", "image")]
    return sum(file.stat().st_size for file in files if file.exists()) / 2**20


@dataclass(frozen=True)
class Trial:
    """A release that is recorded nowhere, for as long as somebody tries it."""

    made: Made
    directory: Path
    steps: Steps


@contextmanager
def tried(tenant: Tenant, source: Source, *, workshop: Workshop, core: Core) -> Iterator[Trial]:
    """Make a release, and keep it until the block ends. Raises what `deploy` raises."""
    job = Job(workshop, core, registry=None)
    made = make(tenant, source, job)
    with ExitStack() as held:
        with job.steps.step("write"):
            directory = held.enter_context(workshop.bases.holding(made))
        yield Trial(made, directory, job.steps)


def check(tenant: Tenant, directory: Path, *, workshop: Workshop, core: Core) -> Made:
    """Make a release, rehearse it, and keep nothing of it. The value of each secret is its name."""
    with tried(tenant, Source.read(directory), workshop=workshop, core=core) as trial:
        if tenant.sample_requests:
            rehearse(tenant, trial.directory, core, {name: name for name in tenant.secrets})
        return trial.made


def captured(snapshot: Snapshot | None) -> list[str]:
    """Say, a line each, what a program drew or read while it was loaded: every request sees the same."""
    what = {"random": "randomness", "clock": "the time"}
    lines = []
    for place in _list_of(snapshot, "captured"):
        match place:
            case {"what": str(kind), "file": str(file), "line": int(line)}:
                lines.append(
                    f"{printable(file)}:{line}: {what.get(kind, printable(kind))} taken while the program is loaded "
                    "is the same in every request; take it in the handler"
                )
    return lines


def _list_of(snapshot: Snapshot | None, fact: str) -> list[Any]:
    """Return what a program says of itself: it may say anything, in any form."""
    found = snapshot.facts.get(fact) if snapshot else None
    return found if isinstance(found, list) else []


def resume(name: str, *, workshop: Workshop, registry: Registry, core: Core) -> str:
    """Publish the recorded release of a tenant without its directory; return what `publish` does.

    If what it stands on is damaged, that is mended, or the release is made again from the source that it holds. If its
    own files are, it is set aside, and DamagedRelease says what to do; the other tenants are not concerned.
    """
    current = registry.current(name)
    if current is None:
        return ""
    if not current.directory.is_dir():
        raise RegistryError(f"the release of tenant `{name}` is not in the data directory; {_again(name)}")
    try:
        return publish(name, registry, core)
    except DamagedRelease as damage:
        _mend(current, workshop, registry)
        if not current.directory.is_dir():
            raise DamagedRelease(f"tenant `{name}`: {damage}; {_again(name)}") from None
        logger.warning("tenant %s: %s", name, damage)
        try:
            if not release.is_whole(current.directory):
                _made_again(current, workshop, registry, core)
            return publish(name, registry, core)
        except DayflyError as error:
            raise DamagedRelease(f"tenant `{name}`: {damage}, and then: {error}; {_again(name)}") from None


def _mend(damaged: Release, workshop: Workshop, registry: Registry) -> bool:
    """Mend what a release stands on, if its own files are sound; else set it aside. Tell whether anything changed."""
    if not release.is_sound(damaged.directory):
        registry.set_aside(damaged.digest)
        return True
    parent = release.parent_of(damaged.directory)
    return parent is not None and release.mend(parent, registry, workshop.bases)


def _made_again(lost: Release, workshop: Workshop, registry: Registry, core: Core) -> None:
    """Make a release whose base or layer is lost again, from the source that it holds, on the base of today."""
    # Later than any file of the source was changed: what clients keep of the old release does not pass for the new one.
    source = replace(source_of(lost), modified_s=int((lost.directory / release.SOURCE).stat().st_mtime))
    effective = registry.effective(lost.tenant)
    written = registry.write(make(effective, source, Job(workshop, core, registry)))
    logger.warning("tenant %s: its release is made again from the source that it holds", lost.tenant.name)
    registry.record(lost.tenant, written, _origin(effective, source))


def source_of(recorded: Release) -> Source:
    """Return what a release was made from. Raises DamagedRelease."""
    try:
        return Source.unpack(Path(recorded.tenant.name), (recorded.directory / release.SOURCE).read_bytes())
    except (OSError, tarfile.TarError) as error:
        raise DamagedRelease(f"release `{recorded.digest}` is damaged: {release.SOURCE}: {error}") from None


def is_as_said(recorded: Release, registry: Registry) -> bool:
    """Tell whether a release was made under the limits and variables that hold now. Raises DamagedRelease."""
    return recorded.origin[:_HALF] == _origin(registry.effective(recorded.tenant), source_of(recorded))[:_HALF]


def _secrets(tenant: Tenant, registry: Registry) -> dict[str, str]:
    """Return the values of those that the tenant names; one that has none yet is missing, and said so.

    So are all if they cannot be read: that concerns this tenant, and is no reason for the others not to start.
    """
    try:
        known = registry.secrets(tenant.name) if tenant.secrets else {}
    except RegistryError as error:
        logger.error("tenant %s: %s", tenant.name, error)
        known = {}
    for name in tenant.secrets:
        if name not in known:
            logger.warning("tenant %s: secret `%s` has no value; see dayfly secret set", tenant.name, name)
    return {name: known[name] for name in tenant.secrets if name in known}


def _again(name: str) -> str:
    return f"deploy it again: dayfly serve DIRECTORY_OF_{name}"


_HALF = 32
"""Digits of an origin that say from what a release was made; the others say by what."""


def _origin(tenant: Tenant, source: Source) -> str:
    """Digest everything that decides what a release is: source and tenant, and this version of dayfly to the octet."""
    made_from = hashlib.sha256(source.digest.encode() + tenant.model_dump_json().encode())
    return made_from.hexdigest()[:_HALF] + _dayfly()[:_HALF]


@cache
def _dayfly() -> str:
    """Digest the toolchain and the native half: a release made by another version is made again."""
    package = Path(__file__).parent
    files = [*package.glob("_core*.so"), *package.glob("toolchain/**/*"), *package.glob("handler/**/*")]
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file() and file.suffix != ".pyc"):
        digest.update(file.relative_to(package).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
