"""A data directory of version 0.1.0 is taken over once, as a whole."""

import json
from pathlib import Path

import pytest

from dayfly.registry import Registry
from dayfly.registry import old as old_files
from tests.registry.conftest import Open
from tests.registry.releases import made, record, tenant


def old(directory: Path, **tenants: dict[str, object]) -> None:
    """Make what version 0.1.0 would have: the release files, and one file a tenant."""
    with Registry.open(directory) as registry:
        written = registry.write(made())
        keep = directory / "kept"
        written.rename(keep)
    for file in directory.glob("registry.db*"):
        file.unlink()
    keep.rename(written)
    (directory / "packed").rmdir()
    for name in ("tenants", "secrets"):
        (directory / name).mkdir()
    for name, config in tenants.items():
        pointer = {"tenant": tenant(name, **config).model_dump(), "release": written.name, "origin": f"from {name}"}
        (directory / "tenants" / f"{name}.json").write_text(json.dumps(pointer), encoding="utf-8")


def test_tenants_and_secrets_are_taken_over(open_registry: Open, tmp_path: Path) -> None:
    """With releases, hosts and origins; no plain secret is left."""
    old(tmp_path / "data", one={"paths": ["/z"]}, two={})
    (tmp_path / "data/secrets/one.json").write_text('{"KEY": "hidden"}', encoding="ascii")
    (tmp_path / "data/secrets/later.json").write_text('{"KEY": "hidden"}', encoding="ascii")
    for _ in range(2):
        with open_registry() as registry:
            assert registry.names() == ["one", "two"]
            one = registry.current("one")
            assert one is not None
            assert (one.tenant.paths, one.origin) == (("/z",), "from one")
            assert one.directory.is_dir()
            assert registry.secrets("one") == registry.secrets("later") == {"KEY": "hidden"}
            assert [event.what for event in registry.history("one")] == ["import", "import"]
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert [path for path in files if b"hidden" in path.read_bytes()] == []
    assert not (tmp_path / "data/tenants").exists()
    assert not (tmp_path / "data/secrets").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"tenant": {}, "release": "x", "origin": "y"}', "\xff"])
def test_what_cannot_be_read_is_named_and_left(tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture) -> None:
    """The others are taken over; deploying the tenant replaces it."""
    old(tmp_path, one={}, two={})
    (tmp_path / "tenants/one.json").write_text(content, encoding="latin-1")
    (tmp_path / "secrets/two.json").write_text(content, encoding="latin-1")
    with Registry.open(tmp_path) as registry:
        assert registry.names() == ["two"]
        assert "tenants/one.json: cannot be taken over" in caplog.text
        assert "secrets/two.json: cannot be taken over" in caplog.text
        record(registry, name="one")
    with Registry.open(tmp_path) as registry:
        assert registry.names() == ["one", "two"]


def test_a_crash_before_the_old_files_are_deleted_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are deleted at the next start, and what was deployed since stays."""
    old(tmp_path, one={})
    (tmp_path / "secrets/one.json").write_text('{"KEY": "old", "OTHER": "old"}', encoding="ascii")
    with monkeypatch.context() as patch:
        patch.setattr(old_files, "forget", lambda *_: None)
        with Registry.open(tmp_path) as registry:
            record(registry, "two", "one")
            registry.set_secret("one", "KEY", "new")
    with Registry.open(tmp_path) as registry:
        assert [row.number for row in registry.releases_of("one") if row.is_current] == [2]
        assert registry.secrets("one") == {"KEY": "new", "OTHER": "old"}
    assert not (tmp_path / "tenants").exists()


def test_two_old_tenants_with_one_host_are_no_obstacle(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody edited a file; the first one has it."""
    old(tmp_path, one={"hosts": ["a.localhost"]}, two={"hosts": ["a.localhost"]})
    with Registry.open(tmp_path) as registry:
        assert registry.names() == ["one"]
    assert "`a.localhost` belongs to tenant `one`" in caplog.text
    assert (tmp_path / "tenants/two.json").exists()
