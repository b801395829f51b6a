"""Files kept by the digest of what they were made from: written once, under a lock, visible only when whole."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from dayfly import durable


def digest(*parts: str | bytes | Path) -> str:
    """Digest texts, octets and files, each with its length, so that no two lists of parts meet."""
    total = hashlib.sha256()
    for part in parts:
        octets = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        total.update(len(octets).to_bytes(8, "little"))
        total.update(octets)
    return total.hexdigest()


class Store:
    """A directory of entries; an entry is a directory named by its key."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def entry(self, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        """Return the entry's directory; if there is none yet, `make` fills it. Other processes wait meanwhile."""
        entries = self._root / kind
        place = entries / key
        if place.is_dir():
            return place
        entries.mkdir(exist_ok=True)
        with self._locked(kind, key), self.scratch() as scratch:
            if not place.is_dir():
                make(scratch)
                # A crash must not leave an entry that is there and not whole: nobody looks into it again.
                durable.sync_tree(scratch)
                scratch.rename(place)
        return place

    def log(self, key: str, text: str) -> str:
        """Keep what a compiler said, for a report of a bug; return its name in the cache."""
        logs = self._root / "logs"
        logs.mkdir(exist_ok=True)
        name = f"{key[:16]}.log"
        (logs / name).write_text(text)
        return f"{self._root.name}/logs/{name}"

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty directory on the same file system, gone afterwards."""
        directory = Path(tempfile.mkdtemp(prefix="scratch-", dir=self._root))
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    @contextlib.contextmanager
    def _locked(self, kind: str, key: str) -> Iterator[None]:
        # The file stays: removing it would let two processes hold the locks of two files with one name.
        descriptor = os.open(self._root / f"{kind}-{key[:2]}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
