"""Files that are there whole or not at all, also after a crash: write aside, sync, rename, sync the directory."""

import os
import secrets
import shutil
from pathlib import Path


def write_file(path: Path, content: bytes) -> None:
    """Replace one file by another; whoever reads sees the old or the new content."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write(aside, content)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    sync_directory(path.parent)


def write_directory(path: Path, files: dict[str, bytes], *, scratch: Path) -> None:
    """Make a directory with these files appear at once. `scratch` is a directory on the same file system.

    Raises FileExistsError or another OSError if there is something at `path`, and leaves that as it is.
    """
    aside = scratch / f"{path.name}.{secrets.token_hex(4)}"
    aside.mkdir(mode=0o700)
    try:
        for name, content in files.items():
            _write(aside / name, content)
        sync_directory(aside)
        aside.rename(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make what was created, renamed or removed in a directory survive a crash."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read, and sync it."""
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
