"""`open` and `io.FileIO` on files in memory; buffers and text are the interpreter's own."""

import errno
import io
import os
from typing import Any, BinaryIO

from .descriptors import ACCESS, Files

_MODES = {"r": os.O_RDONLY, "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC, "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND}
_KINDS, _DIRECTORY = 0o170000, 0o040000
_MODES["x"] = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class FileIO(io.RawIOBase):
    """A raw stream over a descriptor, with the interface of `io.FileIO`."""

    files: Files
    """Set once, when the functions of `os` are replaced."""

    def __init__(self, file: Any, mode: str = "r", closefd: bool = True, opener: Any = None) -> None:
        kind = mode.replace("b", "").replace("+", "")
        if kind not in _MODES:
            raise ValueError(f"invalid mode: {mode}")
        flags = _MODES[kind]
        if "+" in mode:
            flags = flags & ~ACCESS | os.O_RDWR
        self._descriptor = -1
        self._closes = closefd
        self._reads, self._writes = kind == "r" or "+" in mode, kind != "r" or "+" in mode
        self.name = file
        self._mode = {"r": "rb", "w": "wb", "x": "xb", "a": "ab"}[kind] + ("+" if "+" in mode else "")
        if isinstance(file, bool) or not isinstance(file, int):
            if not closefd:
                raise ValueError("Cannot use closefd=False with file name")
            self._descriptor = opener(file, flags) if opener else self.files.open(file, flags | os.O_CLOEXEC, 0o666)
            self._refuse_directory(file)
        else:
            self.files.fstat(file)
            self._descriptor = file
        if kind == "a" and self.seekable():
            self.seek(0, os.SEEK_END)

    def _refuse_directory(self, file: Any) -> None:
        if self.files.fstat(self._descriptor).st_mode & _KINDS == _DIRECTORY:
            self.files.close(self._descriptor)
            self._descriptor = -1
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), file)

    @property
    def mode(self) -> str:
        """The mode as `io.FileIO` spells it."""
        if self._reads and self._writes and not self._mode.startswith(("x", "a")):
            return "rb+"
        return self._mode

    @property
    def closefd(self) -> bool:
        """Whether `close` closes the descriptor."""
        return self._closes

    def __repr__(self) -> str:
        if self.closed:
            return "<_io.FileIO [closed]>"
        return f"<_io.FileIO name={self.name!r} mode={self.mode!r} closefd={self._closes}>"

    def fileno(self) -> int:
        self._check()
        return self._descriptor

    def readable(self) -> bool:
        self._check()
        return self._reads

    def writable(self) -> bool:
        self._check()
        return self._writes

    def seekable(self) -> bool:
        self._check()
        return self._descriptor > 2  # noqa: PLR2004 - the standard streams

    def isatty(self) -> bool:
        self._check()
        return False

    def readinto(self, buffer: Any) -> int:
        self._check_reads()
        return self.files.readinto(self._descriptor, buffer)

    def read(self, size: int | None = -1) -> bytes:
        self._check_reads()
        if size is None or size < 0:
            return self.files.read_all(self._descriptor)
        return self.files.read(self._descriptor, size)

    def readall(self) -> bytes:
        return self.read()

    def write(self, data: Any) -> int:
        self._check()
        if not self._writes:
            raise io.UnsupportedOperation("File not open for writing")
        return self.files.write(self._descriptor, data)

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        self._check()
        return self.files.lseek(self._descriptor, position, whence)

    def tell(self) -> int:
        return self.seek(0, os.SEEK_CUR)

    def truncate(self, size: int | None = None) -> int:
        self._check()
        if not self._writes:
            raise io.UnsupportedOperation("File not open for writing")
        length = self.tell() if size is None else size
        self.files.ftruncate(self._descriptor, length)
        return length

    def close(self) -> None:
        if not self.closed:
            super().close()
            if self._closes and self._descriptor >= 0:
                self.files.close(self._descriptor)

    def _check(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _check_reads(self) -> None:
        self._check()
        if not self._reads:
            raise io.UnsupportedOperation("File not open for reading")


def open(  # noqa: A001, C901 - the signature and the checks of io
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """Open a file as the built-in function does."""
    if not isinstance(file, int):
        file = os.fspath(file)
    if not isinstance(mode, str):
        raise TypeError(f"open() argument 'mode' must be str, not {type(mode).__name__}")
    letters = set(mode)
    if letters - set("axrwb+t") or len(mode) > len(letters):
        raise ValueError(f"invalid mode: {mode!r}")
    text, binary = "t" in letters, "b" in letters
    if text and binary:
        raise ValueError("can't have text and binary mode at once")
    if len(letters & set("xrwa")) != 1:
        raise ValueError("must have exactly one of create/read/write/append mode")
    if binary and (encoding, errors, newline) != (None, None, None):
        name = "encoding" if encoding is not None else "errors" if errors is not None else "newline"
        raise ValueError(f"binary mode doesn't take {'an' if name != 'newline' else 'a'} {name} argument")
    if not binary and buffering == 0:
        raise ValueError("can't have unbuffered text I/O")
    raw = FileIO(file, mode.replace("t", "").replace("b", ""), closefd, opener)
    try:
        if buffering == 0:
            return raw
        stream = _buffered(raw, letters, buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE)
        if binary:
            return stream
        wrapped = io.TextIOWrapper(stream, encoding or "utf-8", errors, newline, line_buffering=buffering == 1)
        wrapped.mode = mode  # type: ignore[misc] # as io itself does
    except BaseException:
        raw.close()
        raise
    return wrapped


def _buffered(raw: FileIO, letters: set[str], size: int) -> Any:
    if "+" in letters:
        return io.BufferedRandom(raw, size)
    if "r" in letters:
        return io.BufferedReader(raw, size)
    return io.BufferedWriter(raw, size)


def open_code(path: str) -> BinaryIO:
    """Open a file that holds code."""
    stream: BinaryIO = open(path, "rb")
    return stream
