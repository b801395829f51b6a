"""Puts a tree in the place of the file system, for everything in the interpreter that opens files."""

import builtins
import importlib
import io
import os
import sys
from typing import Any

from . import streams
from .descriptors import Entry, Files

_FUNCTIONS = (
    *("access", "chdir", "chmod", "close", "closerange", "dup", "fdatasync", "fstat"),
    *("fsync", "ftruncate", "get_blocking", "get_inheritable", "getcwd", "getcwdb", "isatty", "link"),
    *("listdir", "lseek", "lstat", "mkdir", "open", "pread", "pwrite", "read"),
    *("readinto", "readlink", "remove", "rename", "replace", "rmdir", "scandir", "set_blocking"),
    *("set_inheritable", "stat", "symlink", "truncate", "unlink", "utime", "write"),
)


def mount(files: Files) -> None:
    """Replace the functions of `os` and `io`, under every name they have."""
    streams.FileIO.files = files
    module: Any
    for module in (os, importlib.import_module("posix")):
        for name in _FUNCTIONS:
            setattr(module, name, getattr(files, name))
        module.DirEntry = Entry
    for module in (io, importlib.import_module("_io")):
        module.FileIO = streams.FileIO
        module.open = streams.open
        module.open_code = streams.open_code
    builtins.open = streams.open
    sys.path_importer_cache.clear()
