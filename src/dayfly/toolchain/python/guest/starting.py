"""What happens once in the sandbox, before the base's snapshot is taken."""

import sys
from typing import Any

from dayfly.handler import failure, inline, loop
from dayfly.handler import host as handler_host
from dayfly.handler import warm as handler_warm

from . import building, captures, host, levers, loading, warm
from .report import report


def start(calls: Any) -> None:
    """Take the host's functions, and run what requests commonly run."""
    host.calls = calls
    building.built()
    handler_host.bind()
    inline.install()
    loop.install()
    _report_everything()
    levers.immortalise(calls)  # constants that are immortal when code first uses them are never counted
    handler_warm.requests()
    warm.warm()
    loading.rehearse()
    calls.watch(captures.note)


def _report_everything() -> None:
    """Let the handler's package write tracebacks as this one does."""
    for name, module in list(sys.modules.items()):
        if name.startswith("dayfly.handler") and getattr(module, "failure", None) is failure:
            module.failure = report  # type: ignore[attr-defined] # it has one
