"""Where things lie in the tree, and which line of whose program is running."""

import sys
from types import FrameType

RELEASE = "/app"
"""The tenant's own files; where its program begins and relative paths too."""
PACKAGES = "/packages"
"""The files of its package layer."""
LIBRARY = "/usr/lib/python3.14"
"""The standard library."""
SITE = f"{LIBRARY}/site-packages"
RUNTIME = f"{SITE}/dayfly/"
"""This package: its frames are in no traceback."""


def of_runtime(file: str) -> bool:
    """Say whether a code object's file is none that a tenant needs to see."""
    return file.startswith((RUNTIME, "<frozen importlib", "<dayfly>"))


def relative(file: str) -> str:
    """Return a file of the release as its owner calls it."""
    return file.removeprefix(f"{RELEASE}/").removeprefix(f"{PACKAGES}/")


def innermost(*, unless: tuple[str, ...] = ()) -> FrameType | None:
    """Return the innermost running frame of the tenant's program or its packages.

    None if there is none, or if a file that begins with one of `unless` comes before it.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith((RELEASE, PACKAGES)):
            return frame
        if unless and file.startswith(unless):
            return None
        frame = frame.f_back
    return None
