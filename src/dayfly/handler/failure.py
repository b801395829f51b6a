"""A traceback as the tenant's log shows it: from the tenant's first line on."""

import traceback
from types import TracebackType

OWN = __name__.rpartition(".")[0]
"""The package that frames are left out of."""


def failure(raised: BaseException) -> str:
    """Format an exception without the frames that led from this package to the program."""
    try:
        return "".join(traceback.format_exception(raised.with_traceback(trimmed(raised.__traceback__))))
    except MemoryError:
        return f"{type(raised).__name__}, and no memory to say more"


def trimmed(link: TracebackType | None) -> TracebackType | None:
    """Leave out the first frames, as long as they are ours."""
    while link is not None and is_own(link.tb_frame.f_globals.get("__name__")):
        link = link.tb_next
    return link


def is_own(module: object) -> bool:
    """Tell whether a module is part of this package."""
    return type(module) is str and (module == OWN or module.startswith(f"{OWN}."))
