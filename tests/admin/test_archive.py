"""An uploaded archive is regular files with plain names, or it is refused; nothing outside of memory is touched."""

import io
import random
import tarfile
import time
from pathlib import Path

import pytest

from dayfly.admin.archive import ARCHIVE_BYTES_MAX, ENTRIES_MAX, read
from dayfly.admin.client import archive_of
from dayfly.errors import ArchiveRefused
from dayfly.toolchain.source import SOURCE_BYTES_MAX, Source
from tests.admin.archives import APP, END, entry, extended, header, record

NAME = Path("shop")


def packed(files: dict[str, bytes], *, format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002 - as the library has it
    """Have the standard library write an archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1_700_000_000
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_what_others_write_is_read(format: int) -> None:  # noqa: A002 - as the library has it
    """In all formats of today, with long names where they allow them."""
    files = {"app.py": b"x = 1\n", "data/empty": b"", "data/a b.txt": b"\0" * 1500, f"{'d' * 90}/{'n' * 90}": b"long"}
    if format != tarfile.USTAR_FORMAT:
        files |= {"ä/ö.txt": b"umlaut", "/".join(["deep" * 10] * 8): b"deep"}
    source = read(packed(files, format=format), NAME)
    assert source.files == files
    assert source.modified_s == 1_700_000_000
    assert source.directory == NAME


def test_what_tar_writes_of_a_directory_is_read(tmp_path: Path) -> None:
    """With `./` in front, and entries for directories; hidden and generated files are left out."""
    for name in ("app.py", "static/a.css", ".env", ".git/config", "__pycache__/app.pyc", ".well-known/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(tmp_path, ".")
    assert set(read(buffer.getvalue(), NAME).files) == {"app.py", "static/a.css", ".well-known/x"}


def test_a_directory_has_the_same_digest_however_it_arrives(tmp_path: Path) -> None:
    """Read here, or sent by the client: the same release."""
    for name in ("b.py", "a/c.py", "a.py", "a-b/d.py", "app.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    local = Source.read(tmp_path)
    sent = read(archive_of(local), NAME)
    assert list(sent.files) == list(local.files)
    assert (sent.digest, sent.modified_s) == (local.digest, local.modified_s)


BAD_NAMES = {
    "absolute": ("/etc/passwd", "an absolute path"),
    "up": ("../app.py", r"a path with `\.\.`"),
    "up inside": ("a/../../app.py", r"a path with `\.\.`"),
    "up at the end": ("a/..", r"a path with `\.\.`"),
    "up behind a dot": ("./../app.py", r"a path with `\.\.`"),
    "absolute behind a dot": (".//etc/passwd", "an absolute path"),
    "empty": ("", "no path to a file"),
    "dot": (".", "no path to a file"),
    "dot inside": ("a/./b", "no path to a file"),
    "two slashes": ("a//b", "no path to a file"),
    "slash at the end": ("a/", "no path to a file"),
    "line end": ("a\nb", "characters that cannot be shown"),
    "escape": ("a\x1b[2Jb", "characters that cannot be shown"),
    "right to left": ("a\u202egnp.py", "characters that cannot be shown"),
    "not UTF-8": (b"a\xff", "a name that is not UTF-8"),
}


@pytest.mark.parametrize(("name", "reason"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_name_that_leads_elsewhere_is_refused(name: str | bytes, reason: str) -> None:
    """And one that nobody can read; in the header, and in an extended one."""
    octets = name.encode() if isinstance(name, str) else name
    with pytest.raises(ArchiveRefused, match=reason) as caught:
        read(APP + entry(name, b"content") + END, NAME)
    assert caught.value.field == "archive"
    assert str(caught.value).isprintable()
    if octets:
        for front in (extended([("path", octets)]), entry("././@LongLink", octets + b"\0", b"L")):
            with pytest.raises(ArchiveRefused, match=reason):
                read(APP + front + entry("harmless", b"content") + END, NAME)


KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"7": "of kind '7'",
    b"S": "a sparse file",
    b"D": "of kind 'D'",
    b"V": "of kind 'V'",
    b"X": "of kind 'X'",
    b"\xff": "of kind",
}


@pytest.mark.parametrize(("kind", "reason"), KINDS.items(), ids=[str(kind) for kind in KINDS])
def test_what_is_no_file_is_refused(kind: bytes, reason: str) -> None:
    """Links, devices, pipes, and what one has never heard of."""
    with pytest.raises(ArchiveRefused, match=rf"entry 'thing' is {reason}.*; send regular files only"):
        read(APP + header("thing", kind=kind, link=b"/etc/passwd") + END, NAME)


@pytest.mark.parametrize("key", ["GNU.sparse.major", "GNU.sparse.realsize", "size", "linkpath", "hdrcharset"])
def test_an_extended_header_cannot_change_what_an_entry_is(key: str) -> None:
    """A hole of terabytes would be a few octets here."""
    with pytest.raises(ArchiveRefused, match=r"sparse file|an extended header has"):
        read(extended([(key, b"1099511627776")]) + APP + END, NAME)


def test_harmless_records_are_passed_over() -> None:
    """Times, owners, and what other systems note; also a comment for all entries, as git writes it."""
    records = [("mtime", b"1.5"), ("uid", b"1000"), ("LIBARCHIVE.xattr.user.x", b"AA==")]
    source = read(extended([("comment", b"0123abcd")], b"g") + extended(records) + APP + END, NAME)
    assert list(source.files) == ["app.py"]


@pytest.mark.parametrize(
    "content",
    [b"x", b"5 a=\n9", b"99 path=x\n", b"-5 path=x\n", b"0 path=x\n", b"9 =value\n", b"10 path=x12", b" path=x\n"],
)
def test_an_extended_header_that_cannot_be_read_is_refused(content: bytes) -> None:
    """Lengths that lie, above all."""
    with pytest.raises(ArchiveRefused, match="extended header cannot be read"):
        read(entry("pax", content, b"x") + APP + END, NAME)


def test_names_that_do_not_go_together_are_refused() -> None:
    """Twice the same, in whatever spelling; or a file that is to be a directory, in either order."""
    for names in (["app.py", "app.py"], ["app.py", "./app.py"]):
        with pytest.raises(ArchiveRefused, match=r"entry 'app.py' is there twice"):
            read(b"".join(map(entry, names)) + END, NAME)
    with pytest.raises(ArchiveRefused, match=r"entry 'a' is there twice"):
        read(entry("a") + entry("a/", kind=b"5") + END, NAME)
    for names in (["a", "a/b"], ["a/b", "a"], ["a", "a-b", "a/b/c"]):
        with pytest.raises(ArchiveRefused, match=r"entry 'a/b.*' stands in 'a', which is a file"):
            read(b"".join(map(entry, names)) + END, NAME)
    with pytest.raises(ArchiveRefused, match="gives all entries one name"):
        read(extended([("path", b"app.py")], b"g") + APP + END, NAME)


def test_an_archive_that_ends_too_early_is_refused() -> None:
    """At whichever octet: what arrived is never taken for all there is."""
    whole = extended([("path", b"lib/long.py")]) + entry("x", b"y" * 700) + APP
    for length in range(0, len(whole) + 512, 64):
        with pytest.raises(ArchiveRefused, match=r"ends too early|ends within entry"):
            read((whole + END)[:length], NAME)
    assert set(read(whole + END, NAME).files) == {"lib/long.py", "app.py"}
    assert set(read(whole + bytes(512), NAME).files) == {"lib/long.py", "app.py"}


def test_nothing_stands_behind_the_end() -> None:
    """Neither a second archive, which other readers would see, nor a name without an entry."""
    for rest in (APP + END, b"x"):
        with pytest.raises(ArchiveRefused, match="stands behind its end"):
            read(APP + END + rest, NAME)
    with pytest.raises(ArchiveRefused, match="stands behind its end"):
        read(APP + extended([("path", b"late.py")]) + END, NAME)


def test_what_is_no_archive_is_refused() -> None:
    """With what to send instead."""
    for octets in (b"PK\x03\x04" + bytes(600), b"\x1f\x8b" + b"x" * 600, b"x" * 512 + END):
        with pytest.raises(ArchiveRefused, match="send a tar, uncompressed"):
            read(octets, NAME)
    with pytest.raises(ArchiveRefused, match="in an old format"):
        read(header("app.py", magic=bytes(8)) + END, NAME)
    with pytest.raises(ArchiveRefused, match="holds no file"):
        read(END, NAME)
    with pytest.raises(ArchiveRefused, match="ends too early"):
        read(b"", NAME)


@pytest.mark.parametrize("size", [b"77777777777", b"\x80" + b"\xff" * 11, b"-0000000001", b"00000000009", b"\xff" * 12])
def test_a_size_that_lies_is_refused(size: bytes) -> None:
    """Huge, negative, in GNU's binary form or no number at all."""
    with pytest.raises(ArchiveRefused, match=r"wrong number|at most|wrong checksum"):
        read(header("app.py", octal_size=size) + END, NAME)


def test_many_entries_are_refused_at_once() -> None:
    """A hundred thousand of them, or one too many."""
    for count in (ENTRIES_MAX + 1, 90_000):
        with pytest.raises(ArchiveRefused, match=f"more than {ENTRIES_MAX} entries"):
            read(b"".join(header(f"d{number}/", kind=b"5") for number in range(count)) + END, NAME)


def test_a_large_source_is_refused() -> None:
    """As one from a directory is; what is left out does not count."""
    half = bytes(SOURCE_BYTES_MAX // 2 + 1)
    archive = entry("a", half) + entry("b", half) + END
    assert len(archive) < ARCHIVE_BYTES_MAX
    with pytest.raises(ArchiveRefused, match="more than 32 MiB of source"):
        read(archive, NAME)
    assert set(read(entry("a", half) + entry(".b", half) + END, NAME).files) == {"a"}


def test_long_names_and_headers_are_refused() -> None:
    """Of a file, of one part of its path, and of what would hold one."""
    for name in ("n" * 256, "/".join(["part"] * 300)):
        with pytest.raises(ArchiveRefused, match="too long a name"):
            read(extended([("path", name.encode())]) + APP + END, NAME)
    with pytest.raises(ArchiveRefused, match="more than 64 KiB"):
        read(extended([("comment", b"x" * (64 << 10))]) + APP + END, NAME)
    assert len(record("k", b"v" * 85)) == 91


def test_whatever_arrives_is_a_source_or_refused() -> None:
    """Archives with octets changed, blocks moved and ends cut: no other error, and no file that was not sent."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    choice = random.Random(seed)
    whole = extended([("path", b"lib/long.py")]) + entry("x", b"y" * 700) + entry("d/", kind=b"5") + APP + END
    for _ in range(3000):
        octets = bytearray(whole)
        for _ in range(choice.randrange(1, 4)):
            start = choice.randrange(len(octets))
            match choice.randrange(4):
                case 0:
                    octets[start] = choice.randrange(256)
                case 1:
                    block = start // 512 * 512
                    octets[block : block + 512] = header(
                        choice.choice(["a", "../a", "a/b", "d"]), choice.randrange(2000)
                    )
                case 2:
                    del octets[start:]
                    octets += bytes(512)
                case _:
                    octets[start:start] = octets[: choice.randrange(1200)]
        try:
            files = read(octets, NAME).files
        except ArchiveRefused:
            continue
        assert all(name and not name.startswith("/") and ".." not in name.split("/") for name in files)
        assert sum(map(len, files.values())) <= len(octets)


def test_reading_takes_time_in_proportion() -> None:
    """The worst that fits: entries without content, in long names that share their beginnings."""
    name = "/".join(["d"] * 480)
    archive = b"".join(extended([("path", f"{name}/{number}".encode())]) + entry("x") for number in range(2000)) + END
    start = time.process_time()
    assert len(read(archive, NAME).files) == 2000
    assert time.process_time() - start < 20
