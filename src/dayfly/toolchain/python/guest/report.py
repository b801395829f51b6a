"""Exceptions as their owner wants to read them: the traceback without the runtime's frames, and what would help."""

import collections
import importlib.machinery
import os
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from . import origin

_NATIVE_SUFFIXES = (".so", ".pyd", ".dylib")
_PLAIN = "MemoryError\n"

FRAMES_EACH_END = 15
"""Of one exception: who reads a traceback looks where it begins and where it ends. After too deep a recursion there are
a thousand, and each takes 0.1 ms to write, of the 50 that a request has."""

EXCEPTIONS_MAX = 8
"""Of those that one came from: a recursion may have raised one at every level."""

TEXT_BYTES_MAX = 8000
"""The host keeps 8 KiB from the beginning, and the last line is the one that says most."""

_CUT = "\n  [what stood here is left out]\n"


def report(error: BaseException) -> str:
    """Return the text for the log. Never raises."""
    try:
        return _within(_traceback(error) + _hint(error))
    except MemoryError:
        return _PLAIN
    except BaseException as another:  # noqa: BLE001 - the last place where anything can be said
        return _briefly(error, another)


def _within(text: str) -> str:
    """Leave out the middle of what is too long."""
    if len(text) * 4 <= TEXT_BYTES_MAX:
        return text
    octets = text.encode("utf-8", "backslashreplace")
    if len(octets) <= TEXT_BYTES_MAX:
        return text
    half = (TEXT_BYTES_MAX - len(_CUT)) // 2
    return octets[:half].decode("utf-8", "ignore") + _CUT + octets[-half:].decode("utf-8", "ignore")


def _traceback(error: BaseException) -> str:
    _shorten(error)
    described = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    _say_what_is_left_out(described, set())
    return "".join(described.format())


def _shorten(error: BaseException) -> None:
    """Take out of an exception, and of those that it came from, what nobody will read: describing it takes time.

    It changes the exceptions, which are at their end: nobody is left who could catch them.
    """
    seen, queue = {id(error)}, collections.deque([error])
    while queue:
        at = queue.popleft()
        at.__traceback__ = _shortened(at.__traceback__)
        if len(seen) >= EXCEPTIONS_MAX and (at.__cause__ or at.__context__):
            at.__cause__ = at.__context__ = None
            at.add_note("[what it came from is left out]")
        for other in _described_with(at):
            if id(other) not in seen:
                seen.add(id(other))
                queue.append(other)


def _described_with(error: BaseException) -> Iterator[BaseException]:
    source = error.__cause__ if error.__suppress_context__ else error.__context__
    if source is not None:
        yield source
    if isinstance(error, BaseExceptionGroup):
        yield from error.exceptions


def _shortened(link: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the runtime's frames, of which no more is there than is shown, and one."""
    links = []
    while link is not None:
        if not origin.of_runtime(link.tb_frame.f_code.co_filename):
            links.append(link)
        link = link.tb_next
    if len(links) > 2 * FRAMES_EACH_END:
        links[FRAMES_EACH_END : -FRAMES_EACH_END - 1] = []
    made = None
    for each in reversed(links):
        made = TracebackType(made, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return made


def _say_what_is_left_out(described: traceback.TracebackException, seen: set[int]) -> None:
    """Put a line into each traceback that is shortened."""
    if id(described) in seen:
        return
    seen.add(id(described))
    stack = described.stack
    if len(stack) > 2 * FRAMES_EACH_END:
        stack[FRAMES_EACH_END] = _LeftOut("", 0, "")
        described.stack = _Shortened(stack)
    others = [described.__cause__, described.__context__, *(getattr(described, "exceptions", None) or ())]
    for other in others:
        if other is not None:
            _say_what_is_left_out(other, seen)


class _LeftOut(traceback.FrameSummary):
    """Stands for the frames between the first and the last."""


class _Shortened(traceback.StackSummary):
    """Frames, and one that stands for others."""

    def format_frame_summary(self, frame_summary: traceback.FrameSummary, **options: Any) -> str:
        """Write one of them."""
        if type(frame_summary) is _LeftOut:
            return "  [frames are left out]\n"
        return super().format_frame_summary(frame_summary, **options)


_format = traceback.StackSummary.format_frame_summary


def format_frame_summary(
    stack: traceback.StackSummary, frame_summary: traceback.FrameSummary, **options: Any
) -> str | None:
    """Write a frame as ever, but what looks the same only once: each time its line would be parsed for the carets.

    Programs and frameworks that write tracebacks themselves can do so after a recursion, which has a thousand frames.
    """
    if frame_summary.locals:
        return _format(stack, frame_summary, **options)
    written: dict[object, str | None] = stack.__dict__.setdefault("_written", {})
    at: Any = frame_summary
    key = (at.filename, at.lineno, at.end_lineno, at.colno, at.end_colno, at.name, at.line, *options.values())
    if key not in written:
        written[key] = _format(stack, frame_summary, **options)
    return written[key]


def install() -> None:
    """Have all tracebacks written so."""
    stacks: Any = traceback.StackSummary
    stacks.format_frame_summary = format_frame_summary


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
