"""Randomness and clock readings that a program took while it was frozen: every request would find the same ones."""

from . import host, origin

RANDOM, CLOCK = 1, 2
_NAMES = {RANDOM: "random", CLOCK: "clock"}

# A record of `logging` carries its time, and is gone once it is written; names of temporary files begin anew.
_HARMLESS = (f"{origin.LIBRARY}/logging/", f"{origin.LIBRARY}/tempfile.py")

_found: dict[tuple[str, str, int], None] = {}


def note(what: int) -> None:
    """Remember the line of the tenant or its packages that is drawing now, if one is."""
    frame = origin.innermost(unless=_HARMLESS)
    if frame is not None:
        _found[_NAMES[what], origin.relative(frame.f_code.co_filename), frame.f_lineno] = None


def take() -> list[dict[str, object]]:
    """Return what was found since the last time, in order."""
    found = [{"what": what, "file": file, "line": line} for what, file, line in _found]
    _found.clear()
    return found


def refuse(what: str, cure: str) -> None:
    """Raise while freezing: what is drawn then would be the same in every request, and in the release's files."""
    if host.calls.freezing():
        raise RuntimeError(f"{what} while the program is frozen, which would be the same for every request; {cure}")
