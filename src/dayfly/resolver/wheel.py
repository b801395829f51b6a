"""Wheels as values: read with bounds, unpacked into memory, and suspected of everything."""

import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from dayfly.errors import PackagesRefused
from dayfly.resolver.index import METADATA_BYTES_MAX
from dayfly.resolver.target import NATIVE_SUFFIXES, OTHERWISE, PURE_FALLBACK

FILES_MAX = 10_000
"""Of all packages together."""

NAME_BYTES_MAX = 512

_CHUNK_BYTES = 1 << 20
_KIND, _FILE, _DIRECTORY = 0o170000, 0o100000, 0o040000
_ENCRYPTED = 1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class Tree:
    """The files of a set of packages, as they stand in one directory."""

    def __init__(self, bytes_max: int) -> None:
        self.files: dict[str, bytes] = {}
        self._left = self._most = bytes_max
        self._known: dict[str, tuple[str, bool]] = {}

    def add(self, wheel: bytes, filename: str) -> None:
        """Unpack a wheel. Raises PackagesRefused, naming the wheel and what is wrong with it."""
        drops_native = _project(filename)[0] in PURE_FALLBACK
        with _opened(wheel, filename) as archive:
            _check(archive, filename)
            for entry in archive.infolist():
                place = None if entry.is_dir() else _place(entry.filename)
                if place is None or (drops_native and _is_native(place)):
                    continue
                if _is_native(place):
                    raise PackagesRefused(f"{filename}: `{place}` is native code; {OTHERWISE}")
                self._put(place, self._read(archive, entry, filename), filename)

    def _read(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, filename: str) -> bytes:
        """Unpack one file; what counts is what comes out, not what the archive says."""
        parts: list[bytes] = []
        with _damage(filename, entry.filename), archive.open(entry) as file:
            while part := file.read(min(_CHUNK_BYTES, self._left + 1)):
                self._left -= len(part)
                if self._left < 0:
                    most = self._most >> 20
                    raise PackagesRefused(f"{filename}: more than {most} MiB of packages when unpacked; take some out")
                parts.append(part)
        return b"".join(parts)

    def _put(self, place: str, content: bytes, filename: str) -> None:
        """Add a file; no two names of a set may be one file in whatever file system."""
        parts = place.split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            kind = (path, depth == len(parts))
            known = self._known.setdefault(unicodedata.normalize("NFC", path).casefold(), kind)
            if known != kind:
                raise PackagesRefused(f"{filename}: `{path}` and `{known[0]}` are one place in some file systems")
        if self.files.setdefault(place, content) != content:
            raise PackagesRefused(f"{filename}: another package of the set has another `{place}`; take one of them out")
        if len(self.files) > FILES_MAX:
            raise PackagesRefused(f"{filename}: more than {FILES_MAX} files in all packages; take some out")


def metadata_of(wheel: bytes, filename: str) -> bytes:
    """Return the METADATA of a wheel."""
    with _opened(wheel, filename) as archive:
        info = _check(archive, filename)
        return _small(archive, f"{info}/METADATA", filename)


def _project(filename: str) -> tuple[str, Version]:
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except (InvalidWheelFilename, ValueError):
        raise PackagesRefused(f"{filename}: not the name of a wheel") from None
    return name, version


@contextmanager
def _damage(filename: str, entry: str = "") -> Iterator[None]:
    """Turn what a damaged archive provokes into one line."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        what = f"`{entry[:80]}` cannot be unpacked" if entry else "not a zip archive"
        raise PackagesRefused(f"{filename}: {what}: {error}") from None


@contextmanager
def _opened(wheel: bytes, filename: str) -> Iterator[zipfile.ZipFile]:
    with _damage(filename):
        archive = zipfile.ZipFile(io.BytesIO(wheel))
    with archive:
        yield archive


def _check(archive: zipfile.ZipFile, filename: str) -> str:
    """Look at every entry before any is unpacked; return the name of the directory with the metadata."""
    entries = archive.infolist()
    if len(entries) > FILES_MAX:
        raise PackagesRefused(f"{filename}: more than {FILES_MAX} files")
    for entry in entries:
        if reason := _suspicious(entry):
            raise PackagesRefused(f"{filename}: entry {entry.filename[:80]!r} {reason}")
    if len({entry.filename for entry in entries}) != len(entries):
        raise PackagesRefused(f"{filename}: two entries have one name")
    info = _dist_info(entries, filename)
    if b"Wheel-Version: 1." not in _small(archive, f"{info}/WHEEL", filename):
        raise PackagesRefused(f"{filename}: not a wheel of version 1")
    return info


def _suspicious(entry: zipfile.ZipInfo) -> str:
    """Say why an entry must not be unpacked."""
    # What stood after a zero octet is gone from `filename`.
    name = entry.orig_filename
    if re.search(r"[\x00-\x1f\x7f\\\\:]", name) or len(name.encode(errors="replace")) > NAME_BYTES_MAX:
        return "has a name that not every file system has"
    if name.startswith("/") or not {"", ".", ".."}.isdisjoint(name.rstrip("/").split("/")):
        return "points out of its directory"
    if (entry.external_attr >> 16) & _KIND not in {0, _FILE, _DIRECTORY}:
        return "is a link or a device"
    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
        return "is encrypted or packed in another way than deflate"
    return ""


def _dist_info(entries: list[zipfile.ZipInfo], filename: str) -> str:
    """Return the directory with the metadata, which must be that of the file's name."""
    tops = {entry.filename.partition("/")[0] for entry in entries}
    infos = [top for top in tops if top.endswith(".dist-info")]
    if len(infos) != 1:
        raise PackagesRefused(f"{filename}: has {len(infos)} directories with metadata; a wheel has one")
    name, _, version = infos[0].removesuffix(".dist-info").rpartition("-")
    try:
        same = (canonicalize_name(name), Version(version)) == _project(filename)
    except (InvalidVersion, ValueError):
        same = False
    if not same:
        raise PackagesRefused(f"{filename}: its metadata is that of `{infos[0][:80]}`")
    return infos[0]


def _small(archive: zipfile.ZipFile, entry: str, filename: str) -> bytes:
    """Return the content of one of the files about the wheel."""
    try:
        info = archive.getinfo(entry)
    except KeyError:
        raise PackagesRefused(f"{filename}: has no `{entry}`") from None
    with _damage(filename, entry), archive.open(info) as file:
        content = file.read(METADATA_BYTES_MAX + 1)
    if len(content) > METADATA_BYTES_MAX:
        raise PackagesRefused(f"{filename}: `{entry}` has more than {METADATA_BYTES_MAX >> 20} MiB")
    return content


def _place(name: str) -> str | None:
    """Return where a file goes; scripts and headers go nowhere."""
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return name
    scheme, _, place = rest.partition("/")
    return place if scheme in {"purelib", "platlib"} and place else None


def _is_native(place: str) -> bool:
    return place.lower().endswith(NATIVE_SUFFIXES) or re.search(r"\.so\.[\d.]+$", place) is not None
