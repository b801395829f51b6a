"""The standard library, taken out of the builder's file system and kept in the tree, compressed.

What programs import often is imported while the base is built (`preload`). The rest stays importable, at the cost of
unpacking and running it: its byte code lies beside its source.
"""

import gc
import importlib
import importlib.util
import marshal
import os
import sys
import zlib
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .tree import Tree

_LEFT_OUT = {
    *("__pycache__", "site-packages", "test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "venv"),
    *("curses", "pydoc_data", "config-3.14-wasm32-wasi"),
}
"""Directories that have no use without a terminal, a screen or a file system to install into."""

_UNCHECKED = 0b01
"""Flag of a .pyc whose source is never compared (PEP 552)."""

_LEVEL = 9


def collect(tree: Tree, directory: str, target: str) -> list[str]:
    """Put the modules below a real directory into the tree; return the files."""
    places = []
    for name in sorted(_modules(directory)):
        with open(f"{directory}/{name}", "rb") as file:
            source = file.read()
        places.append(f"{target}/{name}")
        _mount(tree, places[-1], source)
    return places


def compile_rest(tree: Tree, places: list[str]) -> None:
    """Put the byte code of what is not imported yet beside its source."""
    imported = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    for place in places:
        if place not in imported:
            with open(place, "rb") as file:
                source = file.read()
            code = compile(source, place, "exec", dont_inherit=True)
            _mount(tree, importlib.util.cache_from_source(place), _pyc(code, source))


def _mount(tree: Tree, place: str, content: bytes) -> None:
    tree.mount(place, zlib.compress(content, _LEVEL), packed_size=len(content))


def _modules(directory: str) -> Iterator[str]:
    for at, directories, files in os.walk(directory):
        directories[:] = [name for name in directories if name not in _LEFT_OUT]
        for name in files:
            if name.endswith(".py"):
                yield os.path.relpath(f"{at}/{name}", directory)


def _pyc(code: CodeType, source: bytes) -> bytes:
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED.to_bytes(4, "little") + importlib.util.source_hash(source)
    return header + marshal.dumps(code)


def move(old: str, new: str) -> None:
    """Rename the files of modules that were imported before the tree was there, as if they had come out of it."""
    _imp: Any = importlib.import_module("_imp")

    for item in gc.get_objects():
        if isinstance(item, FunctionType) and item.__code__.co_filename.startswith(old):
            _imp._fix_co_filename(item.__code__, new + item.__code__.co_filename.removeprefix(old))
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and file.startswith(old):
            _rename(module, new + file.removeprefix(old))


def _rename(module: ModuleType, place: str) -> None:
    spec = module.__spec__
    module.__file__ = place
    if spec is None:
        return
    spec.origin = place
    spec.cached = importlib.util.cache_from_source(place)
    if spec.submodule_search_locations is not None:
        spec.submodule_search_locations[:] = [place.rpartition("/")[0]]
        module.__path__ = spec.submodule_search_locations
    if isinstance(spec.loader, SourceFileLoader):
        spec.loader.path = place
