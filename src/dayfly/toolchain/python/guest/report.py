"""Exceptions as their owner wants to read them: the traceback without the runtime's frames, and what would help."""

import importlib.machinery
import os
import sys
import traceback

from . import origin

_NATIVE_SUFFIXES = (".so", ".pyd", ".dylib")
_PLAIN = "MemoryError\n"


def report(error: BaseException) -> str:
    """Return the text for the log. Never raises."""
    try:
        return _traceback(error) + _hint(error)
    except MemoryError:
        return _PLAIN
    except BaseException as another:  # noqa: BLE001 - the last place where anything can be said
        return _briefly(error, another)


def _traceback(error: BaseException) -> str:
    described = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    _without_runtime(described, set())
    return "".join(described.format())


def _without_runtime(described: traceback.TracebackException, seen: set[int]) -> None:
    """Take the runtime's frames out of an exception and of those that it came from."""
    if id(described) in seen:
        return
    seen.add(id(described))
    described.stack[:] = [frame for frame in described.stack if not origin.of_runtime(frame.filename)]
    others = [described.__cause__, described.__context__, *(getattr(described, "exceptions", None) or ())]
    for other in others:
        if other is not None:
            _without_runtime(other, seen)


def _briefly(error: BaseException, another: BaseException) -> str:
    """Say what can be said where the traceback cannot be made, as after too deep a recursion."""
    try:
        return f"{type(error).__name__}: {error}\n"
    except BaseException:  # noqa: BLE001 - its text raises
        return f"{type(error).__name__} (its text cannot be shown: {type(another).__name__})\n"


def _hint(error: BaseException) -> str:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        if isinstance(at, ImportError) and at.name:
            found = missing(at.name)
            if found:
                return f"hint: {found}\n"
        at = at.__cause__ or at.__context__
    return ""


def missing(name: str) -> str | None:
    """Say why a module cannot be imported, and what would help; None if there is nothing to say."""
    top = name.partition(".")[0]
    for directory in sys.path:
        native = _native(os.path.join(directory, *name.split(".")))
        if native:
            return (
                f"`{name}` is native code ({origin.relative(native)}), which no sandbox runs; "
                "look for a version of the package in pure Python"
            )
    if top in sys.stdlib_module_names:
        return f"`{name}` is a part of the standard library that needs an operating system, so that sandboxes lack it"
    if name == top and importlib.machinery.PathFinder.find_spec(top) is None:
        return f"`{name}` is neither in the release nor in the standard library; add its package to the dependencies"
    return None


def _native(path: str) -> str | None:
    directory, _, stem = path.rpartition("/")
    try:
        names = os.listdir(directory)
    except OSError:
        return None
    for name in names:
        if name.partition(".")[0] == stem and name.endswith(_NATIVE_SUFFIXES):
            return f"{directory}/{name}"
    return None
