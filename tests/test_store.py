"""Steps are kept by what they were made from, whole or not at all."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dayfly import durable
from dayfly.errors import SystemRefused
from dayfly.toolchain import ToolchainOptions
from dayfly.toolchain.store import Store, digest


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    """Also if many ask for it at once."""
    store = Store(tmp_path)
    made: list[Path] = []

    def make(place: Path) -> None:
        made.append(place)
        (place / "file").write_text("content")

    threads = [threading.Thread(target=store.entry, args=("kind", "key", make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert (store.entry("kind", "key", make) / "file").read_text() == "content"


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    """And the next one tries again."""
    store = Store(tmp_path)

    def fail(place: Path) -> None:
        (place / "half").write_text("")
        raise ValueError("half-written")

    with pytest.raises(ValueError, match="half-written"):
        store.entry("kind", "key", fail)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["kind-ke.lock", "scratch.lock"]
    assert list(tmp_path.glob("scratch-*")) == []
    assert store.entry("kind", "key", lambda place: (place / "whole").touch()).is_dir()


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """By the next one that writes there; what somebody works in stays."""
    program = """if True:
        import sys, pathlib
        from dayfly.toolchain.store import Store
        with Store(pathlib.Path(sys.argv[1])).scratch() as scratch:
            (scratch / "half").touch()
            print(scratch.name, flush=True)
            input()
    """
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        left = tmp_path / holder.stdout.readline().strip()
        store = Store(tmp_path)
        with store.scratch() as mine, store.scratch():
            assert (left / "half").exists()
            assert mine.is_dir()
        holder.kill()
    with store.scratch():
        assert not left.exists()
    assert list(tmp_path.glob("scratch-*")) == []


def test_digests_keep_parts_apart() -> None:
    """Two lists of parts that join to the same octets are two things."""
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("a", b"b") == digest(b"a", "b")


@pytest.mark.parametrize(
    ("number", "cure"), [(errno.ENOSPC, "free space there"), (errno.EDQUOT, "free space there"), (errno.EROFS, "make")]
)
def test_a_cache_that_takes_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, cure: str
) -> None:
    """With what to do about it, and nothing half-written is left."""

    def fail(_: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(durable, "sync_tree", fail)
    message = rf"cache `{tmp_path}` cannot be written: .*; {cure}.* or choose another with DAYFLY_CACHE_DIR"
    with pytest.raises(SystemRefused, match=message):
        Store(tmp_path).entry("kind", "key", lambda place: (place / "file").touch())
    assert list(tmp_path.rglob("file")) == []


@pytest.mark.parametrize("directory", ["/dev/null/cache", "/sys/dayfly", "/proc/dayfly"])
def test_a_cache_that_cannot_be_made_is_refused(directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also before any tier has a part of it."""
    monkeypatch.setenv("DAYFLY_CACHE_DIR", directory)
    with pytest.raises(SystemRefused, match=rf"cache `{directory}` cannot be written: .*; make it writable or choose"):
        ToolchainOptions()


def test_what_goes_wrong_elsewhere_is_not_the_caches_fault(tmp_path: Path) -> None:
    """A missing tool stays what it is."""

    def fail(_: Path) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file", "/nowhere/tool")

    with pytest.raises(FileNotFoundError):
        Store(tmp_path).entry("kind", "key", fail)


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_cache_that_others_may_write_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    """The whole of it, and each tier's part: what is in there runs in every program."""
    monkeypatch.setenv("DAYFLY_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(mode)
    for use in (ToolchainOptions, lambda: Store(tmp_path / "cache")):
        with pytest.raises(SystemRefused, match=r"cache `.*` may be written to by others; .*chmod go-w.* or choose"):
            use()
    (tmp_path / "cache").chmod(0o755)
    ToolchainOptions()


def test_a_cache_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for root: its owner may write to it."""
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(SystemRefused, match=rf"cache `{tmp_path}` belongs to user {owner}; run as that user or choose"):
        Store(tmp_path)


def test_what_a_cache_holds_is_its_owners(tmp_path: Path) -> None:
    """Whatever the umask: a base holds a seed that must not become known."""
    before = os.umask(0)
    try:
        store = Store(tmp_path / "a/b")
        store.entry("kind", "key", lambda place: (place / "file").touch())
        store.log("key", "text")
    finally:
        os.umask(before)
    directories = [path for path in (tmp_path / "a/b").rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o077 for path in [tmp_path / "a/b", *directories]} == {0}
