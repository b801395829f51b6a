"""The data directory: one owner, releases named by their content, a record that is switched at once."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dayfly import release
from dayfly.config import Limits, Tenant
from dayfly.core import Snapshot
from dayfly.errors import DataDirectoryLocked, NotFound, RegistryError, RouteTaken
from dayfly.registry import Actor, Registry, Release
from dayfly.release import Made
from dayfly.toolchain import Source
from tests.registry.spoil import spoil

SNAPSHOT = Snapshot(code=b"code", image=b"image", layout={"memory_bytes": 65536}, takes=0, fresh=None)


def record(registry: Registry, name: str = "hello", snapshot: Snapshot = SNAPSHOT, **config: object) -> Release:
    """Record a release of a tenant."""
    tenant = Tenant.model_validate({"name": name, "hosts": [f"{name}.localhost"], **config})
    made = Made("compiled", snapshot, tenant.limits, Source(Path(), {"app.py": b"pass"}).bundle)
    return registry.record(tenant, registry.write(made), "origin")


def test_a_recorded_release_is_there_after_a_restart(tmp_path: Path) -> None:
    """With everything that its tenant said."""
    with Registry.open(tmp_path) as registry:
        release = record(registry, paths=["/z"])
    with Registry.open(tmp_path) as registry:
        assert registry.names() == ["hello"]
        assert registry.current("hello") == release
        assert registry.current("other") is None


def test_every_digest_is_that_of_the_file(tmp_path: Path) -> None:
    """The release is named by its manifest, and the manifest names the rest."""
    with Registry.open(tmp_path) as registry:
        release = record(registry)
    manifest = (release.directory / "manifest.json").read_bytes()
    assert release.directory.name == release.digest == hashlib.sha256(manifest).hexdigest()
    for key, file in (("code_sha256", "code.wasm"), ("image_sha256", "image"), ("source_sha256", "source.tar")):
        assert json.loads(manifest)[key] == hashlib.sha256((release.directory / file).read_bytes()).hexdigest()


def test_the_same_release_is_recorded_once(tmp_path: Path) -> None:
    """Recording again changes nothing; another program makes another release."""
    with Registry.open(tmp_path) as registry:
        first = record(registry)
        inode = first.directory.stat().st_ino
        assert record(registry).directory.stat().st_ino == inode
        other = record(registry, snapshot=Snapshot(b"other", b"", {}, 0, None))
        assert other.digest != first.digest
        assert registry.current("hello") == other


def test_processes_that_write_one_release_do_not_meet(tmp_path: Path) -> None:
    """All of them have it, whoever was first, also where a damaged one stood."""
    program = """if True:
        import sys, pathlib
        from dayfly import release
        from dayfly.config import Limits
        from dayfly.core import Snapshot
        place = pathlib.Path(sys.argv[1])
        snapshot = Snapshot(b"code", b"image" * 100_000, {}, 0, None)
        mades = [release.Made("wasm", snapshot, Limits(), str(number).encode()) for number in range(50)]
        sys.stdin.read()
        for made in mades:
            directory = release.write(place / "releases", made, scratch=place / "scratch")
            assert directory.is_dir()
    """
    for name in ("releases", "scratch"):
        (tmp_path / name).mkdir()
    command = [sys.executable, "-c", program, str(tmp_path)]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
        writer.stdin = None
    assert [writer.communicate()[1] for writer in writers] == [b""] * 4
    written = list((tmp_path / "releases").iterdir())
    assert len([directory for directory in written if release.is_sound(directory)]) == 50
    assert list((tmp_path / "scratch").iterdir()) == []


def test_recording_replaces_a_damaged_release(tmp_path: Path) -> None:
    """The damaged one is kept under another name."""
    with Registry.open(tmp_path) as registry:
        release = record(registry)
        (release.directory / "image").write_bytes(b"damage")
        assert record(registry).digest == release.digest
        assert (release.directory / "image").read_bytes() == b"image"
        assert (tmp_path / "releases" / f"{release.digest}.damaged" / "image").read_bytes() == b"damage"


def test_pruning_leaves_what_somebody_stands_on(tmp_path: Path) -> None:
    """Current releases and their parents, to the base; older ones, unused parents and what was set aside go."""
    with Registry.open(tmp_path) as registry:
        scratch = tmp_path / "scratch"
        base, old_base = (
            release.write(
                registry.releases, Made("python", Snapshot(code, b"", {}, 0, None), Limits(), b""), scratch=scratch
            )
            for code in (b"base", b"old base")
        )
        layer = release.write(
            registry.releases, Made("python", SNAPSHOT, Limits(), b"", parent=base.name), scratch=scratch
        )
        tenant = Tenant(name="hello", hosts=("hello.localhost",))
        first = registry.record(
            tenant, registry.write(Made("python", SNAPSHOT, tenant.limits, b"1", parent=old_base.name)), "1"
        )
        second = registry.record(
            tenant, registry.write(Made("python", SNAPSHOT, tenant.limits, b"2", parent=layer.name)), "2"
        )
        damaged = record(registry, "other")
        registry.set_aside(damaged.digest)
        registry.remove("other")
        assert registry.prune() == sorted([old_base.name, first.digest, f"{damaged.digest}.damaged"])
        assert {path.name for path in registry.releases.iterdir()} == {base.name, layer.name, second.digest}
        assert registry.prune() == []


def test_secrets_are_sealed(tmp_path: Path) -> None:
    """Replaced one by one, gone when they are removed, and in no file as they are."""
    with Registry.open(tmp_path) as registry:
        assert registry.secrets("hello") == {}
        registry.set_secret("hello", "KEY", "hidden-1")
        registry.set_secret("hello", "OTHER", "hidden-2")
        registry.set_secret("hello", "KEY", "hidden-3")
        assert registry.secrets("hello") == {"KEY": "hidden-3", "OTHER": "hidden-2"}
        registry.set_secret("hello", "OTHER", None)
        with pytest.raises(NotFound, match=r"tenant `hello` has no secret `OTHER`"):
            registry.set_secret("hello", "OTHER", None)
        assert registry.secret_names("hello") == ["KEY"]
        assert [event.details["variable"] for event in registry.history("hello")] == ["OTHER", "KEY", "OTHER", "KEY"]
        record(registry)
    with Registry.open(tmp_path) as registry:
        assert registry.secrets("hello") == {"KEY": "hidden-3"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if b"hidden" in path.read_bytes()] == []
    assert {path.stat().st_mode & 0o077 for path in files if path.name != "lock"} == {0}


def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    """The message names the process that holds the directory; its end frees it, however it ends."""
    program = """if True:
        import sys, pathlib, dayfly.registry
        registry = dayfly.registry.Registry.open(pathlib.Path(sys.argv[1]))
        print(1, flush=True)
        input()
    """
    command = [sys.executable, "-c", program, str(tmp_path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"1\n"
        with pytest.raises(DataDirectoryLocked, match=rf"is in use by process {holder.pid}; stop that one or choose"):
            Registry.open(tmp_path)
        holder.kill()
    Registry.open(tmp_path).close()


@pytest.mark.parametrize("directory", ["/dev/null/data", "/sys/dayfly", "/proc/dayfly"])
def test_a_directory_that_cannot_be_written_is_refused(directory: str) -> None:
    """Root meets these too: below a file, and in file systems that take no directories."""
    with pytest.raises(
        RegistryError, match=rf"data directory `{directory}` cannot be written: .*; make it writable or"
    ):
        Registry.open(Path(directory))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Making it writable would not help."""

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with Registry.open(tmp_path) as registry:
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(RegistryError, match=r"cannot be written: .*; free space there or choose another with --da"):
            record(registry)
        assert list((tmp_path / "releases").iterdir()) == []
        assert list((tmp_path / "scratch").iterdir()) == []


def test_half_written_things_are_removed_at_the_start(tmp_path: Path) -> None:
    """They were never visible as a release."""
    Registry.open(tmp_path).close()
    (tmp_path / "scratch/abc").mkdir()
    with Registry.open(tmp_path) as registry:
        assert not (tmp_path / "scratch/abc").exists()
        assert registry.names() == []


def test_a_tenant_that_is_withdrawn_serves_nothing_and_keeps_what_it_has(tmp_path: Path) -> None:
    """Its hosts are free, and it can be activated again."""
    with Registry.open(tmp_path) as registry:
        release = record(registry)
        registry.set_secret("hello", "KEY", "value")
        revision = registry.withdraw("hello", by=Actor("watch"), why="its directory is gone")
        assert registry.current("hello") is None
        assert registry.names() == []
        assert registry.secrets("hello") == {"KEY": "value"}
        (event,) = [event for event in registry.history("hello") if event.what == "withdraw"]
        assert (event.number, event.by, event.why) == (revision, "watch", "its directory is gone")
        registry.look(release.tenant.model_copy(update={"name": "other"}))
    with Registry.open(tmp_path) as registry:
        assert registry.current("hello") is None
        assert registry.activate("hello", release.number).digest == release.digest
        assert registry.names() == ["hello"]


def test_a_record_that_cannot_be_read_is_no_obstacle_to_others(tmp_path: Path) -> None:
    """It is named, and recording its tenant replaces it."""
    with Registry.open(tmp_path) as registry:
        record(registry, "other")
        record(registry)
    spoil(tmp_path, "UPDATE releases SET config = '{}' WHERE tenant = 'hello'")
    with Registry.open(tmp_path) as registry:
        assert [tenant.name for tenant in registry.tenants() if tenant.broken] == ["hello"]
        with pytest.raises(
            RegistryError, match=r"what is recorded of tenant `hello` cannot be read .*; deploy it again"
        ):
            registry.current("hello")
        assert registry.current("other") is not None
        recorded = record(registry)
        assert registry.current("hello") == recorded


@pytest.mark.parametrize("config", [{"hosts": ["hello.localhost"]}, {"paths": ["/a", "/z"]}])
def test_two_tenants_cannot_have_one_route(tmp_path: Path, config: dict[str, list[str]]) -> None:
    """Neither a host nor a path; the message names both tenants."""
    with Registry.open(tmp_path) as registry:
        record(registry, paths=["/z"])
        other = Tenant.model_validate({"name": "other", "hosts": ["other.localhost"], **config})
        with pytest.raises(RouteTaken, match=r"tenant `other`: `(hello.localhost|/z)` belongs to tenant `hello`"):
            registry.look(other)
