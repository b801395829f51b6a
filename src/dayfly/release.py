"""A release as files: the manifest holds the digests of the others, and its own is the release's name.

A release is whole (code and image) or a child: an image that is a delta on the parent's, with the parent's code. A base
is whole and a layer is its child; neither has a tenant. A child stands beside its parent, in the same directory.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from dayfly import durable
from dayfly.config import Limits, Tier
from dayfly.core import Snapshot
from dayfly.errors import DamagedRelease

ABI_VERSION = 1
"""Version of the guest ABI that releases of this version speak."""

MANIFEST = "manifest.json"
SOURCE = "source.tar"
FILES = (MANIFEST, "image", SOURCE, "code.wasm")
"""All that a release has; one with a parent has no code."""


@dataclass(frozen=True)
class Made:
    """What a deploy has made, before it is recorded."""

    tier: Tier
    snapshot: Snapshot
    limits: Limits
    source: bytes
    """The files that it was made from, as a tar archive."""
    parent: str | None = None
    """Digest of the release that the image is a delta on."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the manifest: its name."""
        return sha256(self.files[MANIFEST])

    @cached_property
    def files(self) -> dict[str, bytes]:
        """How it is laid out: names and contents."""
        snapshot = self.snapshot
        manifest = {
            "abi": ABI_VERSION,
            "tier": self.tier,
            "image_sha256": sha256(snapshot.image),
            "source_sha256": sha256(self.source),
            "layout": snapshot.layout,
            "takes": snapshot.takes,
            "fresh": snapshot.fresh,
            "limits": self.limits.model_dump(),
            **({"writes": list(snapshot.writes)} if snapshot.writes else {}),
        }
        if self.parent:
            return {MANIFEST: canonical({**manifest, "parent": self.parent}), "image": snapshot.image} | self._rest()
        whole = {**manifest, "code_sha256": sha256(snapshot.code)}
        return {MANIFEST: canonical(whole), "code.wasm": snapshot.code, "image": snapshot.image} | self._rest()

    def _rest(self) -> dict[str, bytes]:
        return {SOURCE: self.source}


def write(releases: Path, made: Made, *, scratch: Path, sync_parent: bool = True) -> Path:
    """Write a release unless it is there already, as `durable.write_directory` does; return its directory.

    Raises OSError.
    """
    files = made.files
    directory = releases / made.digest
    while not _holds(directory, files):
        try:
            durable.write_directory(directory, files, scratch=scratch, sync_parent=sync_parent)
            break
        except OSError as error:
            if error.errno not in durable.TAKEN:
                raise
            # Only what stands there now, and is not whole: another process may just have been faster.
            if not _holds(directory, files):
                set_aside(directory)
    return directory


def parent_of(directory: Path) -> str | None:
    """Return the digest of a release's parent, None for one that is whole. Raises DamagedRelease."""
    try:
        parent = json.loads((directory / MANIFEST).read_bytes()).get("parent")
    except (OSError, ValueError, AttributeError) as error:
        raise DamagedRelease(f"release `{directory.name}` is damaged: {MANIFEST}: {error}") from None
    return None if parent is None else str(parent)


def is_sound(directory: Path) -> bool:
    """Tell whether every file of a release has its digest."""
    try:
        manifest = (directory / MANIFEST).read_bytes()
        known = json.loads(manifest)
        files = {"image": "image", "source": SOURCE, **({} if known.get("parent") else {"code": "code.wasm"})}
        return sha256(manifest) == directory.name and all(
            sha256((directory / file).read_bytes()) == known[f"{key}_sha256"] for key, file in files.items()
        )
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def is_whole(directory: Path) -> bool:
    """Tell whether a release stands there with all its parents; not whether they are sound."""
    try:
        parent = parent_of(directory)
    except DamagedRelease:
        return False
    return parent is None or is_whole(directory.with_name(parent))


class Shelf(Protocol):
    """Where releases stand, each beside its parent: a data directory, or the machine's cache."""

    @property
    def releases(self) -> Path:
        """The directory of them."""

    def adopt(self, directory: Path) -> Path:
        """Have a copy of a release, and of its parents, from another shelf; return where it stands here."""

    def set_aside(self, digest: str) -> None:
        """Mark a damaged release."""


def mend(digest: str, home: Shelf, *others: Shelf) -> bool:
    """Replace what is damaged of a release and its parents by a copy that is sound; set aside what has none.

    What is missing at `home` is taken from the others. Afterwards `is_whole` says whether it can be used. Returns
    whether anything was changed.
    """
    shelves = (home, *others)
    sound = [shelf for shelf in shelves if is_sound(shelf.releases / digest)]
    parent = parent_of(sound[0].releases / digest) if sound else None
    changed = parent is not None and mend(parent, home, *others)
    for shelf in shelves:
        place = shelf.releases / digest
        if shelf in sound or (shelf is not home and not place.exists()):
            continue
        if place.exists():
            shelf.set_aside(digest)
            changed = True
        if copy := next((one.releases / digest for one in sound if is_whole(one.releases / digest)), None):
            shelf.adopt(copy)
            changed = True
    return changed


def adopt(directory: Path, releases: Path, *, scratch: Path) -> Path:
    """Copy a release and its parents into another directory of releases; return where it stands there.

    Every data directory has octets of its own: damage to one is damage to one. `scratch`: on the file system of
    `releases`. Raises OSError, and DamagedRelease if a parent is missing.
    """
    if parent := parent_of(directory):
        adopt(directory.with_name(parent), releases, scratch=scratch)
    place = releases / directory.name
    if not place.is_dir():
        durable.copy_directory(directory, place, scratch=scratch)
    return place


def lend(directory: Path, releases: Path) -> None:
    """Make a release and its parents stand in a directory that is soon gone, as second names of the same files."""
    if parent := parent_of(directory):
        lend(directory.with_name(parent), releases)
    place = releases / directory.name
    place.mkdir(mode=0o700)
    for file in directory.iterdir():
        (place / file.name).hardlink_to(file)


def set_aside(directory: Path) -> None:
    """Mark a damaged release: it keeps its files under another name and is never loaded again."""
    damaged = directory.with_name(f"{directory.name}.damaged")
    if not directory.exists():
        return
    shutil.rmtree(damaged, ignore_errors=True)
    try:
        directory.rename(damaged)
    except OSError:
        if directory.exists():  # else another process was faster
            raise
    durable.sync_directory(damaged.parent)


def canonical(value: object) -> bytes:
    """Write a value always in the same way, because its digest is a name."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def sha256(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _holds(directory: Path, files: dict[str, bytes]) -> bool:
    """Tell whether a directory holds exactly these octets."""
    try:
        return all((directory / name).read_bytes() == content for name, content in files.items())
    except OSError:
        return False
