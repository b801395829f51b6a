"""Files appear whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from dayfly import durable


def names(directory: Path) -> list[str]:
    """Return what is in a directory, hidden files included."""
    return [file.name for file in directory.iterdir()]


def test_a_file_is_replaced(tmp_path: Path) -> None:
    """The new content stands there, only its owner may read it, and nothing else is left."""
    durable.write_file(tmp_path / "a", b"old")
    durable.write_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("call", ["fsync", "rename", "replace"])
def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """At whatever call it happens."""
    durable.write_file(tmp_path / "a", b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    if call == "rename":
        with pytest.raises(OSError, match="No space"):
            durable.write_directory(tmp_path / "d", {"x": b"1"}, scratch=tmp_path)
    else:
        with pytest.raises(OSError, match="No space"):
            durable.write_file(tmp_path / "a", b"new")
    monkeypatch.undo()
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_directory_appears_at_once(tmp_path: Path) -> None:
    """With all its files."""
    durable.write_directory(tmp_path / "d", {"x": b"1", "y": b"2"}, scratch=tmp_path)
    assert {file.name: file.read_bytes() for file in (tmp_path / "d").iterdir()} == {"x": b"1", "y": b"2"}
    assert names(tmp_path) == ["d"]


def test_a_tree_is_synced_to_its_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories as well; links are left alone."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"1")
    (tmp_path / "a/link").symlink_to("nowhere")
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(str(Path(f"/proc/self/fd/{number}").readlink())))
    durable.sync_tree(tmp_path / "a")
    assert sorted(synced) == [str(tmp_path / name) for name in ("a", "a/b", "a/b/file")]


def test_a_directory_is_never_overwritten(tmp_path: Path) -> None:
    """What is there stays as it is."""
    durable.write_directory(tmp_path / "d", {"x": b"1"}, scratch=tmp_path)
    with pytest.raises(OSError, match="not empty"):
        durable.write_directory(tmp_path / "d", {"x": b"2"}, scratch=tmp_path)
    assert (tmp_path / "d/x").read_bytes() == b"1"


@pytest.mark.parametrize("number", [None, errno.EXDEV, errno.ENOSYS])
def test_a_copy_has_octets_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None) -> None:
    """Whether the file system can copy or not; what is there already stays."""
    content = {"x": bytes(range(256)) * 1000, "y": b""}
    durable.write_directory(tmp_path / "a", content, scratch=tmp_path)

    def refuse(*_: object) -> int:
        raise OSError(number, "no")

    if number:
        monkeypatch.setattr(os, "copy_file_range", refuse)
    durable.copy_directory(tmp_path / "a", tmp_path / "b", scratch=tmp_path)
    (tmp_path / "a/x").write_bytes(b"changed")
    durable.copy_directory(tmp_path / "a", tmp_path / "b", scratch=tmp_path)
    assert {file.name: file.read_bytes() for file in (tmp_path / "b").iterdir()} == content
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "b").iterdir()} == {0o600}
    assert sorted(names(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("call", ["copy_file_range", "fsync", "rename"])
def test_half_a_copy_is_never_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """When the disk is full."""
    durable.write_directory(tmp_path / "a", {"x": b"1"}, scratch=tmp_path)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space"):
        durable.copy_directory(tmp_path / "a", tmp_path / "b", scratch=tmp_path)
    assert names(tmp_path) == ["a"]
