"""Release files: one directory a release, named by its digest; those that do not serve are one compressed file each.

    releases/DIGEST/          manifest.json image source.tar, and code.wasm if it has no parent. Bases and layers too
    releases/DIGEST.damaged/  did not have its digest; kept to be looked at
    packed/DIGEST             a tar file compressed with gzip: what nobody is on, and a rollback may want
    scratch/                  half-written things, and what is about to be deleted

Everything appears and disappears by one rename. What was taken into use while a deploy runs (`holding`) is not
collected before that ends.
"""

import gzip
import io
import re
import secrets
import shutil
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dayfly import durable, release
from dayfly.errors import DamagedRelease, RegistryError
from dayfly.log import logger
from dayfly.release import Made

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LEVEL = 3
"""Of gzip: half the time of level 6 for 6 % more; a third of what it was (docs/adr/0014)."""


class Files:
    """The release files of a data directory."""

    def __init__(self, directory: Path) -> None:
        self.releases = directory / "releases"
        self.packed = directory / "packed"
        self.scratch = directory / "scratch"
        self._lock = threading.RLock()
        self._held: list[set[str]] = []
        self._noted: set[str] = set()
        self._sizes: dict[str, int] | None = None

    def make(self) -> None:
        """Make the directories, and empty `scratch`. Raises OSError."""
        for place in (self.releases, self.packed):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Keep all releases that anybody writes, adopts or unpacks until the block ends."""
        touched: set[str] = set()
        with self._lock:
            self._held.append(touched)
        try:
            yield
        finally:
            with self._lock:
                # By identity: two empty sets are equal.
                self._held = [held for held in self._held if held is not touched]
                self._noted |= touched

    def hold(self, digest: str) -> None:
        """Keep a release for everybody who is `holding` now."""
        with self._lock:
            for held in self._held:
                held.add(digest)

    def note(self, digests: Iterable[str]) -> None:
        """Remember what may be packed or removed now."""
        with self._lock:
            self._noted.update(digests)

    def take_noted(self) -> set[str]:
        """Return what was noted since the last time."""
        with self._lock:
            noted, self._noted = self._noted, set()
        return noted

    def write(self, made: Made) -> Path:
        """Write a release; return its directory. Its entry survives a crash only when `releases` is synced."""
        self.hold(made.digest)
        directory = release.write(self.releases, made, scratch=self.scratch, sync_parent=False)
        self._measure(directory.name)
        return directory

    def adopt(self, directory: Path) -> Path:
        """Have a copy of a base or layer, and of what it stands on."""
        self.hold(directory.name)
        parent = release.parent_of(directory)
        while parent:
            self.hold(parent)
            parent = release.parent_of(directory.with_name(parent))
        place = release.adopt(directory, self.releases, scratch=self.scratch)
        self._measure(directory.name)
        return place

    def set_aside(self, digest: str) -> None:
        """Mark a damaged release: it keeps its files under another name and is never loaded again."""
        release.set_aside(self.releases / digest)
        self._measure(digest)

    def ready(self, digest: str) -> Path:
        """Return the directory of a release, unpacked if it was packed, and sound.

        Raises DamagedRelease if it is not here, is not what it was, or what it stands on is missing.
        """
        self.hold(digest)
        directory = self.releases / digest
        if not directory.is_dir():
            self._unpack(digest)
        elif not release.is_sound(directory):
            self.set_aside(digest)
            raise DamagedRelease(f"release `{digest}` is damaged: a file does not have its digest")
        if not release.is_whole(directory):
            raise DamagedRelease(f"release `{digest}` is damaged: the base or layer under it is missing")
        return directory

    def is_here(self, digest: str) -> bool:
        """Tell whether a release is here, packed or not; not whether it is sound."""
        return (self.releases / digest).is_dir() or (self.packed / digest).is_file()

    def is_packed(self, digest: str) -> bool:
        """Tell whether a release is here only in its packed form."""
        return not (self.releases / digest).is_dir() and (self.packed / digest).is_file()

    def size(self, digest: str) -> int:
        """Return the octets that a release takes, without its parents."""
        return self._known_sizes().get(digest, 0)

    def total(self) -> int:
        """Return the octets that all releases take."""
        return sum(self._known_sizes().values())

    def pack(self, digest: str, is_needed: Callable[[], bool]) -> bool:
        """Compress a release that does not serve; `is_needed` says whether it must stay as it is. Raises OSError."""
        directory = self.releases / digest
        if self._noted_again(digest) or not directory.is_dir():
            return False
        durable.write_file(self.packed / digest, _archive(directory), scratch=self.scratch)
        with self._lock:
            if self._noted_again(digest) or is_needed():
                return False
            aside = self._take_away(directory)
        shutil.rmtree(aside, ignore_errors=True)
        self._measure(digest)
        return True

    def discard(self, digest: str, is_needed: Callable[[], bool]) -> str | None:
        """Remove a release that is not recorded any more, unless `is_needed`; return its parent. Raises OSError."""
        with self._lock:
            if self._noted_again(digest) or is_needed():
                return None
            parent = release.parent_of(self.releases / digest) if self._stands(digest) else None
            places = (self.releases / digest, self.packed / digest)
            aside = [self._take_away(place) for place in places if place.exists()]
        _delete(aside)
        return parent

    def _noted_again(self, digest: str) -> bool:
        """Tell whether somebody holds a release; then it is looked at later."""
        with self._lock:
            is_held = any(digest in held for held in self._held)
            if is_held:
                self._noted.add(digest)
        return is_held

    def _unpack(self, digest: str) -> None:
        file = self.packed / digest
        try:
            content = _contents(file.read_bytes())
        except FileNotFoundError:
            raise DamagedRelease(f"release `{digest}` is damaged: its files are missing") from None
        except (tarfile.TarError, EOFError, ValueError, zlib.error, gzip.BadGzipFile) as error:
            raise DamagedRelease(f"release `{digest}` is damaged: its packed file: {error}") from None
        directory = self.releases / digest
        try:
            durable.write_directory(directory, content, scratch=self.scratch)
        except OSError as error:
            if error.errno not in durable.TAKEN:  # another thread was faster
                raise
        if not release.is_sound(directory):
            self.set_aside(digest)
            raise DamagedRelease(f"release `{digest}` is damaged: its packed file does not hold what it did")
        file.unlink(missing_ok=True)
        self._measure(digest)

    def collect(self, needed: Callable[[], Mapping[str, str | None]], *, damaged_too: bool = False) -> list[str]:
        """Remove what nobody needs; return the names. `needed`: digests of releases, each with its parent's.

        Raises OSError, and DamagedRelease, with nothing removed, if a parent's manifest cannot be read.
        """
        with self._lock:
            # Asked for while nobody can let go of what it has just recorded.
            wanted = needed()
            kept = self.with_parents(set(wanted.values())).union(wanted, *self._held)
            unused = [place for place in sorted(self.releases.iterdir()) if _goes(place, kept, damaged_too=damaged_too)]
            packed = [place for place in sorted(self.packed.iterdir()) if _goes(place, kept, damaged_too=True)]
            # In both forms: the directory appeared whole, so the other one is not needed.
            packed += [place for place in self.packed.iterdir() if place.name in kept and self._stands(place.name)]
            aside = [self._take_away(place) for place in (*unused, *packed)]
        _delete(aside)
        return sorted({place.name for place in unused} | {place.name for place in packed if place.name not in kept})

    def _stands(self, digest: str) -> bool:
        return (self.releases / digest).is_dir()

    def with_parents(self, parents: Iterable[str | None]) -> set[str]:
        """Return releases and all that they stand on. Raises DamagedRelease if a manifest cannot be read."""
        found: set[str] = set()
        for parent in parents:
            above = parent
            while above is not None and above not in found:
                found.add(above)
                # A base or a layer; if it is missing, so may be those that it stands on.
                above = release.parent_of(self.releases / above) if self._stands(above) else None
        return found

    def _take_away(self, place: Path) -> Path:
        """Have something gone at once, also if this process ends in the middle: `scratch` is emptied at every start."""
        aside = self.scratch / f"{place.name}.{secrets.token_hex(4)}"
        place.rename(aside)
        if self._sizes is not None:
            self._sizes.pop(place.name, None)
        return aside

    def _known_sizes(self) -> dict[str, int]:
        with self._lock:
            if self._sizes is None:
                names = {place.name for shelf in (self.releases, self.packed) for place in shelf.iterdir()}
                self._sizes = {name: self._size_on_disk(name) for name in names}
            return self._sizes

    def _measure(self, digest: str) -> None:
        with self._lock:
            if self._sizes is not None:
                self._sizes[digest] = self._size_on_disk(digest)

    def _size_on_disk(self, digest: str) -> int:
        try:
            return sum(file.stat().st_size for file in (self.releases / digest).iterdir())
        except OSError:
            file = self.packed / digest
            return file.stat().st_size if file.is_file() else 0


def _goes(place: Path, kept: set[str], *, damaged_too: bool) -> bool:
    """Tell whether something may be collected; what we did not name is not ours."""
    digest = place.name.removesuffix(".damaged")
    is_damaged = digest != place.name
    return bool(_DIGEST.fullmatch(digest)) and (damaged_too if is_damaged else digest not in kept)


def _delete(places: Iterable[Path]) -> None:
    for place in places:
        shutil.rmtree(place) if place.is_dir() else place.unlink()


def _archive(directory: Path) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=_LEVEL) as tar:
        for file in sorted(directory.iterdir()):
            content = file.read_bytes()
            entry = tarfile.TarInfo(file.name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def _contents(archive: bytes) -> dict[str, bytes]:
    """Read what `_archive` wrote. Raises ValueError for a name that no release has."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for entry in tar:
            content = tar.extractfile(entry)
            if content is None or entry.name not in release.FILES:
                raise ValueError(f"`{entry.name}` is no file of a release")
            files[entry.name] = content.read()
    return files


def sweep(files: Files, needed: Callable[[], Mapping[str, str | None]]) -> None:
    """Collect what a process that was killed has left. What cannot be collected is said, and is no obstacle."""
    try:
        files.collect(needed)
    except (DamagedRelease, RegistryError) as error:
        logger.warning("%s; releases that nobody needs stay until it is mended", error)
