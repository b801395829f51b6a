"""Release files: packed when they do not serve, collected when nobody needs them, within shares of the disk."""

import errno
import queue
import threading
from pathlib import Path

import pytest

from dayfly import durable, release
from dayfly.errors import DamagedRelease, QuotaExceeded, RegistryError
from dayfly.registry import DiskQuotas, Housekeeper, Registry
from tests.registry.conftest import Open
from tests.registry.releases import made, record, tenant


def names(directory: Path) -> set[str]:
    """Return what is in a directory."""
    return {place.name for place in directory.iterdir()}


def test_what_does_not_serve_is_packed(tmp_path: Path) -> None:
    """It comes back octet for octet when it is activated, and the other one is packed then."""
    with Registry.open(tmp_path) as registry:
        one = record(registry, "one", size=100_000)
        files = {file.name: file.read_bytes() for file in one.directory.iterdir()}
        two = record(registry, "two")
        registry.tidy()
        assert names(tmp_path / "releases") == {two.digest}
        assert names(tmp_path / "packed") == {one.digest}
        assert (tmp_path / "packed" / one.digest).stat().st_size < 2_000
        registry.tidy()
        assert registry.activate("hello") == one
        assert {file.name: file.read_bytes() for file in one.directory.iterdir()} == files
        assert names(tmp_path / "packed") == set()
        registry.tidy(recent=True)
        assert names(tmp_path / "releases") == {one.digest}
        assert names(tmp_path / "packed") == {two.digest}
        assert names(tmp_path / "scratch") == set()


def test_a_canary_is_not_packed(tmp_path: Path) -> None:
    """Nor a release that serves for another tenant, nor a parent."""
    with Registry.open(tmp_path) as registry:
        base = registry.write(made("base"))
        registry.record(tenant(), registry.write(made("child", parent=base.name)), "origin")
        record(registry, "base", "other")
        record(registry, "shared", "other", config={"hosts": ["other.localhost"]})
        record(registry, "shared", "third")
        record(registry, "new", "third")
        record(registry, "canary", canary=0.5)
        registry.tidy()
        assert len(names(tmp_path / "releases")) == 5
        assert names(tmp_path / "packed") == set()


@pytest.mark.parametrize("how", ["cut", "flip", "remove", "other"])
def test_a_packed_release_that_is_damaged_does_not_serve(tmp_path: Path, how: str) -> None:
    """The activation is refused, and the current release stays."""
    with Registry.open(tmp_path) as registry:
        one, two = record(registry, "one"), record(registry, "two")
        registry.tidy()
        packed = tmp_path / "packed" / one.digest
        content = packed.read_bytes()
        if how == "remove":
            packed.unlink()
        elif how == "other":
            record(registry, "three")
            registry.tidy()
            (tmp_path / "packed" / two.digest).replace(packed)
        else:
            middle = len(content) // 2
            packed.write_bytes(
                content[:middle] if how == "cut" else content[:middle] + b"\xff\xfe" + content[middle + 2 :]
            )
        current = registry.current("hello")
        with pytest.raises(DamagedRelease, match=rf"release `{one.digest}` is damaged"):
            registry.activate("hello", 1)
        assert registry.current("hello") == current


def test_a_release_that_is_damaged_is_not_activated(tmp_path: Path) -> None:
    """Nor is one whose base is gone; what serves goes on."""
    with Registry.open(tmp_path) as registry:
        base = registry.write(made("base"))
        registry.record(tenant(), registry.write(made("child", parent=base.name)), "origin")
        one, two = record(registry, "one"), record(registry, "two")
        (one.directory / "image").write_bytes(b"damage")
        with pytest.raises(DamagedRelease, match=r"is damaged: a file does not have its digest"):
            registry.activate("hello")
        registry.set_aside(base.name)
        with pytest.raises(DamagedRelease, match=r"is damaged: the base or layer under it is missing"):
            registry.set_canary("hello", 1, 0.5)
        assert registry.current("hello") == two
        assert [row.is_damaged for row in registry.releases_of("hello")] == [False, True, False]


def test_pruning_forgets_what_does_not_serve(tmp_path: Path) -> None:
    """Packed or not; there is nothing to go back to then."""
    with Registry.open(tmp_path) as registry:
        one = record(registry, "one")
        registry.tidy()
        two, three = record(registry, "two"), record(registry, "three")
        assert registry.prune() == sorted([one.digest, two.digest])
        assert names(tmp_path / "releases") == {three.digest}
        assert [row.number for row in registry.releases_of("hello")] == [3]
        assert record(registry, "four").number == 4


def test_what_a_running_deploy_uses_is_not_collected(tmp_path: Path) -> None:
    """What it has written and adopted, until it is recorded or has failed."""
    other = Registry.open(tmp_path / "other")
    base = other.write(made("base"))
    layer = other.write(made("layer", parent=base.name))
    with other, Registry.open(tmp_path / "data") as registry:
        with registry.deploying():
            here = registry.adopt(layer)
            written = registry.write(made("one", parent=layer.name))
            registry.prune()
            registry.tidy()
            recorded = registry.record(tenant(), written, "origin")
        registry.prune()
        assert names(registry.releases) == {base.name, here.name, recorded.digest}
        with registry.deploying():
            record(registry, "two")
            registry.tidy()
            assert recorded.directory.is_dir()  # it serves until the other one is published
        registry.tidy()
        assert not recorded.directory.exists()
        registry.activate("hello")
        registry.prune()
        with registry.deploying():
            failed = registry.write(made("failed"))
        assert registry.prune() == [failed.name]


def test_a_start_sweeps_what_nothing_names(open_registry: Open) -> None:
    """Left by a process that was killed; what was set aside stays to be looked at, and what is not ours stays."""
    with open_registry() as registry:
        one, two = record(registry, "one"), record(registry, "two")
        orphan = registry.write(made("orphan"))
        for digest in (one.digest, two.digest, orphan.name):
            (registry.directory / "packed" / digest).write_bytes(b"half")
        damaged = registry.write(made("damaged"))
        registry.set_aside(damaged.name)
        (registry.directory / "releases/notes").mkdir()
        (registry.scratch / "half").mkdir()
    with open_registry() as registry:
        assert names(registry.releases) == {one.digest, two.digest, f"{damaged.name}.damaged", "notes"}
        assert names(registry.directory / "packed") == names(registry.scratch) == set()


def test_an_older_database_finds_what_served_then(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A backup names a release that was packed since; it is whole after the start, or said to be damaged."""
    with Registry.open(tmp_path) as registry:
        one = record(registry, "one")
    backup = (tmp_path / "registry.db").read_bytes()
    for damage in (False, True):
        with Registry.open(tmp_path) as registry:
            record(registry, "two")
            registry.tidy()
        (tmp_path / "registry.db").write_bytes(backup)
        if damage:
            (tmp_path / "packed" / one.digest).write_bytes(b"")
        with Registry.open(tmp_path) as registry:
            assert registry.current("hello") == one
            assert one.directory.is_dir() is not damage
        assert (f"release `{one.digest}` is damaged" in caplog.text) is damage


def test_a_broken_parent_keeps_a_start_from_sweeping(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who knows what it stands on; the start goes on."""
    with Registry.open(tmp_path) as registry:
        base = registry.write(made("base"))
        layer = registry.write(made("layer", parent=base.name))
        child = registry.record(tenant(), registry.write(made("child", parent=layer.name)), "origin")
        (layer / release.MANIFEST).write_bytes(b"{")
    with Registry.open(tmp_path) as registry:
        assert names(registry.releases) == {base.name, layer.name, child.digest}
        assert "releases that nobody needs stay until it is mended" in caplog.text
        with pytest.raises(RegistryError, match="is damaged"):
            registry.prune()


def test_old_releases_are_forgotten(open_registry: Open) -> None:
    """All but so many, when a tenant is deployed; a rollback goes to those that are left."""
    with open_registry(quotas=DiskQuotas(superseded_max=2)) as registry:
        for number in range(6):
            record(registry, f"{number}")
        record(registry, "canary", canary=0.5)
        assert [row.number for row in registry.releases_of("hello")] == [7, 6, 5, 4]
        registry.tidy()
        assert len(names(registry.releases) | names(registry.directory / "packed")) == 4
        assert registry.activate("hello").number == 5


def test_a_tenant_has_a_share_of_the_disk(open_registry: Open) -> None:
    """Old releases make room; what does not fit beside the one that serves is refused and leaves nothing."""
    with open_registry(quotas=DiskQuotas(tenant_bytes_max=250_000)) as registry:
        for words in ("one", "two", "three"):
            current = record(registry, words, size=100_000)
        assert [row.number for row in registry.releases_of("hello")] == [3, 2]
        record(registry, "other", "other", size=100_000)
        with pytest.raises(
            QuotaExceeded, match=r"of tenant `hello` does not fit: with the one that serves it takes 30"
        ):
            record(registry, "four", size=200_000)
        assert registry.current("hello") == current
        assert [row.number for row in registry.releases_of("hello")] == [3, 2]
        registry.tidy()
        assert len(names(registry.releases) | names(registry.directory / "packed")) == 3


def test_all_tenants_have_a_share_together(tmp_path: Path) -> None:
    """Counted as they stand on the disk, packed ones included."""
    with Registry.open(tmp_path, quotas=DiskQuotas(total_bytes_max=250_000)) as registry:
        record(registry, "one", size=100_000)
        record(registry, "two", "other", size=100_000)
        with pytest.raises(
            QuotaExceeded, match=r"all releases take 30\d\d\d\d octets, and 250000 are allowed; dayfly prune"
        ):
            record(registry, "three", "third", size=100_000)
        registry.tidy()
        assert registry.names() == ["hello", "other"]
        record(registry, "four", "third", size=20_000)
    with (
        Registry.open(tmp_path, quotas=DiskQuotas(total_bytes_max=250_000)) as registry,
        pytest.raises(QuotaExceeded),
    ):
        record(registry, "five", "fifth", size=50_000)


def test_old_releases_make_room_for_all(open_registry: Open) -> None:
    """As many of the tenant's own as it takes, oldest first; one that another tenant has too frees nothing."""
    with open_registry(quotas=DiskQuotas(total_bytes_max=350_000)) as registry:
        record(registry, "one", size=100_000)
        record(registry, "one", "other", size=100_000)
        for words in ("two", "three", "four"):
            record(registry, words, size=100_000)
        assert [row.number for row in registry.releases_of("hello")] == [4, 3]


def test_tidying_what_is_recent_is_enough(open_registry: Open) -> None:
    """After any change: replaced, aborted, forgotten and removed releases, and those of deploys that failed."""
    with open_registry(quotas=DiskQuotas(superseded_max=1)) as registry:
        base = registry.write(made("base"))

        def places() -> tuple[int, int]:
            registry.tidy(recent=True)
            here, packed = names(registry.releases), names(registry.directory / "packed")
            registry.tidy()
            assert (here, packed) == (names(registry.releases), names(registry.directory / "packed"))
            return len(here), len(packed)

        with registry.deploying():
            child = registry.write(made("one", parent=base.name))
            registry.record(tenant(), child, "origin")
        assert places() == (2, 0)
        record(registry, "two")
        assert places() == (2, 1)
        record(registry, "three")
        assert places() == (1, 1)
        record(registry, "four", canary=0.5)
        assert places() == (2, 1)
        registry.abort("hello")
        assert places() == (1, 2)
        registry.activate("hello", 4)
        assert places() == (1, 2)
        with registry.deploying():
            registry.write(made("failed"))
            assert places() == (2, 2)
        assert places() == (1, 2)
        record(registry, "four", "other")
        registry.remove("hello")
        assert places() == (1, 0)
        registry.remove("other")
        assert places() == (0, 0)


def test_one_failure_keeps_nothing_else_from_being_tidied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is of no use goes first, and what failed is tried again, also by the next process."""
    with Registry.open(tmp_path) as registry:
        releases = [record(registry, words) for words in ("one", "two", "three", "four")]
        gone = record(registry, "gone", "other")
        registry.remove("other")
        bad = min(one.digest for one in releases[:3])
        order, write_file = [gone.digest], durable.write_file

        def refuse(path: Path, content: bytes, *, scratch: Path | None = None) -> None:
            order.append(path.name)
            assert not gone.directory.exists()
            if path.name == bad:
                raise OSError(errno.ENOSPC, "No space left on device")
            write_file(path, content, scratch=scratch)

        monkeypatch.setattr(durable, "write_file", refuse)
        with pytest.raises(RegistryError, match="No space left on device; free space"):
            registry.tidy(recent=True)
        monkeypatch.setattr(durable, "write_file", write_file)
        assert len(order) == 4
        assert names(tmp_path / "packed") == {one.digest for one in releases[:3]} - {bad}
    with Registry.open(tmp_path) as registry:
        told, tidy = threading.Event(), registry.tidy

        def tidy_and_tell(*, recent: bool) -> None:
            tidy(recent=recent)
            told.set()

        monkeypatch.setattr(registry, "tidy", tidy_and_tell)
        with Housekeeper(registry, pause_seconds=0):
            assert told.wait(30)
        assert names(tmp_path / "packed") == {one.digest for one in releases[:3]}


def test_a_housekeeper_tidies_after_deploys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a thread of its own, once for what was deployed meanwhile; a failure is said and does not end it."""
    with Registry.open(tmp_path) as registry:
        told: queue.Queue[int] = queue.Queue()
        tidy = registry.tidy

        def tidy_and_tell(*, recent: bool) -> None:
            tidy(recent=recent)
            told.put(1)
            raise RegistryError("not today")

        monkeypatch.setattr(registry, "tidy", tidy_and_tell)
        with Housekeeper(registry, pause_seconds=0):
            one = record(registry, "one")
            record(registry, "two")
            while not (tmp_path / "packed" / one.digest).exists():
                told.get(timeout=30)
            registry.remove("hello")
            while names(tmp_path / "packed") | names(tmp_path / "releases"):
                told.get(timeout=30)
        record(registry, "one")
