"""The story of a deploy, and the one of a start: which releases serve, and how they got there."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from dayfly.config import Tenant
from dayfly.core import Core, Snapshot
from dayfly.errors import DamagedRelease, RegistryError
from dayfly.log import logger
from dayfly.registry import Registry, Release
from dayfly.toolchain import Source, Toolchain


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
    """A release that is recorded, and what its program logged while it started."""

    release: Release
    steps: Steps
    init_log: tuple[tuple[int, str], ...] = ()
    unchanged: bool = False


def deploy(tenant: Tenant, directory: Path, *, toolchain: Toolchain, registry: Registry, core: Core) -> Deployed:
    """Build, freeze, record and publish one release; the old one serves until the swap.

    Blocks for as long as the compiler takes. Raises DayflyError; then the old release still serves.
    """
    deployed = build(tenant, directory, toolchain=toolchain, registry=registry, core=core)
    try:
        with deployed.steps.step("publish"):
            core.publish(tenant, deployed.release.directory)  # one pointer swap; requests in flight keep theirs
    except DamagedRelease as damage:
        if not deployed.unchanged:
            raise
        logger.warning("tenant %s: %s; building it again", tenant.name, damage)
        registry.set_aside(deployed.release.digest)
        return deploy(tenant, directory, toolchain=toolchain, registry=registry, core=core)
    return deployed


def build(tenant: Tenant, directory: Path, *, toolchain: Toolchain, registry: Registry, core: Core) -> Deployed:
    """Build, freeze and record one release, or return the recorded one if it was made from the same things."""
    registry.check_routes(tenant)
    steps = Steps()
    with steps.step("read"):
        origin = _origin(tenant, Source.read(directory))
        current = registry.current(tenant.name)
    if current and current.origin == origin and current.directory.is_dir():
        return Deployed(current, steps, unchanged=True)
    with steps.step("build"):
        program = toolchain.build(directory, tenant.tier)  # one-shot process: hostile source -> wasm
    with steps.step("freeze"):
        snapshot = core.freeze(program.wasm, tenant.limits)  # compile, start-up, on_init, once, limited
    with steps.step("record"):
        release = registry.record(tenant, program, snapshot, origin)  # durable before visible
    return Deployed(release, steps, snapshot.init_log)


def check(tenant: Tenant, directory: Path, *, toolchain: Toolchain, core: Core) -> Snapshot:
    """Build and freeze, and keep nothing."""
    return core.freeze(toolchain.build(directory, tenant.tier).wasm, tenant.limits)


def resume(name: str, *, registry: Registry, core: Core) -> Release | None:
    """Publish the recorded release of a tenant without building anything.

    A damaged one is set aside, and DamagedRelease says what to do; the other tenants are not concerned.
    """
    release = registry.current(name)
    if release is None:
        return None
    if not release.directory.is_dir():
        raise RegistryError(f"the release of tenant `{name}` is not in the data directory; {_again(name)}")
    try:
        core.publish(release.tenant, release.directory)
    except DamagedRelease as error:
        registry.set_aside(release.digest)
        raise DamagedRelease(f"tenant `{name}`: {error}; {_again(name)}") from None
    return release


def _again(name: str) -> str:
    return f"deploy it again: dayfly serve DIRECTORY_OF_{name}"


def _origin(tenant: Tenant, source: Source) -> str:
    """Digest everything that decides what a release is: source, tenant, and this version of dayfly to the octet."""
    digest = hashlib.sha256(source.digest.encode())
    digest.update(tenant.model_dump_json().encode())
    digest.update(_dayfly())
    return digest.hexdigest()


@cache
def _dayfly() -> bytes:
    """Digest the toolchain and the native half: a release made by another version is made again."""
    package = Path(__file__).parent
    files = [*package.glob("_core*.so"), *package.glob("toolchain/**/*")]
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file() and file.suffix != ".pyc"):
        digest.update(file.relative_to(package).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.digest()
