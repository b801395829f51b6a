"""A tenant directory as one value: the octets of its files, in one order, with one digest."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

from dayfly.errors import BuildError

SOURCE_BYTES_MAX = 32 << 20
"""Octets of all files of a source together."""

_GENERATED = {"__pycache__", "node_modules"}
_WELL_KNOWN = ".well-known"
"""The one hidden name that is meant for clients (RFC 8615)."""


@dataclass(frozen=True)
class Source:
    """The files of a tenant directory. Two directories with the same files have the same digest."""

    directory: Path
    files: dict[str, bytes]
    modified_s: int = field(default=0, compare=False)
    """When a file was changed last, seconds since 1970; 0: not known. No part of the digest."""

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read all regular files; hidden and generated ones, like `.env`, are left out. Raises BuildError."""
        files: dict[str, bytes] = {}
        total, modified_s = 0, 0
        try:
            for path in sorted(regular_files(directory)):
                facts = path.stat()
                total, modified_s = total + facts.st_size, max(modified_s, int(facts.st_mtime))
                if total > SOURCE_BYTES_MAX:
                    raise BuildError(f"{directory}: more than {SOURCE_BYTES_MAX >> 20} MiB of source; take files out")
                files[path.relative_to(directory).as_posix()] = path.read_bytes()
        except OSError as error:
            raise BuildError(
                f"{error.filename or directory}: cannot be read: {error.strerror}; check owner and mode, or take it out"
            ) from None
        return cls(directory, files, modified_s)

    @classmethod
    def unpack(cls, directory: Path, bundle: bytes) -> Self:
        """Read what `bundle` wrote."""
        with tarfile.open(fileobj=io.BytesIO(bundle), mode="r:") as archive:
            members = [(member.name, archive.extractfile(member)) for member in archive]
            return cls(directory, {name: file.read() for name, file in members if file})

    def write(self, directory: Path) -> None:
        """Write the files into an empty directory. Raises OSError."""
        for name, content in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    @cached_property
    def bundle(self) -> bytes:
        """The files as a tar archive without times, owners and modes."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, content in self.files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        return buffer.getvalue()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bundle, in hexadecimal digits."""
        return hashlib.sha256(self.bundle).hexdigest()


def regular_files(directory: Path) -> Iterator[Path]:
    """Give all files of a source. Raises OSError: what cannot be looked into is never left out in silence."""

    def refuse(error: OSError) -> None:
        raise error

    for place, directories, names in os.walk(directory, onerror=refuse):
        directories[:] = [name for name in directories if not is_left_out(name)]
        for path in (Path(place, name) for name in names if not is_left_out(name)):
            if not path.is_symlink() and path.is_file():
                yield path


def is_left_out(part: str) -> bool:
    """Tell whether a name, of a file or a directory, belongs to no source."""
    return part in _GENERATED or (part.startswith(".") and part != _WELL_KNOWN)
