"""What a client sends for a deploy: a tar archive, read entry by entry in memory; nothing is unpacked to a disk.

The standard library's reader is made for archives that one trusts: it follows links, fills holes with zeros, and takes
an extended header of any size. This one knows regular files and directories in the formats of POSIX and GNU, refuses
the rest by name, and never holds more than it was given.

    header │ content, padded │ header │ content, padded │ ... │ zeros
      └ an `x` or `L` entry before it may hold its name, where 100 + 155 octets are too few
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from dayfly.errors import ArchiveRefused
from dayfly.toolchain.source import SOURCE_BYTES_MAX, Source, is_left_out

ARCHIVE_BYTES_MAX = SOURCE_BYTES_MAX + (16 << 20)
"""Octets of an archive: a source, and for each of `ENTRIES_MAX` entries a header, an extended one and padding."""

ENTRIES_MAX = 10_000
"""Entries of an archive, directories included."""

NAME_BYTES_MAX = 1024
"""Octets of an entry's name."""

_PART_BYTES_MAX = 255
"""Octets between two slashes: what file systems allow."""

_EXTENDED_BYTES_MAX = 64 << 10
"""Octets of an extended header."""

_MTIME_MAX = 1 << 33
"""Seconds since 1970, in the year 2242; what is later is no time of a file."""

_BLOCK = 512
_ZEROS = bytes(_BLOCK)

_REFUSED = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"S": "a sparse file",
}
_FILE = (b"0", b"\0")
_DIRECTORY = b"5"
_EXTENDED = b"x"
_GLOBAL = b"g"
_LONG_NAME = b"L"


@dataclass(frozen=True)
class _Entry:
    """A file or directory of an archive."""

    name: str
    is_directory: bool
    content: memoryview
    mtime: int


@dataclass(frozen=True)
class _Header:
    """What a header block says."""

    name: bytes
    kind: bytes
    size: int
    mtime: int


def read(archive: bytes | bytearray, directory: Path) -> Source:
    """Read an archive as the source of a tenant; hidden and generated files are left out, as from a directory.

    `directory`: what messages call it. Raises ArchiveRefused, which names the entry.
    """
    entries = _distinct(memoryview(archive))
    wanted = [entry for entry in entries if not entry.is_directory and not _is_left_out(entry.name)]
    if sum(len(entry.content) for entry in wanted) > SOURCE_BYTES_MAX:
        raise _refusal(f"more than {SOURCE_BYTES_MAX >> 20} MiB of source; take files out")
    if not wanted:
        raise _refusal("it holds no file; send the files of a tenant directory, app.py among them")
    # In the order in which a directory is read: the same files have the same digest.
    wanted.sort(key=lambda entry: PurePosixPath(entry.name))
    files = {entry.name: bytes(entry.content) for entry in wanted}
    return Source(directory, files, max(entry.mtime for entry in wanted))


def _distinct(archive: memoryview) -> list[_Entry]:
    """Return the entries; refuse two that cannot stand in one directory."""
    entries: dict[str, _Entry] = {}
    for number, entry in enumerate(_entries(archive)):
        if number == ENTRIES_MAX:
            raise _refusal(f"more than {ENTRIES_MAX} entries; take files out")
        before = entries.setdefault(entry.name, entry)
        if before is not entry and not (before.is_directory and entry.is_directory):
            raise _refusal(f"entry {entry.name!r} is there twice; keep one of them")
    # What stands in a directory comes right after it, so one look at each neighbour is enough.
    ordered = sorted(entries.values(), key=lambda entry: entry.name.split("/"))
    for above, below in pairwise(ordered):
        if not above.is_directory and below.name.startswith(f"{above.name}/"):
            raise _refusal(f"entry {below.name!r} stands in {above.name!r}, which is a file; rename one of them")
    return ordered


def _entries(archive: memoryview) -> Iterator[_Entry]:
    """Give the entries up to the end mark, after which only zeros may come."""
    place, name = 0, b""
    while True:
        block = bytes(archive[place : place + _BLOCK])
        if len(block) < _BLOCK:
            raise _refusal("it ends too early; send it whole, with the zeros at its end")
        if block == _ZEROS:
            break
        header = _header(block)
        content = archive[place + _BLOCK : place + _BLOCK + header.size]
        place += _BLOCK + -(-header.size // _BLOCK) * _BLOCK
        if len(content) < header.size or place > len(archive):
            raise _refusal(f"it ends within entry {_shown(header.name)}; send it whole")
        if header.kind in (_EXTENDED, _GLOBAL, _LONG_NAME):
            name = _extended(header, content) or name
            continue
        yield _entry(header, name or header.name, content)
        name = b""
    if name or archive[place:].tobytes().strip(b"\0"):
        raise _refusal("something stands behind its end; send one archive")


def _header(block: bytes) -> _Header:
    """Read a header block (POSIX.1-2017, pax, "ustar Interchange Format")."""
    # The sum is made with eight spaces in its own place.
    if _octal(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 0x20:
        raise _refusal("a header has a wrong checksum, so it is no tar archive or damaged; send a tar, uncompressed")
    magic = block[257:263]
    if magic not in (b"ustar\0", b"ustar "):
        raise _refusal("it is in an old format; make it with `tar --format=posix`")
    name, prefix = block[:100].split(b"\0")[0], block[345:500].split(b"\0")[0]
    # GNU keeps times where POSIX keeps the front part of a long name.
    if prefix and magic == b"ustar\0":
        name = prefix + b"/" + name
    size, mtime = _octal(block[124:136]), _octal(block[136:148], _MTIME_MAX)
    return _Header(name, block[156:157], size, mtime)


def _octal(field: bytes, most: int = ARCHIVE_BYTES_MAX) -> int:
    """Read a number; GNU's binary form, for what octal digits cannot say, is beyond every limit here."""
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise _refusal("a header has a wrong number, so it is no tar archive or damaged; send a tar, uncompressed")
    number = int(digits or b"0", 8)
    if number > most:
        raise _refusal(f"a header has the number {number}, and at most {most} is allowed; make the archive anew")
    return number


def _extended(header: _Header, content: memoryview) -> bytes:
    """Return the name that an extended header gives the next entry, or nothing."""
    if header.size > _EXTENDED_BYTES_MAX:
        raise _refusal(f"an extended header has more than {_EXTENDED_BYTES_MAX >> 10} KiB; make the archive anew")
    if header.kind == _LONG_NAME:
        return bytes(content).split(b"\0")[0]
    records = _records(bytes(content))
    if any(key.startswith(b"GNU.sparse.") for key in records):
        raise _refusal("it holds a sparse file; make it without --sparse")
    if refused := {b"size", b"linkpath", b"hdrcharset"}.intersection(records):
        raise _refusal(f"an extended header has `{min(refused).decode()}`; send regular files with names in UTF-8")
    if header.kind == _GLOBAL and b"path" in records:
        raise _refusal("an extended header gives all entries one name; make the archive anew")
    return records.get(b"path", b"")


def _records(content: bytes) -> dict[bytes, bytes]:
    """Read `LENGTH KEY=VALUE` lines, whose length counts all of the line."""
    records: dict[bytes, bytes] = {}
    rest = content.rstrip(b"\0")
    while rest:
        digits, _, _ = rest[:8].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        key, equals, value = rest[len(digits) + 1 : length - 1].partition(b"=")
        if not equals or not key or length > len(rest) or rest[length - 1 : length] != b"\n":
            raise _refusal("an extended header cannot be read; make the archive anew")
        records[key] = value
        rest = rest[length:]
    return records


def _entry(header: _Header, octets: bytes, content: memoryview) -> _Entry:
    """Check that an entry is a file or directory with a name that stays where it is put."""
    if kind := _REFUSED.get(header.kind):
        raise _refusal(f"entry {_shown(octets)} is {kind}; send regular files only")
    is_directory = header.kind == _DIRECTORY
    if not is_directory and header.kind not in _FILE:
        raise _refusal(f"entry {_shown(octets)} is of kind {_shown(header.kind)}; send regular files only")
    if is_directory and header.size:
        raise _refusal(f"entry {_shown(octets)} is a directory with content; make the archive anew")
    return _Entry(_name(octets, is_directory=is_directory), is_directory, content, header.mtime)


def _name(octets: bytes, *, is_directory: bool) -> str:
    """Return a name as `Source` has it: relative, without dots, in UTF-8. `./a` is `a`; the root is `.`."""
    try:
        name = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise _refusal(f"entry {_shown(octets)} has a name that is not UTF-8; rename it") from None
    name = name.removeprefix("./")
    if is_directory:
        name = name.removesuffix("/") or "."
    parts = name.split("/")
    reason = (
        "an absolute path" if name.startswith("/")
        else "a path with `..`" if ".." in parts
        else "no path to a file" if not is_directory and ("" in parts or "." in parts)
        else "no path to a directory" if name != "." and ("" in parts or "." in parts)
        else "characters that cannot be shown" if not name.isprintable()
        else "too long a name" if len(octets) > NAME_BYTES_MAX
        or any(len(part.encode()) > _PART_BYTES_MAX for part in parts)
        else ""
    )  # fmt: skip
    if reason:
        raise _refusal(f"entry {_shown(octets)} has {reason}; send names relative to the tenant directory")
    return name


def _is_left_out(name: str) -> bool:
    return any(map(is_left_out, name.split("/")))


def _shown(octets: bytes) -> str:
    """Show what a client sent, in bounded length."""
    return repr(octets[:100].decode("utf-8", "backslashreplace"))


def _refusal(reason: str) -> ArchiveRefused:
    return ArchiveRefused(f"archive: {reason}", field="archive")
