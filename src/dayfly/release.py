"""A release as files: the manifest holds the digests of the others, and its own is the release's name.

A release is whole (code and image) or a child: an image that is a delta on the parent's, with the parent's code. A base
is whole and a layer is its child; neither has a tenant. A child stands beside its parent, in the same directory.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from dayfly import durable
from dayfly.config import Limits, Tier
from dayfly.core import Snapshot
from dayfly.errors import DamagedRelease

ABI_VERSION = 1
"""Version of the guest ABI that releases of this version speak."""

MANIFEST = "manifest.json"


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

    def files(self) -> dict[str, bytes]:
        """Lay it out."""
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
        return {"source.tar": self.source}


def write(releases: Path, made: Made, *, scratch: Path, sync_parent: bool = True) -> Path:
    """Write a release unless it is there already, as `durable.write_directory` does; return its directory.

    Raises OSError.
    """
    files = made.files()
    directory = releases / sha256(files[MANIFEST])
    if not _holds(directory, files):
        set_aside(directory)
        durable.write_directory(directory, files, scratch=scratch, sync_parent=sync_parent)
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
        files = {"image": "image", "source": "source.tar", **({} if known.get("parent") else {"code": "code.wasm"})}
        return sha256(manifest) == directory.name and all(
            sha256((directory / file).read_bytes()) == known[f"{key}_sha256"] for key, file in files.items()
        )
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def discard_damaged(directory: Path) -> bool:
    """Set aside a release or those of its parents that are damaged; tell whether there was one."""
    if not directory.is_dir():
        return False
    if not is_sound(directory):
        set_aside(directory)
        return True
    parent = parent_of(directory)
    return parent is not None and discard_damaged(directory.with_name(parent))


def adopt(directory: Path, releases: Path) -> Path:
    """Make a release and its parents stand in another directory as well; return where it stands there."""
    if parent := parent_of(directory):
        adopt(directory.with_name(parent), releases)
    place = releases / directory.name
    if place.is_dir():
        return place
    aside = releases / f".{directory.name}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    for file in directory.iterdir():
        _link_or_copy(file, aside / file.name)
    durable.sync_directory(aside)
    aside.rename(place)
    durable.sync_directory(releases)
    return place


def set_aside(directory: Path) -> None:
    """Mark a damaged release: it keeps its files under another name and is never loaded again."""
    damaged = directory.with_name(f"{directory.name}.damaged")
    if not directory.exists():
        return
    shutil.rmtree(damaged, ignore_errors=True)
    directory.rename(damaged)
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


def _link_or_copy(file: Path, place: Path) -> None:
    """Give a file a second name: files of a release never change. Another file system gets a copy."""
    try:
        os.link(file, place)
    except OSError:
        with open(place, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as copy:
            copy.write(file.read_bytes())
            copy.flush()
            os.fsync(copy.fileno())
