"""The host's functions, as they are bound in this process.

In a sandbox they are those of the native module `_dayfly`; elsewhere `native` stands for it. Whoever needs one reads
it from here when it is called: the interpreter that a sandbox is made of imports this package before `_dayfly` exists,
and binds it later.
"""

import sys
from collections.abc import Callable

METHOD, PATH, QUERY, HEADERS, BODY, TOTAL, CLIENT, SCHEME, HOST, MOUNT = range(10)
"""The parts of a request, in the order of the frame."""

TAKES = {METHOD: 1, PATH: 2, QUERY: 4, HEADERS: 8, BODY: 16, CLIENT: 32, SCHEME: 64, HOST: 128, MOUNT: 256}
"""What a program says in order to be given a part."""

TAKES_ALL = sum(TAKES.values())

REAL_TIME, STEADY_TIME = range(2)

DEBUG, INFO, WARNING, ERROR, CRITICAL = range(5)

part: Callable[[int], str]
content: Callable[[int], bytes]
fields: Callable[[], list[tuple[str, str]]]
body: Callable[[int, int], bytes]
log: Callable[[int, str], None]
clock: Callable[[int], int]
sleep: Callable[[int], None]
freezing: Callable[[], bool]
is_sandbox: bool


def bind() -> None:
    """Take the functions of `_dayfly` if it exists by now, else those of its stand-in."""
    global part, content, fields, body, log, clock, sleep, freezing, is_sandbox  # noqa: PLW0603 - the module is the table
    try:
        import _dayfly as found  # type: ignore[import-not-found] # noqa: PLC0415 - it may come into being after this module
    except ImportError:
        from . import native as found  # noqa: PLC0415 - not needed where there is a host
    part = content = found.part
    fields = found.fields
    body = found.body
    log = found.log
    clock = found.clock
    sleep = found.sleep
    freezing = found.freezing
    is_sandbox = found.__name__ in sys.modules and found.__name__ == "_dayfly"


bind()
