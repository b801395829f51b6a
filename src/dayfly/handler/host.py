"""The host's functions, as they are bound in this process.

In a sandbox they are those of the native module `_dayfly`; elsewhere `native` stands for it. Whoever needs one reads
it from here when it is called: the interpreter that a sandbox is made of imports this package before `_dayfly` exists,
and binds it later.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

METHOD, PATH, QUERY, HEADERS, BODY, TOTAL, CLIENT, SCHEME, HOST, MOUNT = range(10)
"""The parts of a request, in the order of the frame."""

TEXT_OF_PATH, NO_PART = 10, 11
"""What stands among them for the host that calls a program's own function: a path that is converted only if it is not
plain ASCII without percent signs, and what is made of no part."""

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


FUNCTIONS = {
    "part": "part",
    "content": "part",
    "fields": "fields",
    "body": "body",
    "log": "log",
    "clock": "clock",
    "sleep": "sleep",
    "freezing": "freezing",
}
"""What they are called here and there."""


def bind() -> None:
    """Take the functions of `_dayfly` if it exists by now, else those of its stand-in."""
    try:
        found = import_module("_dayfly")
    except ImportError:
        use(import_module(".native", __package__), is_real=False)
    else:
        use(found, is_real=True)


def use(module: ModuleType, *, is_real: bool) -> None:
    """Take the functions of a module."""
    names = {name: getattr(module, there) for name, there in FUNCTIONS.items()}
    globals().update(names, is_sandbox=is_real)


bind()
