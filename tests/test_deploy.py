"""The story of a deploy, on a core that only remembers."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dayfly import bases, release
from dayfly.bases import Bases
from dayfly.config import Limits, Tenant
from dayfly.core import Canary, Rehearsed, Snapshot
from dayfly.deploy import Change, Deployed, Workshop, build, captured, check, deploy, resume
from dayfly.errors import (
    BuildError,
    Conflict,
    DamagedRelease,
    InitFailed,
    PackagesRefused,
    RegistryError,
    RehearsalFailed,
)
from dayfly.log import logger
from dayfly.registry import Registry
from dayfly.resolver import Resolver, ResolverOptions
from dayfly.testing import FakeCore
from dayfly.toolchain import Source, Toolchain
from dayfly.toolchain.progress import Progress
from tests.registry.spoil import spoil
from tests.resolver.index import LocalIndex, serving, wheel


class House:
    """A registry, a toolchain and a core."""

    def __init__(self, registry: Registry, core: FakeCore, workshop: Workshop) -> None:
        self.registry, self.core, self.workshop = registry, core, workshop

    def deploy(self, directory: Path, change: Change | None = None) -> Deployed:
        """Deploy a directory."""
        return deploy(
            Tenant.load(directory),
            directory,
            workshop=self.workshop,
            registry=self.registry,
            core=self.core,
            change=change or Change(),
        )


def damage(directory: Path) -> None:
    """Flip one octet of an image."""
    content = (directory / "image").read_bytes() or b"\0"
    (directory / "image").write_bytes(bytes([content[0] ^ 1]) + content[1:])


def watch(core: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a core check what it publishes and loads into, with all parents, as the native one does."""

    def check_digests(directory: Path) -> None:
        if not release.is_sound(directory):
            raise DamagedRelease(f"release `{directory.name}` is damaged")
        if parent := release.parent_of(directory):
            check_digests(directory.with_name(parent))

    publish, freeze_on = core.publish, core.freeze_on

    def publish_checked(tenant: Tenant, place: Path, secrets: Mapping[str, str], canary: Canary | None = None) -> None:
        check_digests(place)
        publish(tenant, place, secrets, canary)

    def freeze_checked(parent: Path, bundle: bytes, limits: Limits) -> Snapshot:
        check_digests(parent)
        return freeze_on(parent, bundle, limits)

    monkeypatch.setattr(core, "publish", publish_checked)
    monkeypatch.setattr(core, "freeze_on", freeze_checked)


@pytest.fixture
def index() -> Iterator[LocalIndex]:
    """Return a package index on loopback."""
    with serving(LocalIndex()) as served:
        yield served


@pytest.fixture
def house(tmp_path: Path, index: LocalIndex) -> Iterator[House]:
    """Return what a deploy needs; the base is a file that says how often it was made."""
    made: list[str] = []

    def program(progress: Progress) -> bytes:
        progress("pretending", 0, 3)
        made.append("base")
        return f"base {len(made)}".encode()

    workshop = Workshop(
        Toolchain(),
        Resolver(ResolverOptions(index=index.url, cache=tmp_path / "cache/packages")),
        Bases(tmp_path / "cache", program),
    )
    with Registry.open(tmp_path / "data") as registry:
        yield House(registry, FakeCore(), workshop)


def test_a_deploy_is_recorded_and_published(house: House, make_tenant: Callable[..., Path]) -> None:
    """What is published is what is recorded."""
    deployed = house.deploy(make_tenant())
    assert house.registry.current("hello") == deployed.release
    assert house.core.published["hello"] == (deployed.release.tenant, deployed.release.directory)
    assert list(deployed.steps.seconds) == ["read", "build", "freeze", "write", "record", "publish"]


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


def test_what_was_made_before_is_not_built_again(house: House, make_tenant: Callable[..., Path]) -> None:
    """It is gone back to, whole or packed; one whose files are lost is made again."""
    directory = make_tenant()
    program = (directory / "app.wat").read_text(encoding="utf-8")
    first = house.deploy(directory).release
    (directory / "app.wat").write_text(program.replace("hello", "later"), encoding="utf-8")
    second = house.deploy(directory).release
    house.registry.tidy()
    (directory / "app.wat").write_text(program, encoding="utf-8")
    back = house.deploy(directory)
    assert (back.unchanged, back.release.number, len(house.core.frozen)) == (True, first.number, 2)
    assert house.core.published["hello"][1] == first.directory
    house.registry.tidy()
    (house.registry.directory / "packed" / second.digest).unlink()
    (directory / "app.wat").write_text(program.replace("hello", "later"), encoding="utf-8")
    assert not house.deploy(directory).unchanged
    assert house.registry.current("hello") == second


def test_a_canary_of_what_serves_is_refused(house: House, make_tenant: Callable[..., Path]) -> None:
    """There would be nothing to try."""
    directory = make_tenant()
    house.deploy(directory)
    with pytest.raises(Conflict, match="release 1 of tenant `hello` is the current one already; nothing to try"):
        house.deploy(directory, Change(canary=0.5))
    assert house.registry.canary("hello") is None


def test_a_deploy_of_what_serves_ends_the_canary(house: House, make_tenant: Callable[..., Path]) -> None:
    """It is to get all requests, and nothing is built for that."""
    directory = make_tenant()
    program = (directory / "app.wat").read_text(encoding="utf-8")
    first = house.deploy(directory).release
    (directory / "app.wat").write_text(program.replace("hello", "later"), encoding="utf-8")
    house.deploy(directory, Change(canary=0.5))
    (directory / "app.wat").write_text(program, encoding="utf-8")
    assert house.deploy(directory).unchanged
    assert house.registry.canary("hello") is None
    assert house.registry.current("hello") == first
    assert house.core.canaries["hello"] is None


def test_a_release_holds_the_source_that_it_was_made_from(
    house: House, make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if somebody writes into the directory during the deploy."""
    directory = make_tenant()
    before = (directory / "app.wat").read_bytes()
    read = Source.read

    def then_changed(place: Path) -> Source:
        source = read(place)
        (place / "app.wat").write_bytes(before.replace(b"hello", b"HELLO"))
        return source

    monkeypatch.setattr(Source, "read", then_changed)
    place = house.deploy(directory).release.directory
    assert Source.unpack(directory, (place / "source.tar").read_bytes()).files["app.wat"] == before
    assert b"hello" in (place / "code.wasm").read_bytes()


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
    damage(first.release.directory)
    watch(house.core, monkeypatch)
    second = house.deploy(directory)
    assert second.release == first.release
    assert not second.unchanged
    assert first.release.directory.with_name(f"{first.release.digest}.damaged").is_dir()


def test_a_recorded_tenant_resumes_without_its_source(house: House, make_tenant: Callable[..., Path]) -> None:
    """Nothing is built or frozen."""
    recorded = house.deploy(make_tenant()).release
    core = FakeCore()
    assert resume("hello", workshop=house.workshop, registry=house.registry, core=core) == ""
    assert house.registry.current("hello") == recorded
    assert core.published["hello"][1] == recorded.directory
    assert core.frozen == []


def test_a_damaged_release_does_not_resume(
    house: House, make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is marked, and the message says what to do, at this start and at the next."""
    damage(house.deploy(make_tenant()).release.directory)
    watch(house.core, monkeypatch)
    with pytest.raises(DamagedRelease, match=r"tenant `hello`: release `.*` is damaged; deploy it again: dayfly"):
        resume("hello", workshop=house.workshop, registry=house.registry, core=house.core)
    with pytest.raises(RegistryError, match=r"tenant `hello` is not in the data directory; deploy it again: dayfly"):
        resume("hello", workshop=house.workshop, registry=house.registry, core=house.core)


def test_a_build_publishes_nothing(house: House, make_tenant: Callable[..., Path]) -> None:
    """It records the release for the next start."""
    directory = make_tenant()
    tenant = Tenant.load(directory)
    built = build(tenant, directory, workshop=house.workshop, registry=house.registry, core=house.core)
    assert house.registry.current("hello") == built.release
    assert house.core.published == {}


PYTHON = {"app.py": "def on_client_request():\n    return 'hello'\n"}
WEB = {**PYTHON, "requirements.txt": "web>=1\n"}


def manifest(directory: Path) -> dict[str, object]:
    """Read the manifest of a release."""
    known: dict[str, object] = json.loads((directory / "manifest.json").read_bytes())
    return known


def test_a_python_tenant_is_a_delta_on_the_base(house: House, make_tenant: Callable[..., Path]) -> None:
    """The base is made once, stands beside the releases that name it, and has no tenant."""
    one = house.deploy(make_tenant("one", PYTHON))
    two = house.deploy(make_tenant("two", {"app.py": "x = 1\n"}))
    assert list(one.steps.seconds) == [*("read", "bundle", "base", "adopt", "freeze", "write", "record", "publish")]
    assert len(house.core.frozen) == 1
    (base,) = {parent for parent, _ in house.core.loaded}
    assert base.parent == one.release.directory.parent
    assert (base / "code.wasm").read_bytes() == b"base 1"
    for deployed in (one, two):
        known = manifest(deployed.release.directory)
        assert known["parent"] == base.name
        assert "code_sha256" not in known
        assert {file.name for file in deployed.release.directory.iterdir()} == {"manifest.json", "image", "source.tar"}
    assert house.registry.names() == ["one", "two"]


def test_another_data_directory_has_the_same_base(
    house: House, make_tenant: Callable[..., Path], tmp_path: Path
) -> None:
    """From the machine's cache; only its owner may read it."""
    tenant = make_tenant("one", PYTHON)
    first = house.deploy(tenant)
    with Registry.open(tmp_path / "other") as registry:
        second = House(registry, FakeCore(), house.workshop).deploy(tenant)
    assert second.release.digest == first.release.digest
    assert len(house.core.frozen) == 1
    kept = tmp_path / "cache/python/releases"
    assert {path.stat().st_mode & 0o077 for path in [kept, *kept.rglob("*")]} == {0}


def test_packages_are_a_layer_that_tenants_share(
    house: House, index: LocalIndex, make_tenant: Callable[..., Path]
) -> None:
    """Frozen once for a lock, on the base; tenants stand on the layer."""
    index.add("web", wheel("web", "1.0", requires=("more",)))
    index.add("more", wheel("more", "2.0"))
    one = house.deploy(make_tenant("one", WEB))
    asked = len(index.paths)
    two = house.deploy(make_tenant("two", {**WEB, "app.py": "x = 1\n"}))
    assert list(one.steps.seconds)[2:6] == ["base", "lock", "layer", "adopt"]
    assert len(index.paths) == asked
    base, *layers = [parent for parent, _ in house.core.loaded]
    assert len(layers) == 2
    assert len(set(layers)) == 1
    head, _, content = house.core.loaded[0][1].partition(b"\n")
    layer = json.loads(head)
    assert (layer["kind"], layer["imports"]) == ("layer", ["more", "web"])
    assert ["web/__init__.py", 16] in layer["files"]
    assert b"version = '2.0'" in content
    for deployed in (one, two):
        parent = deployed.release.directory.with_name(str(manifest(deployed.release.directory)["parent"]))
        assert manifest(parent)["parent"] == base.name
        assert parent.with_name(base.name).is_dir()


def test_what_a_layer_does_without_is_logged(
    house: House,
    index: LocalIndex,
    make_tenant: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Modules that cannot be imported, and frameworks that are not in use before the freeze."""
    index.add("web", wheel("web"))
    facts = {"not_imported": [["bad", "ImportError: no"]], "not_warmed": ["flask: TypeError: other"]}
    freeze_on = house.core.freeze_on
    monkeypatch.setattr(house.core, "freeze_on", lambda *words: replace(freeze_on(*words), facts=facts))
    monkeypatch.setattr(logger, "propagate", True)
    with caplog.at_level(logging.INFO, "dayfly"):
        house.deploy(make_tenant("one", WEB))
    said = [message.partition(": ")[2] for message in caplog.messages]
    assert said[-2:] == [
        "module `bad` cannot be imported: ImportError: no",
        "requests will cost more: flask: TypeError: other",
    ]


def test_a_bundle_has_variables_and_the_names_of_secrets(house: House, make_tenant: Callable[..., Path]) -> None:
    """And the files, but not dayfly.toml, and when the last of them was changed."""
    text = 'secrets = ["KEY"]\n[environment]\nSTAGE = "test"\n'
    directory = make_tenant("one", {**PYTHON, "page.html": "<p>", "dayfly.toml": text})
    for number, file in enumerate(sorted(directory.iterdir())):
        os.utime(file, (0, 1_700_000_000 + number))
    house.deploy(directory)
    head, _, content = house.core.loaded[0][1].partition(b"\n")
    assert json.loads(head) == {
        "kind": "tenant",
        "name": "app",
        "environ": {"STAGE": "test"},
        "secrets": ["KEY"],
        "time": 1_700_000_002,
        "files": [["app.py", len(PYTHON["app.py"])], ["page.html", 3]],
    }
    assert content == PYTHON["app.py"].encode() + bytes(64) + b"<p>" + bytes(64)


def test_a_tenant_gets_the_secrets_that_it_names(house: House, make_tenant: Callable[..., Path]) -> None:
    """Those that have a value, at a deploy and at a start; nothing that was frozen or recorded has one."""
    directory = make_tenant("one", {**PYTHON, "dayfly.toml": 'secrets = ["KEY", "LATER"]\n'})
    for name in ("KEY", "OTHER"):
        house.registry.set_secret("one", name, "canary")
    house.deploy(directory)
    assert house.core.secrets == {"one": {"KEY": "canary"}}
    assert b"canary" not in house.core.loaded[0][1]
    core = FakeCore()
    resume("one", workshop=house.workshop, registry=house.registry, core=core)
    assert core.secrets == house.core.secrets


def test_secrets_that_cannot_be_read_are_missing(
    house: House, make_tenant: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And said to be: no start fails for them."""
    directory = make_tenant("one", {**PYTHON, "dayfly.toml": 'secrets = ["KEY"]\n'})
    house.registry.set_secret("one", "KEY", "canary")
    spoil(tmp_path / "data", "UPDATE secrets SET sealed = x'00'")
    house.deploy(directory)
    resume("one", workshop=house.workshop, registry=house.registry, core=house.core)
    assert house.core.secrets == {"one": {}}
    assert caplog.text.count("tenant one: ") == 4
    assert "secret `KEY` of tenant `one` is damaged; set it again: dayfly secret set one KEY" in caplog.text
    assert "secret `KEY` has no value" in caplog.text


def test_what_cannot_be_a_python_program_is_refused(house: House, make_tenant: Callable[..., Path]) -> None:
    """Before anything is frozen."""
    with pytest.raises(BuildError, match=r"there is no app.py, where a program of tier `python` begins"):
        house.deploy(make_tenant("one", {"main.py": ""}))
    with pytest.raises(BuildError, match=r"fast.so: native code does not run in a sandbox"):
        house.deploy(make_tenant("two", {**PYTHON, "fast.so": "ELF"}))
    with pytest.raises(PackagesRefused, match=r"requirements.txt:1: `-r`: no other file is read"):
        house.deploy(make_tenant("three", {**PYTHON, "requirements.txt": "-r /etc/passwd\n"}))
    assert house.core.frozen == []


def test_what_does_not_fit_is_refused_beforehand(
    house: House, index: LocalIndex, make_tenant: Callable[..., Path]
) -> None:
    """A message says what is too large; the largest file is never copied, others are, one at a time."""
    large = {**PYTHON, "one.bin": "1" * (13 << 20), "two.bin": "2" * (7 << 20)}
    with pytest.raises(
        BuildError, match=r"its files have 20.0 MiB \(`one.bin` 13.0 and `two.bin` 7.0\), and .* 24 MiB"
    ):
        house.deploy(make_tenant("one", large))
    house.deploy(make_tenant("two", {**PYTHON, "one.bin": "1" * (23 << 20)}))
    house.deploy(make_tenant("three", {**PYTHON, **{f"{number}.bin": "1" * (1 << 20) for number in range(22)}}))
    index.add("web", wheel("web", "1.0", {"web.py": b"#" * (25 << 20)}))
    with pytest.raises(
        PackagesRefused, match=r"the packages: its files have 25.0 MiB \(`web.py` 25.0 and .*; take packag"
    ):
        house.deploy(make_tenant("four", WEB))


def test_a_failed_load_leaves_the_old_release(
    house: House, make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded and published; the traceback is the message."""
    directory = make_tenant("one", PYTHON)
    first = house.deploy(directory)

    def fail(*_: object) -> Snapshot:
        raise InitFailed('Traceback ...\n  File "app.py", line 1\nSyntaxError: invalid syntax')

    monkeypatch.setattr(house.core, "freeze_on", fail)
    (directory / "app.py").write_text("def", encoding="utf-8")
    with pytest.raises(InitFailed, match="SyntaxError"):
        house.deploy(directory)
    assert house.registry.current("one") == first.release


WHERE = pytest.mark.parametrize("where", [("data",), ("cache",), ("data", "cache")], ids="+".join)


def parent_in(deployed: Deployed, place: str, tmp_path: Path, what: str) -> Path:
    """Return the base or the layer that a release stands on, in the cache or in the data directory."""
    releases = {"data": tmp_path / "data/releases", "cache": tmp_path / "cache/python/releases"}[place]
    layer = str(manifest(deployed.release.directory)["parent"])
    return releases / (layer if what == "layer" else str(manifest(releases / layer)["parent"]))


@WHERE
@pytest.mark.parametrize("what", ["base", "layer"])
def test_damage_to_a_parent_takes_nobody_out_of_service(
    house: House,
    index: LocalIndex,
    make_tenant: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    where: tuple[str, ...],
    what: str,
) -> None:
    """It is taken from the other copy; without one, the release is made again from the source that it holds."""
    index.add("web", wheel("web", "1.0"))
    names = ("one", "two")
    before = {name: house.deploy(make_tenant(name, WEB)) for name in names}
    for place in where:
        damage(parent_in(before["one"], place, tmp_path, what))
    core = FakeCore()
    watch(core, monkeypatch)
    for name in names:
        resume(name, workshop=house.workshop, registry=house.registry, core=core)
    lost = len(where) == 2
    files = house.registry.releases.glob("*/code.wasm")
    bases_here = [file.read_text() for file in files if not file.parent.suffix]
    assert bases_here == (["base 2"] if lost and what == "base" else ["base 1"])
    for name, deployed in before.items():
        directory = core.published[name][1]
        assert release.is_whole(directory)
        assert lost or directory == deployed.release.directory
        assert release.is_sound(deployed.release.directory)
        assert (directory / "source.tar").read_bytes() == (deployed.release.directory / "source.tar").read_bytes()
        assert house.registry.current(name) == (
            deployed.release if not lost else replace(deployed.release, digest=directory.name, directory=directory)
        )
    monkeypatch.setattr(house, "core", core)
    assert house.deploy(make_tenant("one", WEB)).unchanged
    assert not house.deploy(make_tenant("three", {**WEB, "note": ""})).unchanged


@WHERE
def test_a_damaged_parent_is_no_end_to_a_deploy(
    house: House, make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: tuple[str]
) -> None:
    """Neither of the tenant that stands on it nor of another one; what has no good copy is kept under another name."""
    directory = make_tenant("one", PYTHON)
    first = house.deploy(directory)
    parents = [parent_in(first, place, tmp_path, "layer") for place in where]
    for parent in parents:
        damage(parent)
    watch(house.core, monkeypatch)
    assert house.deploy(directory).unchanged == (len(where) == 1)
    house.deploy(make_tenant("two", {"app.py": "x = 1\n"}))
    for parent in parents:
        if parent.parents[1].name == "data":  # the cache is swept when a base is made
            assert parent.with_name(f"{parent.name}.damaged").is_dir()


def test_a_damaged_copy_in_the_cache_is_mended_by_who_needs_it(
    house: House, index: LocalIndex, make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From the data directory: a layer is made on the cache's base."""
    index.add("web", wheel("web", "1.0"))
    base = parent_in(house.deploy(make_tenant("one", PYTHON)), "cache", tmp_path, "layer")
    damage(base)
    watch(house.core, monkeypatch)
    house.deploy(make_tenant("two", WEB))
    assert release.is_sound(base)
    assert len(house.core.frozen) == 1


def test_a_data_directory_has_octets_of_its_own(house: House, make_tenant: Callable[..., Path], tmp_path: Path) -> None:
    """Damage to one copy of a base is damage to one."""
    first = house.deploy(make_tenant("one", PYTHON))
    copies = [parent_in(first, place, tmp_path, "layer") for place in ("data", "cache")]
    for name in ("manifest.json", "code.wasm", "image", "source.tar"):
        one, other = ((copy / name).stat() for copy in copies)
        assert one.st_ino != other.st_ino
        assert one.st_mode & 0o777 == 0o600
        assert (copies[0] / name).read_bytes() == (copies[1] / name).read_bytes()


def test_a_release_is_rehearsed_before_anybody_gets_it(house: House, make_tenant: Callable[..., Path]) -> None:
    """With the tenant's sample requests; one that is not answered well leaves the old release."""
    samples = '[[sample_requests]]\n[[sample_requests]]\npath = "/missing"\nstatus = 404\n'
    directory = make_tenant("one", {**PYTHON, "dayfly.toml": samples})
    house.core.answers["/missing"] = Rehearsed(404)
    first = house.deploy(directory)
    assert list(first.steps.seconds)[-4:] == ["write", "rehearse", "record", "publish"]
    assert house.core.rehearsed == [(first.release.directory, "one.localhost")]
    (directory / "app.py").write_text("x = 2\n", encoding="utf-8")
    failures = {
        "/missing": (Rehearsed(200), r"GET /missing: answered 200, and `sample_requests` expects 404; correct"),
        "/": (
            Rehearsed(500, "Traceback ...", ((1, "printed"),)),
            r"GET /: answered 500, and .* expects a status below 500; .*\nTraceback ...\nprinted",
        ),
    }
    for path, (answer, message) in failures.items():
        house.core.answers = {"/missing": Rehearsed(404), path: answer}
        with pytest.raises(RehearsalFailed, match=message):
            house.deploy(directory)
        assert house.registry.current("one") == first.release
        assert house.core.published["one"][1] == first.release.directory


def test_the_cache_keeps_the_bases_that_were_used_last(
    house: House, index: LocalIndex, make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With their layers; older ones go when another version makes its own, and data directories keep theirs."""
    monkeypatch.setattr(bases, "BASES_KEPT", 3)
    index.add("web", wheel("web", "1.0"))
    one, two = make_tenant("one", PYTHON), make_tenant("two", WEB)
    kept = []
    for version in ("a", "b", "c", "a", "d"):
        monkeypatch.setattr(bases, "_version", lambda version=version: version)
        house.registry.prune()
        for directory in (one, two):
            (directory / "app.py").write_text(f"version = {version!r}\n", encoding="utf-8")
            house.deploy(directory)
        kept.append({path.name for path in (tmp_path / "cache/python/releases").iterdir()})
    first, _, third, _, last = kept
    assert len(third) == 6
    assert len(last) == 6
    assert first <= last
    assert {path.name for path in house.registry.releases.iterdir()} > last - third


def test_a_check_records_nothing(house: House, make_tenant: Callable[..., Path], tmp_path: Path) -> None:
    """It stands on the cache's base, and is rehearsed there."""
    samples = 'secrets = ["KEY"]\n[[sample_requests]]\nstatus = 200\n'
    directory = make_tenant("one", {**PYTHON, "dayfly.toml": samples})
    made = check(Tenant.load(directory), directory, workshop=house.workshop, core=house.core)
    ((rehearsed, _),) = house.core.rehearsed
    assert rehearsed.is_relative_to(tmp_path / "cache/python")
    assert not rehearsed.exists()
    house.core.answers["/"] = Rehearsed(500)
    with pytest.raises(RehearsalFailed):
        check(Tenant.load(directory), directory, workshop=house.workshop, core=house.core)
    assert made.parent == house.core.loaded[0][0].name
    assert list((tmp_path / "data/releases").iterdir()) == []
    assert house.registry.names() == []


def test_two_checks_of_one_directory_do_not_meet(house: House, make_tenant: Callable[..., Path]) -> None:
    """Each rehearses a release of its own, beside a parent of its own."""
    directory = make_tenant("one", PYTHON)
    made = check(Tenant.load(directory), directory, workshop=house.workshop, core=house.core)
    with house.workshop.bases.holding(made) as one:
        with house.workshop.bases.holding(made) as other:
            assert one != other
            assert release.is_whole(other)
        assert release.is_whole(one)
        assert release.is_sound(one)
    assert not one.exists()


def test_what_a_program_captured_is_said_by_its_line() -> None:
    """Every request would see the same."""
    places = [{"what": "random", "file": "app.py", "line": 3}, {"what": "clock", "file": "x.py", "line": 1}]
    lines = captured(Snapshot(b"", b"", {}, 0, None, facts={"captured": places}))
    assert [line.partition(" taken")[0] for line in lines] == ["app.py:3: randomness", "x.py:1: the time"]
    assert captured(None) == []


def test_what_a_program_says_that_it_captured_may_have_any_form() -> None:
    """It is the program that tells: nothing of it reaches a terminal as it is, and what is no place is left out."""
    forged = {"what": "\x1b[2J", "file": "a\x1b]0;x\x07\n.py", "line": 1}
    places: list[object] = [
        None,
        3,
        "x",
        [],
        {},
        {"what": "random"},
        {"what": "clock", "file": "a.py", "line": "x"},
        forged,
    ]
    (line,) = captured(Snapshot(b"", b"", {}, 0, None, facts={"captured": places}))
    assert line.startswith(r"a\x1b]0;x\x07\n.py:1: \x1b[2J taken")
    for other in (None, 3, "text", {"a": 1}):
        assert captured(Snapshot(b"", b"", {}, 0, None, facts={"captured": other})) == []
