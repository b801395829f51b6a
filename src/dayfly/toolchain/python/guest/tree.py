"""The files of a sandbox: a tree in memory.

Everything is read-only but what lies below a writable directory (`/tmp`). Like all memory it is restored after each
request, so that what a request writes is gone with it.
"""

import errno
import os
import zlib
from collections.abc import Callable, Iterator

_HOPS_MAX = 40
"""Symbolic links followed in one path."""


class Node:
    """What a path leads to."""

    __slots__ = ("mode", "mtime_ns", "number", "writable")

    kind = 0

    def __init__(self, number: int, mode: int, mtime_ns: int, *, writable: bool) -> None:
        self.number = number
        self.mode = mode
        self.mtime_ns = mtime_ns
        self.writable = writable

    @property
    def size(self) -> int:
        """Octets, as `stat` says."""
        return 0


class File(Node):
    """Octets, or octets that are kept compressed until somebody opens them."""

    __slots__ = ("content", "packed_size")

    kind = 0o100000

    content: bytes | bytearray
    """Of a writable file always the same bytearray."""
    packed_size: int | None
    """If the content is compressed, how much it is really."""

    @property
    def size(self) -> int:  # noqa: D102 - as above
        return len(self.content) if self.packed_size is None else self.packed_size

    def octets(self) -> bytes | bytearray:
        """Return the content; of a writable file the very object that writes change."""
        return self.content if self.packed_size is None else zlib.decompress(self.content)


class Device(Node):
    """`/dev/null`, and `/dev/urandom`: reads come from a function, writes go nowhere."""

    __slots__ = ("draw",)

    kind = 0o020000

    draw: Callable[[int], bytes]


class Link(Node):
    """A symbolic link."""

    __slots__ = ("target",)

    kind = 0o120000

    target: str

    @property
    def size(self) -> int:  # noqa: D102 - as above
        return len(self.target)


class Directory(Node):
    """Names and what they stand for."""

    __slots__ = ("entries",)

    kind = 0o040000

    entries: dict[str, Node]


class Place:
    """Where a path leads: a name in a directory, and what stands there, if anything does."""

    __slots__ = ("directory", "name", "node")

    def __init__(self, directory: Directory, name: str, node: Node | None) -> None:
        self.directory = directory
        self.name = name
        self.node = node


class Tree:
    """Resolves paths, and changes what may be changed.

    `now` gives the time that a change is marked with. All errors are OSError, with the path as it was given.
    """

    def __init__(self, now: Callable[[], int] = lambda: 0) -> None:
        self.now = now
        self.directory = "/"
        self._numbers = 1
        self.root = self._directory(0o755, writable=False)

    # What is mounted ---------------------------------------------------------------------------------------------

    def mount_directory(self, path: str, *, writable: bool = False) -> Directory:
        """Make a directory and those above it; one that exists stays."""
        at = self.root
        for name in path.strip("/").split("/"):
            found = at.entries.get(name)
            if not isinstance(found, Directory):
                found = at.entries[name] = self._directory(0o755, writable=False)
            at = found
        if writable:
            at.writable = True
            at.mode = 0o1777
        return at

    def mount(self, path: str, content: bytes, *, packed_size: int | None = None, time_ns: int | None = None) -> File:
        """Put a read-only file into the tree; with `packed_size`, content is compressed and this its real size."""
        head, _, name = path.rpartition("/")
        file = File(self._number(), 0o644, self.now() if time_ns is None else time_ns, writable=False)
        file.content, file.packed_size = content, packed_size
        self.mount_directory(head).entries[name] = file
        return file

    def mount_device(self, path: str, draw: Callable[[int], bytes]) -> None:
        """Put a device into the tree."""
        head, _, name = path.rpartition("/")
        device = Device(self._number(), 0o666, self.now(), writable=True)
        device.draw = draw
        self.mount_directory(head).entries[name] = device

    # What paths lead to ------------------------------------------------------------------------------------------

    def absolute(self, path: str) -> str:
        """Return a path from the root, with dots and links as they are."""
        return path if path.startswith("/") else f"{self.directory}/{path}"

    def locate(self, path: str, *, follow: bool = True) -> Place:
        """Find the place that a path names. Raises if a directory on the way is missing."""
        if not path:
            raise failure(errno.ENOENT, path)
        if "\0" in path:
            raise ValueError("embedded null byte")
        trail = [self.root]
        place = Place(self.root, "", self.root)
        todo = self.absolute(path).split("/")[::-1]
        hops = 0
        while todo:
            name = todo.pop()
            if name in {"", "."}:
                continue
            at = place.node
            if not isinstance(at, Directory):
                raise failure(errno.ENOENT if at is None else errno.ENOTDIR, path)
            node = self._step(trail, at, name)
            if isinstance(node, Link) and (follow or any(todo)):
                hops += 1
                if hops > _HOPS_MAX:
                    raise failure(errno.ELOOP, path)
                todo += node.target.split("/")[::-1]
                if node.target.startswith("/"):
                    del trail[1:]
                place = Place(trail[-1], "", trail[-1])
            else:
                place = Place(trail[-1], "", trail[-1]) if name == ".." else Place(at, name, node)
        if place.node is not None and not isinstance(place.node, Directory) and path.endswith("/"):
            raise failure(errno.ENOTDIR, path)
        return place

    @staticmethod
    def _step(trail: list[Directory], at: Directory, name: str) -> Node | None:
        """Go on by one name, and keep the trail of directories up to date."""
        if name == "..":
            if len(trail) > 1:
                trail.pop()
            return trail[-1]
        node = at.entries.get(name)
        if isinstance(node, Directory):
            trail.append(node)
        return node

    def find(self, path: str, *, follow: bool = True) -> Node:
        """Return what a path leads to; raises FileNotFoundError if nothing stands there."""
        node = self.locate(path, follow=follow).node
        if node is None:
            raise failure(errno.ENOENT, path)
        return node

    def find_directory(self, path: str) -> Directory:
        """Return a directory; raises NotADirectoryError if it is something else."""
        node = self.find(path)
        if not isinstance(node, Directory):
            raise failure(errno.ENOTDIR, path)
        return node

    def change_directory(self, path: str) -> None:
        """Make relative paths begin elsewhere."""
        self.find_directory(path)
        self.directory = os.path.normpath(self.absolute(path))

    # What changes ------------------------------------------------------------------------------------------------

    def create(self, path: str, mode: int) -> File:
        """Make an empty file, or empty a place that holds one."""
        place = self._changeable(path)
        file = File(self._number(), mode & 0o777, self.now(), writable=True)
        file.content, file.packed_size = bytearray(), None
        self._put(place, file)
        return file

    def make_directory(self, path: str, mode: int) -> None:
        """Make a directory where nothing is."""
        place = self._vacant(path.rstrip("/") or path)
        self._put(place, self._directory(mode & 0o777, writable=True))

    def make_link(self, target: str, path: str) -> None:
        """Make a symbolic link where nothing is."""
        place = self._vacant(path)
        link = Link(self._number(), 0o777, self.now(), writable=True)
        link.target = target
        self._put(place, link)

    def link(self, source: str, path: str) -> None:
        """Give a file one more name."""
        node = self.find(source, follow=False)
        place = self._vacant(path)
        if isinstance(node, Directory) or not node.writable:
            raise failure(errno.EPERM, source)
        self._put(place, node)

    def remove(self, path: str) -> None:
        """Take a name away that is no directory's."""
        place = self._existing(path)
        if isinstance(place.node, Directory):
            raise failure(errno.EISDIR, path)
        self._take(place)

    def remove_directory(self, path: str) -> None:
        """Take an empty directory away."""
        place = self._existing(path)
        if not isinstance(place.node, Directory):
            raise failure(errno.ENOTDIR, path)
        if place.node.entries:
            raise failure(errno.ENOTEMPTY, path)
        self._take(place)

    def rename(self, source: str, target: str) -> None:
        """Move a name; what stands at the target is replaced if it is of the same kind."""
        old = self._existing(source)
        new = self._changeable(target, follow=False)
        if new.node is old.node:
            return
        if isinstance(new.node, Directory):
            if not isinstance(old.node, Directory):
                raise failure(errno.EISDIR, source, target)
            if new.node.entries:
                raise failure(errno.ENOTEMPTY, source, target)
        elif new.node is not None and isinstance(old.node, Directory):
            raise failure(errno.ENOTDIR, source, target)
        if isinstance(old.node, Directory) and any(node is new.directory for node in _below(old.node)):
            raise failure(errno.EINVAL, source, target)
        node = old.node
        self._take(old)
        if node is not None:
            self._put(new, node)

    def writable(self, path: str, *, follow: bool = True) -> Node:
        """Return what stands at a path, if it may be changed."""
        node = self.find(path, follow=follow)
        if not node.writable:
            raise failure(errno.EROFS, path)
        return node

    def _existing(self, path: str) -> Place:
        place = self.locate(path.rstrip("/") or path, follow=False)
        if place.node is None:
            raise failure(errno.ENOENT, path)
        if not place.directory.writable:
            raise failure(errno.EROFS, path)
        return place

    def _vacant(self, path: str) -> Place:
        if self.locate(path, follow=False).node is not None:
            raise failure(errno.EEXIST, path)
        return self._changeable(path, follow=False)

    def _changeable(self, path: str, *, follow: bool = True) -> Place:
        place = self.locate(path, follow=follow)
        if place.node is None and not place.name:
            raise failure(errno.ENOENT, path)
        if not place.directory.writable or not place.name:
            raise failure(errno.EROFS, path)
        return place

    def _put(self, place: Place, node: Node) -> None:
        place.directory.entries[place.name] = node
        self._touch(place.directory)

    def _take(self, place: Place) -> None:
        del place.directory.entries[place.name]
        self._touch(place.directory)

    def _touch(self, directory: Directory) -> None:
        """Mark a change so that it shows, however coarse the clock is."""
        directory.mtime_ns = max(self.now(), directory.mtime_ns + 1)

    def _directory(self, mode: int, *, writable: bool) -> Directory:
        directory = Directory(self._number(), mode, self.now(), writable=writable)
        directory.entries = {}
        return directory

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers


def failure(number: int, path: str, other: str | None = None) -> OSError:
    """Return the error that the system would raise."""
    if other is not None:
        return OSError(number, os.strerror(number), path, None, other)
    return OSError(number, os.strerror(number), path)


def _below(directory: Directory) -> Iterator[Directory]:
    yield directory
    for node in directory.entries.values():
        if isinstance(node, Directory):
            yield from _below(node)
