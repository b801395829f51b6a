"""The story of a deploy, on a core that only remembers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dayfly.config import Tenant
from dayfly.core import Snapshot
from dayfly.deploy import Deployed, build, deploy, resume
from dayfly.errors import BuildError, DamagedRelease, InitFailed, RegistryError
from dayfly.registry import Registry
from dayfly.testing import FakeCore
from dayfly.toolchain import Toolchain


class House:
    """A registry, a toolchain and a core."""

    def __init__(self, registry: Registry, core: FakeCore) -> None:
        self.registry, self.core, self.toolchain = registry, core, Toolchain()

    def deploy(self, directory: Path) -> Deployed:
        """Deploy a directory."""
        return deploy(
            Tenant.load(directory), directory, toolchain=self.toolchain, registry=self.registry, core=self.core
        )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Return what a deploy needs."""
    with Registry.open(tmp_path / "data") as registry:
        yield House(registry, FakeCore())


def test_a_deploy_is_recorded_and_published(house: House, make_tenant: Callable[..., Path]) -> None:
    """What is published is what is recorded."""
    deployed = house.deploy(make_tenant())
    assert house.registry.current("hello") == deployed.release
    assert house.core.published["hello"] == (deployed.release.tenant, deployed.release.directory)
    assert list(deployed.steps.seconds) == ["read", "build", "freeze", "record", "publish"]


def test_an_unchanged_source_is_not_built_again(house: House, make_tenant: Callable[..., Path]) -> None:
    """It is only published; a changed one is built, and so is one with other limits."""
    directory = make_tenant()
    first = house.deploy(directory)
    assert house.deploy(directory).unchanged
    assert len(house.core.frozen) == 1
    (directory / "dayfly.toml").write_text('tier = "wasm"\n[limits]\nqueue_max = 2\n', encoding="utf-8")
    second = house.deploy(directory)
    assert second.release.digest != first.release.digest
    assert house.core.frozen[1].queue_max == 2


def test_a_failed_build_leaves_the_old_release(house: House, make_tenant: Callable[..., Path]) -> None:
    """Recorded and published."""
    directory = make_tenant()
    first = house.deploy(directory)
    (directory / "app.wat").write_text("(module (nonsense))", encoding="utf-8")
    with pytest.raises(BuildError, match=r"app.wat: not valid WebAssembly text: .*app.wat:1:10"):
        house.deploy(directory)
    assert house.registry.current("hello") == first.release
    assert house.core.published["hello"][1] == first.release.directory


def test_a_failed_start_leaves_nothing(
    house: House, make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No release, no record."""

    def fail(*_: object) -> Snapshot:
        raise InitFailed("on_init raised ValueError")

    monkeypatch.setattr(house.core, "freeze", fail)
    with pytest.raises(InitFailed):
        house.deploy(make_tenant())
    assert house.registry.names() == []
    assert list((tmp_path / "data/releases").iterdir()) == []
    assert list((tmp_path / "data/scratch").iterdir()) == []


def test_a_damaged_release_is_built_again_from_its_source(
    house: House, make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If its source is at hand; the damaged one is set aside."""
    directory = make_tenant()
    first = house.deploy(directory)
    (first.release.directory / "image").write_bytes(b"damage")
    publish = house.core.publish

    def checking(tenant: Tenant, release: Path) -> None:
        if (release / "image").read_bytes():
            raise DamagedRelease("release `x` is damaged: image")
        publish(tenant, release)

    monkeypatch.setattr(house.core, "publish", checking)
    second = house.deploy(directory)
    assert second.release == first.release
    assert not second.unchanged
    assert first.release.directory.with_name(f"{first.release.digest}.damaged").is_dir()


def test_a_recorded_tenant_resumes_without_its_source(house: House, make_tenant: Callable[..., Path]) -> None:
    """Nothing is built or frozen."""
    release = house.deploy(make_tenant()).release
    core = FakeCore()
    assert resume("hello", registry=house.registry, core=core) == release
    assert core.published["hello"][1] == release.directory
    assert core.frozen == []


def test_a_damaged_release_does_not_resume(
    house: House, make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is marked, and the message says what to do, at this start and at the next."""
    house.deploy(make_tenant())

    def refuse(*_: object) -> None:
        raise DamagedRelease("release `x` is damaged: image does not have its digest")

    monkeypatch.setattr(house.core, "publish", refuse)
    with pytest.raises(DamagedRelease, match=r"tenant `hello`: release `x` is damaged: .*; deploy it again: dayfly"):
        resume("hello", registry=house.registry, core=house.core)
    with pytest.raises(RegistryError, match=r"tenant `hello` is not in the data directory; deploy it again: dayfly"):
        resume("hello", registry=house.registry, core=house.core)


def test_a_build_publishes_nothing(house: House, make_tenant: Callable[..., Path]) -> None:
    """It records the release for the next start."""
    directory = make_tenant()
    tenant = Tenant.load(directory)
    built = build(tenant, directory, toolchain=house.toolchain, registry=house.registry, core=house.core)
    assert house.registry.current("hello") == built.release
    assert house.core.published == {}
