"""The runtime inside CPython: what turns an interpreter into a base, and a bundle of files into a program.

    building     at build time: the standard library moves into memory and is imported   (tree, library, preload)
    start        in the sandbox, once: the host's functions are there                    (starting, host, warm)
    load         a package layer's or a tenant's bundle                                  (loading)
    settle       after each of the two: memory is arranged for the snapshot              (levers)

What programs find different from an ordinary system: files (`tree`, `descriptors`, `streams`, `mounting`), randomness
and waiting (`fresh`), secrets (`environment`), the log (`output`), and what is not there (`absent`). `report` writes
tracebacks, `captures` notes what must not be in a snapshot.
"""

import sys
from importlib import import_module

if sys.platform == "wasi":
    from .building import build

    build()


def start() -> None:
    """Take the host's functions, and run what requests commonly run."""
    _dayfly = import_module("_dayfly")

    from . import starting

    starting.start(_dayfly)


def rehearse() -> None:
    """Load a program as `load` does, and forget it."""
    from . import loading

    loading.rehearse(1)


def load() -> tuple[str, str] | str:
    """Load the bundle. Return what became of it as JSON, or the text of the error."""
    from . import host, loading

    return loading.load(host.calls)


def settle() -> None:
    """Arrange memory for the snapshot."""
    _dayfly = import_module("_dayfly")

    from . import levers

    levers.immortalise(_dayfly)
    _dayfly.compact()
    levers.requests()
