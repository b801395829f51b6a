"""What a sandbox does not have says so, in the words and with the exceptions that libraries expect."""

import errno
import multiprocessing.process
import socket
import subprocess
import threading
from typing import Any, NoReturn

from . import fresh

_NO_NETWORK = "a sandbox has no network"
_NO_THREADS = "a sandbox has one thread; call the function itself, or use a ThreadPoolExecutor, which runs it at once"
_NO_PROCESSES = "a sandbox cannot start processes"
_NOBODY = "waiting for another thread, and a sandbox has one thread: nothing would ever end the wait"


def _no_network(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise OSError(errno.ENETUNREACH, _NO_NETWORK)


def _no_name(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise socket.gaierror(socket.EAI_FAIL, _NO_NETWORK)


def _no_threads(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise RuntimeError(_NO_THREADS)


def _no_processes(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise OSError(errno.ENOTSUP, _NO_PROCESSES)


def _wait(_condition: threading.Condition, timeout: float | None = None) -> bool:
    if timeout is None:
        raise RuntimeError(_NOBODY)
    fresh.sleep(max(timeout, 0))
    return False


def install() -> None:
    """Replace what would need a network, a thread or a process."""
    everything: Any = socket
    everything.socket.__init__ = _no_network
    for name in ("socketpair", "fromfd", "create_server"):
        if hasattr(everything, name):
            setattr(everything, name, _no_network)
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"):
        setattr(everything, name, _no_name)
    processes: Any = subprocess
    processes.Popen.__init__ = _no_processes
    processes.Popen.__del__ = lambda _self: None
    threads: Any = threading
    threads.Thread.start = _no_threads
    threads._start_new_thread = threads._start_joinable_thread = _no_threads
    threads.Condition.wait = _wait
    multiprocessing.process.BaseProcess.start = _no_processes  # type: ignore[method-assign] # always raises
