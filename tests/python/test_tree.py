"""Files in memory behave like files, seen through `os` and `open`."""

import errno
import io
import os
from collections.abc import Callable
from typing import Any

import pytest

from dayfly.toolchain.python.guest.descriptors import Files
from dayfly.toolchain.python.guest.streams import FileIO
from dayfly.toolchain.python.guest.streams import open as open_file
from dayfly.toolchain.python.guest.tree import Tree


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    """Give a tree with a release, a library that is kept packed, and a writable directory."""
    import zlib  # noqa: PLC0415 - for this fixture alone

    tree = Tree(lambda: 1_700_000_000_000_000_000)
    tree.mount("/app/app.py", b"one\ntwo\n")
    tree.mount("/app/data/table.csv", b"1,2\n")
    tree.mount("/lib/packed.py", zlib.compress(b"x" * 5000), packed_size=5000)
    tree.mount_directory("/tmp", writable=True)
    tree.mount_device("/dev/null", lambda _size: b"")
    tree.directory = "/app"
    made = Files(tree)
    monkeypatch.setattr(FileIO, "files", made, raising=False)
    return made


def test_the_release_is_read_as_text_and_as_octets(files: Files) -> None:
    """By relative and absolute paths."""
    assert open_file("app.py").read() == "one\ntwo\n"
    assert open_file("/app/data/../app.py", "rb").readlines() == [b"one\n", b"two\n"]
    assert files.listdir("/") == ["app", "lib", "tmp", "dev"]
    assert files.listdir(b"/app/data") == [b"table.csv"]


def test_a_packed_file_has_its_real_size(files: Files) -> None:
    """And its real content."""
    assert files.stat("/lib/packed.py").st_size == 5000
    assert open_file("/lib/packed.py", "rb").read() == b"x" * 5000


CHANGES: dict[str, Callable[[Files], Any]] = {
    "open to write": lambda _files: open_file("/app/app.py", "w"),
    "open to append": lambda _files: open_file("/app/app.py", "a"),
    "create": lambda _files: open_file("/app/new", "w"),
    "remove": lambda files: files.remove("/app/app.py"),
    "rename away": lambda files: files.rename("/app/app.py", "/tmp/x"),
    "make a directory": lambda files: files.mkdir("/app/d"),
    "remove a directory": lambda files: files.rmdir("/app/data"),
    "change the mode": lambda files: files.chmod("/app/app.py", 0o777),
    "change the time": lambda files: files.utime("/app/app.py"),
    "truncate": lambda files: files.truncate("/app/app.py", 0),
    "link": lambda files: files.symlink("x", "/app/l"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_release_cannot_be_changed(files: Files, change: str) -> None:
    """Whatever is tried."""
    with pytest.raises(OSError, match="Read-only") as caught:
        CHANGES[change](files)
    assert caught.value.errno == errno.EROFS
    assert open_file("/app/app.py").read() == "one\ntwo\n"


def test_what_is_written_is_read_again(files: Files) -> None:
    """In every mode."""
    with open_file("/tmp/a", "w") as stream:
        stream.write("hello\n")
    with open_file("/tmp/a", "a") as stream:
        stream.write("more")
        assert stream.tell() == 10
    with open_file("/tmp/a", "r+b") as stream:
        stream.seek(-4, os.SEEK_END)
        assert stream.read() == b"more"
        stream.seek(0)
        stream.write(b"J")
        stream.truncate(3)
    assert open_file("/tmp/a").read() == "Jel"
    with pytest.raises(FileExistsError):
        open_file("/tmp/a", "x")
    with open_file("/tmp/a", "wb", buffering=0) as raw:
        assert raw.write(b"xyz") == 3
        raw.seek(5)
        raw.write(b"!")
    assert files.stat("/tmp/a").st_size == 6
    assert open_file("/tmp/a", "rb").read() == b"xyz\0\0!"


def test_two_streams_share_a_file(files: Files) -> None:
    """What one writes, the other reads."""
    writer = open_file("/tmp/a", "wb", buffering=0)
    reader = open_file("/tmp/a", "rb", buffering=0)
    writer.write(b"ab")
    assert reader.read() == b"ab"
    files.remove("/tmp/a")
    writer.write(b"cd")
    assert reader.read() == b"cd"


def test_descriptors(files: Files) -> None:
    """As `os` has them."""
    descriptor = files.open("/tmp/f", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    assert descriptor == 3
    assert files.write(descriptor, b"hello world") == 11
    assert files.lseek(descriptor, 6, os.SEEK_SET) == 6
    assert files.read(descriptor, 3) == b"wor"
    assert files.pread(descriptor, 5, 0) == b"hello"
    files.ftruncate(descriptor, 5)
    assert files.fstat(descriptor).st_size == 5
    again = files.dup(descriptor)
    files.close(descriptor)
    assert files.pread(again, 9, 0) == b"hello"
    files.close(again)
    with pytest.raises(OSError, match="Bad file descriptor"):
        files.read(again, 1)
    with pytest.raises(OSError, match="Bad file descriptor"):
        files.close(again)


def test_directories(files: Files) -> None:
    """Are made, listed, walked, moved and removed."""
    files.mkdir("/tmp/d")
    files.mkdir("/tmp/d/e")
    open_file("/tmp/d/f", "w").close()
    entries = sorted((entry.name, entry.path, entry.is_dir(), entry.is_file()) for entry in files.scandir("/tmp/d"))
    assert entries == [("e", "/tmp/d/e", True, False), ("f", "/tmp/d/f", False, True)]
    files.rename("/tmp/d", "/tmp/g")
    assert files.listdir("/tmp") == ["g"]
    with pytest.raises(OSError, match="not empty"):
        files.rmdir("/tmp/g")
    with pytest.raises(OSError, match="Invalid argument"):
        files.rename("/tmp/g", "/tmp/g/e/h")
    files.remove("/tmp/g/f")
    files.rmdir("/tmp/g/e")
    files.rmdir("/tmp/g")
    assert files.listdir("/tmp") == []


def test_links_are_followed(files: Files) -> None:
    """To files and directories, but not in circles."""
    files.symlink("/app", "/tmp/l")
    files.symlink("l/app.py", "/tmp/m")
    files.symlink("n", "/tmp/n")
    assert open_file("/tmp/m").readline() == "one\n"
    assert files.listdir("/tmp/l") == ["app.py", "data"]
    assert files.readlink("/tmp/m") == "l/app.py"
    assert files.lstat("/tmp/m").st_mode & 0o170000 == 0o120000
    with pytest.raises(OSError, match="symbolic links"):
        files.stat("/tmp/n")


def test_errors_are_those_of_the_system(files: Files) -> None:
    """With the path that was given."""
    with pytest.raises(FileNotFoundError) as caught:
        open_file("no/such")
    assert caught.value.filename == "no/such"
    with pytest.raises(NotADirectoryError):
        files.listdir("/app/app.py")
    with pytest.raises(NotADirectoryError):
        open_file("/app/app.py/x")
    with pytest.raises(IsADirectoryError):
        open_file("/app")
    with pytest.raises(FileExistsError):
        files.mkdir("/app")
    with pytest.raises(ValueError, match="null"):
        files.stat("a\0b")
    with pytest.raises(NotImplementedError):
        files.stat("a", dir_fd=3)


def test_open_refuses_what_open_refuses(files: Files) -> None:
    """With the same kinds of exceptions."""
    del files
    for mode in ("rw", "q", "rbt", "", "rr"):
        with pytest.raises(ValueError, match="mode"):
            open_file("/app/app.py", mode)
    with pytest.raises(ValueError, match="encoding"):
        open_file("/app/app.py", "rb", encoding="utf-8")
    with pytest.raises(ValueError, match="unbuffered"):
        open_file("/app/app.py", "r", buffering=0)
    with pytest.raises(io.UnsupportedOperation):
        open_file("/tmp/new", "w").read()
    with pytest.raises(io.UnsupportedOperation):
        open_file("/app/app.py", "rb", buffering=0).write(b"x")
    stream = open_file("/app/app.py")
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        stream.read()


def test_a_change_of_a_directory_shows_in_its_time(files: Files) -> None:
    """However coarse the clock is: importers look at it."""
    before = files.stat("/tmp").st_mtime_ns
    open_file("/tmp/module.py", "w").close()
    assert files.stat("/tmp").st_mtime_ns > before


def test_devices(files: Files) -> None:
    """Take what is written, and give nothing."""
    with open_file("/dev/null", "r+b", buffering=0) as null:
        assert null.write(b"gone") == 4
        assert null.read() == b""
    assert files.access("/dev/null", os.W_OK)
    assert not files.access("/app/app.py", os.W_OK)
    assert not files.access("/no", os.F_OK)
