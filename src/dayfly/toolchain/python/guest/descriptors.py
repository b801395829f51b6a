"""What `os` offers for files, on a tree in memory: the functions that replace those of `posix`."""

import errno
import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from .tree import Device, Directory, File, Link, Node, Tree, failure

_KINDS = 0o170000
_STANDARD = 3
"""Descriptors below are standard input, output and error."""
_OPEN_MAX = 1024

ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
"""How a file is opened. Not everywhere is reading 0."""


def writes(flags: int) -> bool:
    """Say whether a file is opened for writing."""
    return flags & ACCESS in (os.O_WRONLY, os.O_RDWR)


class Opened:
    """One open file."""

    __slots__ = ("append", "data", "node", "path", "position", "readable", "writable")

    def __init__(self, node: Node, path: str, flags: int) -> None:
        self.node = node
        self.path = path
        self.data = node.octets() if isinstance(node, File) else b""
        self.position = 0
        self.readable = flags & ACCESS != os.O_WRONLY
        self.writable = writes(flags)
        self.append = bool(flags & os.O_APPEND)


class Entry:
    """What `os.scandir` gives: a name in a directory."""

    __slots__ = ("_files", "_node", "name", "path")

    def __init__(self, files: "Files", name: Any, path: Any, node: Node) -> None:
        self._files = files
        self._node = node
        self.name = name
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path) if isinstance(self.path, str) else self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def inode(self) -> int:
        """Return the number of what the name stands for."""
        return self._node.number

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return what `os.stat` would."""
        return self._files.stat(self.path, follow_symlinks=follow_symlinks)

    def is_symlink(self) -> bool:
        """Say whether it is a link."""
        return isinstance(self._node, Link)

    def is_junction(self) -> bool:
        """Say whether it is a junction, which only Windows has."""
        return False

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Say whether it is a directory, or leads to one."""
        return isinstance(self._leads_to(follow_symlinks), Directory)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Say whether it is a file, or leads to one."""
        return isinstance(self._leads_to(follow_symlinks), File)

    def _leads_to(self, follow_symlinks: bool) -> Node | None:
        if not follow_symlinks or not isinstance(self._node, Link):
            return self._node
        try:
            return self._files.tree.find(os.fsdecode(self.path))
        except OSError:
            return None


class Scan:
    """The iterator of `os.scandir`, which is a context manager too."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Entry:
        return next(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        self._entries = iter(())


def _swallow(_descriptor: int, data: bytes) -> int:
    return len(data)


class Files:
    """Open files over a tree. Every public method is the function of that name in `os`."""

    def __init__(self, tree: Tree, write_standard: Callable[[int, bytes], int] = _swallow) -> None:
        self.tree = tree
        self._write_standard = write_standard
        self._open: dict[int, Opened] = {}

    # Opening and closing -----------------------------------------------------------------------------------------

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        _no_directory(dir_fd)
        name = _text(path)
        descriptor = next(number for number in range(_STANDARD, _OPEN_MAX + 1) if number not in self._open)
        if descriptor == _OPEN_MAX:
            raise failure(errno.EMFILE, name)
        self._open[descriptor] = Opened(self._node_to_open(name, flags, mode), name, flags)
        return descriptor

    def _node_to_open(self, name: str, flags: int, mode: int) -> Node:
        node = self.tree.locate(name, follow=not flags & os.O_NOFOLLOW).node
        if node is None:
            if not flags & os.O_CREAT:
                raise failure(errno.ENOENT, name)
            return self.tree.create(name, mode & ~0o022)
        if flags & os.O_CREAT and flags & os.O_EXCL:
            raise failure(errno.EEXIST, name)
        if isinstance(node, Link):
            raise failure(errno.ELOOP, name)
        if isinstance(node, Directory) and writes(flags):
            raise failure(errno.EISDIR, name)
        if flags & os.O_DIRECTORY and not isinstance(node, Directory):
            raise failure(errno.ENOTDIR, name)
        if writes(flags) and not node.writable:
            raise failure(errno.EROFS, name)
        if writes(flags) and flags & os.O_TRUNC and isinstance(node, File):
            self._resize(node, 0)
        return node

    def close(self, fd: int) -> None:
        if fd not in self._open and not 0 <= fd < _STANDARD:
            raise _bad()
        self._open.pop(fd, None)

    def closerange(self, fd_low: int, fd_high: int, /) -> None:
        for descriptor in [number for number in self._open if fd_low <= number < fd_high]:
            del self._open[descriptor]

    def dup(self, fd: int, /) -> int:
        opened = self._opened(fd)
        descriptor = next(number for number in range(_STANDARD, _OPEN_MAX) if number not in self._open)
        self._open[descriptor] = opened
        return descriptor

    # Reading and writing -----------------------------------------------------------------------------------------

    def read(self, fd: int, length: int, /) -> bytes:
        if 0 <= fd < _STANDARD:
            return b""
        opened = self._readable(fd)
        if isinstance(opened.node, Device):
            return opened.node.draw(length)
        data = bytes(opened.data[opened.position : opened.position + length])
        opened.position += len(data)
        return data

    def readinto(self, fd: int, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(fd, len(view))
        view[: len(data)] = data
        return len(data)

    def read_all(self, fd: int) -> bytes:
        """Return the rest; of a file that is read whole and cannot change, its very octets."""
        if 0 <= fd < _STANDARD:
            return b""
        opened = self._readable(fd)
        if isinstance(opened.node, Device):
            return opened.node.draw(0)
        data = bytes(opened.data[opened.position :] if opened.position else opened.data)
        opened.position += len(data)
        return data

    def write(self, fd: int, data: Any, /) -> int:
        octets = bytes(data)
        if 0 <= fd < _STANDARD:
            return self._write_standard(fd, octets)
        opened = self._writable(fd)
        if opened.append:
            opened.position = len(opened.data)
        written = self._write_at(opened, octets, opened.position)
        opened.position += written
        return written

    def pread(self, fd: int, length: int, offset: int, /) -> bytes:
        opened = self._readable(fd)
        return bytes(opened.data[offset : offset + length])

    def pwrite(self, fd: int, data: Any, offset: int, /) -> int:
        return self._write_at(self._writable(fd), bytes(data), offset)

    def _write_at(self, opened: Opened, octets: bytes, position: int) -> int:
        if isinstance(opened.node, File):
            content = opened.data
            assert isinstance(content, bytearray)  # noqa: S101 - only such files are opened for writing
            if position > len(content):
                content.extend(bytes(position - len(content)))
            content[position : position + len(octets)] = octets
            opened.node.mtime_ns = self.tree.now()
        return len(octets)

    def lseek(self, fd: int, position: int, whence: int, /) -> int:
        if 0 <= fd < _STANDARD:
            raise OSError(errno.ESPIPE, os.strerror(errno.ESPIPE))
        opened = self._opened(fd)
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: opened.position, os.SEEK_END: len(opened.data)}.get(whence)
        if begin is None or begin + position < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        opened.position = begin + position
        return opened.position

    def ftruncate(self, fd: int, length: int, /) -> None:
        opened = self._writable(fd)
        if isinstance(opened.node, File):
            self._resize(opened.node, length)

    def truncate(self, path: Any, length: int) -> None:
        if isinstance(path, int):
            self.ftruncate(path, length)
            return
        node = self.tree.writable(_text(path))
        if not isinstance(node, File):
            raise failure(errno.EISDIR, _text(path))
        self._resize(node, length)

    def _resize(self, file: File, length: int) -> None:
        content = file.content
        assert isinstance(content, bytearray)  # noqa: S101 - as above
        if length < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        del content[length:]
        content.extend(bytes(length - len(content)))
        file.mtime_ns = self.tree.now()

    def fsync(self, fd: Any) -> None:
        self._opened(fd if isinstance(fd, int) else fd.fileno())

    fdatasync = fsync

    def isatty(self, _fd: int, /) -> bool:
        return False

    def get_inheritable(self, fd: int, /) -> bool:
        self._opened(fd)
        return False

    def set_inheritable(self, fd: int, _inheritable: int, /) -> None:
        self._opened(fd)

    def get_blocking(self, fd: int, /) -> bool:
        self._opened(fd)
        return True

    def set_blocking(self, fd: int, _blocking: bool, /) -> None:
        self._opened(fd)

    # What there is -----------------------------------------------------------------------------------------------

    def stat(self, path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        if isinstance(path, int):
            return self.fstat(path)
        _no_directory(dir_fd)
        return self._stat(self.tree.find(_text(path), follow=follow_symlinks))

    def lstat(self, path: Any, *, dir_fd: int | None = None) -> os.stat_result:
        return self.stat(path, dir_fd=dir_fd, follow_symlinks=False)

    def fstat(self, fd: int) -> os.stat_result:
        if 0 <= fd < _STANDARD:
            return self._stat(self.tree.root)
        return self._stat(self._opened(fd).node)

    def _stat(self, node: Node) -> os.stat_result:
        seconds, time_ns = node.mtime_ns // 1_000_000_000, node.mtime_ns
        links = 2 if isinstance(node, Directory) else 1
        visible = (node.kind | node.mode, node.number, 1, links, 0, 0, node.size, seconds, seconds, seconds)
        times = {f"st_{which}": time_ns / 1e9 for which in ("atime", "mtime", "ctime")}
        return os.stat_result(visible, times | {f"{name}_ns": time_ns for name in times})

    def access(
        self,
        path: Any,
        mode: int,
        *,
        dir_fd: int | None = None,
        effective_ids: bool = False,
        follow_symlinks: bool = True,
    ) -> bool:
        del effective_ids
        _no_directory(dir_fd)
        try:
            node = self.tree.find(_text(path), follow=follow_symlinks)
        except OSError:
            return False
        if mode & os.W_OK and not node.writable:
            return False
        return not mode & os.X_OK or isinstance(node, Directory) or bool(node.mode & 0o111)

    def listdir(self, path: Any = ".") -> list[Any]:
        path = "." if path is None else path
        if isinstance(path, int):
            path = self._opened(path).path
        names = list(self.tree.find_directory(_text(path)).entries)
        return [os.fsencode(name) for name in names] if isinstance(os.fspath(path), bytes) else names

    def scandir(self, path: Any = ".") -> Scan:
        path = "." if path is None else path
        if isinstance(path, int):
            path = self._opened(path).path
        place = os.fspath(path)
        entries = self.tree.find_directory(_text(path)).entries
        as_given: Callable[[str], Any] = os.fsencode if isinstance(place, bytes) else str
        return Scan(
            Entry(self, as_given(name), os.path.join(place, as_given(name)), node)
            for name, node in list(entries.items())
        )

    def readlink(self, path: Any, *, dir_fd: int | None = None) -> Any:
        _no_directory(dir_fd)
        node = self.tree.find(_text(path), follow=False)
        if not isinstance(node, Link):
            raise failure(errno.EINVAL, _text(path))
        return os.fsencode(node.target) if isinstance(os.fspath(path), bytes) else node.target

    def getcwd(self) -> str:
        return self.tree.directory

    def getcwdb(self) -> bytes:
        return os.fsencode(self.tree.directory)

    # What changes ------------------------------------------------------------------------------------------------

    def chdir(self, path: Any) -> None:
        self.tree.change_directory(_text(path))

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        _no_directory(dir_fd)
        self.tree.make_directory(_text(path), mode & ~0o022)

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        _no_directory(dir_fd)
        self.tree.remove_directory(_text(path))

    def remove(self, path: Any, *, dir_fd: int | None = None) -> None:
        _no_directory(dir_fd)
        self.tree.remove(_text(path))

    unlink = remove

    def rename(self, src: Any, dst: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        _no_directory(src_dir_fd)
        _no_directory(dst_dir_fd)
        self.tree.rename(_text(src), _text(dst))

    replace = rename

    def link(
        self,
        src: Any,
        dst: Any,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        del follow_symlinks
        _no_directory(src_dir_fd)
        _no_directory(dst_dir_fd)
        self.tree.link(_text(src), _text(dst))

    def symlink(self, src: Any, dst: Any, target_is_directory: bool = False, *, dir_fd: int | None = None) -> None:
        del target_is_directory
        _no_directory(dir_fd)
        self.tree.make_link(_text(src), _text(dst))

    def chmod(self, path: Any, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
        _no_directory(dir_fd)
        if isinstance(path, int):
            path = self._opened(path).path
        node = self.tree.writable(_text(path), follow=follow_symlinks)
        node.mode = mode & 0o7777

    def utime(
        self,
        path: Any,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        _no_directory(dir_fd)
        if isinstance(path, int):
            path = self._opened(path).path
        node = self.tree.writable(_text(path), follow=follow_symlinks)
        node.mtime_ns = ns[1] if ns else int(times[1] * 1e9) if times else self.tree.now()

    # Descriptors -------------------------------------------------------------------------------------------------

    def _opened(self, descriptor: int) -> Opened:
        try:
            return self._open[descriptor]
        except KeyError:
            raise _bad() from None

    def _readable(self, descriptor: int) -> Opened:
        opened = self._opened(descriptor)
        if isinstance(opened.node, Directory):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not opened.readable:
            raise _bad()
        return opened

    def _writable(self, descriptor: int) -> Opened:
        opened = self._opened(descriptor)
        if not opened.writable:
            raise _bad()
        return opened


def _text(path: Any) -> str:
    return os.fsdecode(path)


def _bad() -> OSError:
    return OSError(errno.EBADF, os.strerror(errno.EBADF))


def _no_directory(descriptor: int | None) -> None:
    if descriptor is not None:
        raise NotImplementedError("a path relative to an open directory is not supported here")
