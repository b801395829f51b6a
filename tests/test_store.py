"""Steps are kept by what they were made from, whole or not at all."""

import threading
from pathlib import Path

import pytest

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
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["kind-ke.lock"]
    assert list(tmp_path.glob("scratch-*")) == []
    assert store.entry("kind", "key", lambda place: (place / "whole").touch()).is_dir()


def test_digests_keep_parts_apart() -> None:
    """Two lists of parts that join to the same octets are two things."""
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("a", b"b") == digest(b"a", "b")
