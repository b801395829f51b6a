"""Files kept by the digest of what they were made from: written once, under a lock, visible only when whole."""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from dayfly import durable
from dayfly.errors import SystemRefused

_SCRATCH = "scratch-"


def digest(*parts: str | bytes | Path) -> str:
    """Digest texts, octets and files, each with its length, so that no two lists of parts meet."""
    total = hashlib.sha256()
    for part in parts:
        octets = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        total.update(len(octets).to_bytes(8, "little"))
        total.update(octets)
    return total.hexdigest()


@contextlib.contextmanager
def refusals(directory: Path) -> Iterator[None]:
    """Turn what the system refuses in a directory of the cache into SystemRefused; errors that concern others pass."""
    try:
        yield
    except OSError as error:
        if not _concerns(error, directory):
            raise
        raise SystemRefused(durable.refusal(f"cache `{directory}`", error, "with DAYFLY_CACHE_DIR")) from None


def private(directory: Path) -> Path:
    """Make a directory of the cache unless it is there, and return it. Raises SystemRefused if others may write to it.

    Whoever can write to the cache decides what runs in the server and in every program.
    """
    with refusals(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = directory.stat()
    if facts.st_uid != os.geteuid():
        wrong, cure = f"belongs to user {facts.st_uid}", "run as that user"
    elif facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        wrong, cure = "may be written to by others", "look who did, make it yours alone (chmod go-w)"
    else:
        return directory
    raise SystemRefused(f"cache `{directory}` {wrong}; {cure} or choose another with DAYFLY_CACHE_DIR")


def _concerns(error: OSError, directory: Path) -> bool:
    """Tell whether an error is about a directory. One that names no file is, if it is one of a disk."""
    names = [Path(os.fsdecode(name)) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    if not names:
        return error.errno in durable.FULL | {errno.EROFS, errno.EIO}
    # Of a directory that is to be made, the error may name a parent.
    return any(name.is_relative_to(directory) or directory.is_relative_to(name) for name in names)


class Store:
    """A directory of entries; an entry is a directory named by its key.

    What the system refuses there is SystemRefused, with what to do.
    """

    def __init__(self, root: Path) -> None:
        self._root = private(root)

    def entry(self, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        """Return the entry's directory; if there is none yet, `make` fills it. Other processes wait meanwhile."""
        place = self._root / kind / key
        if place.is_dir():
            return place
        with refusals(self._root):
            return self._made(kind, key, make)

    def _made(self, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        entries = self._root / kind
        place = entries / key
        entries.mkdir(mode=0o700, exist_ok=True)
        with self._lock(f"{kind}-{key[:2]}"), self.scratch() as scratch:
            if not place.is_dir():
                make(scratch)
                # A crash must not leave an entry that is there and not whole: nobody looks into it again.
                durable.sync_tree(scratch)
                scratch.rename(place)
        return place

    def log(self, key: str, text: str) -> str:
        """Keep what a compiler said, for a report of a bug; return its name in the cache."""
        logs = self._root / "logs"
        name = f"{key[:16]}.log"
        with refusals(self._root):
            logs.mkdir(mode=0o700, exist_ok=True)
            (logs / name).write_text(text)
        return f"{self._root.name}/logs/{name}"

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty directory on the same file system, gone afterwards.

        It is locked meanwhile: what a killed process left is locked by nobody, and removed here.
        """
        with refusals(self._root):
            with self._lock("scratch"):
                self._sweep()
                directory = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=self._root))
                holder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(holder, fcntl.LOCK_EX)
            try:
                yield directory
            finally:
                shutil.rmtree(directory, ignore_errors=True)
                os.close(holder)

    def _sweep(self) -> None:
        for directory in self._root.glob(f"{_SCRATCH}*"):
            try:
                holder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:  # its owner is done with it
                continue
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
            os.close(holder)

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        # The file stays: removing it would let two processes hold the locks of two files with one name.
        descriptor = os.open(self._root / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
