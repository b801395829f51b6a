"""A server's life: ready, signalled, drained, gone; on a core that only waits."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dayfly.core import LogRecord, ServerOptions
from dayfly.errors import AddressInUse
from dayfly.log import TenantLogs
from dayfly.server import serve
from dayfly.testing import FakeCore


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server(tmp_path: Path, number: signal.Signals) -> None:
    """It returns, says what was still logged, and the signal means again what it meant before."""
    core, before, threads = FakeCore(), signal.getsignal(number), threading.active_count()

    def ready(host: str, port: int) -> None:
        assert (host, port) == ("127.0.0.1", 8080)
        core.waiting_logs.append(LogRecord(0.0, "hello", "f" * 64, "r1", 1, "last words"))
        os.kill(os.getpid(), number)

    logs = TenantLogs(tmp_path)
    serve(core, ServerOptions(), logs, ready)
    logs.close()
    assert "last words" in (tmp_path / "hello.log").read_text(encoding="utf-8")
    assert signal.getsignal(number) == before
    assert threading.active_count() <= threads


def test_an_error_of_the_core_reaches_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing goes on running."""
    core, threads = FakeCore(), threading.active_count()

    def refuse(_options: ServerOptions, _ready: Callable[[str, int], None]) -> None:
        raise AddressInUse("port 8080 is in use")

    monkeypatch.setattr(core, "serve", refuse)
    with pytest.raises(AddressInUse):
        serve(core, ServerOptions(), TenantLogs(tmp_path), lambda _host, _port: None)
    assert threading.active_count() <= threads


def test_what_has_begun_is_finished_before_the_core_stops(tmp_path: Path) -> None:
    """A second signal does not wait for that."""
    core, order = FakeCore(), list[str]()

    def finish() -> None:
        order.append("finished")
        core.waiting_logs.append(LogRecord(0.0, "hello", "f" * 64, "r1", 1, "last words"))

    with closing(TenantLogs(tmp_path)) as logs:
        serve(core, ServerOptions(), logs, lambda *_: os.kill(os.getpid(), signal.SIGTERM), finish=finish)
    assert order == ["finished"]
    assert "last words" in (tmp_path / "hello.log").read_text(encoding="utf-8")

    core, ended, go_on = FakeCore(), threading.Event(), threading.Event()

    def finish_never() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        assert go_on.wait(30)
        ended.set()

    serve(
        core,
        ServerOptions(),
        TenantLogs(tmp_path),
        lambda *_: os.kill(os.getpid(), signal.SIGTERM),
        finish=finish_never,
    )
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(30)
    assert core.stops == 1
