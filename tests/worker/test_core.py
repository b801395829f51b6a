"""A worker's place is never empty for long, and nobody who asks notices more than the end of a connection."""

import errno
import os
import queue
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dayfly.config import SECRET_BYTES_MAX
from dayfly.core import CoreOptions, LogRecord, NativeCore
from dayfly.errors import DamagedRelease, InternalError, InvalidOption, SystemRefused
from dayfly.toolchain.toolchain import code_cache
from dayfly.worker import WorkerCore
from dayfly.worker.core import Watch, _Log, _Pulse
from dayfly.worker.process import Predecessor, Worker
from dayfly.worker.sockets import Sockets
from tests.conftest import HELLO_WAT
from tests.worker.conftest import SECONDS, Serve, Served, wait_for_end

MakeTenant = Callable[..., Path]


def saying(text: str) -> dict[str, str]:
    """Return the files of a tenant that answers five letters."""
    return {"app.wat": HELLO_WAT.replace("hello", text), "dayfly.toml": 'tier = "wasm"\n'}


def kill(served: Served) -> int:
    """Kill the worker with its spare ready; return which it was."""
    assert served.core.wait_for_spare(SECONDS)
    process = served.process
    os.kill(process, signal.SIGKILL)
    return process


def spare_of(served: Served) -> Worker:
    """Wait until a spare is ready, and return it."""
    assert served.core.wait_for_spare(SECONDS)
    spare = served.core._spare  # noqa: SLF001 - nobody else needs to know which
    assert spare is not None
    return spare


def new_spare(served: Served) -> Worker:
    """Kill the spare, and return the next one."""
    spare = spare_of(served)
    spare.process.kill()
    wait_for_end(spare.process.pid)
    while (now := spare_of(served)) is spare:
        served.get()
    return now


def test_a_killed_worker_is_replaced_on_the_same_sockets(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """By its spare, which has all that was published; the log says so."""
    with serve() as served:
        for _ in range(3):
            killed = kill(served)
            assert served.get() == (200, b"hello")
            assert served.process != killed
    assert caplog.text.count("was ended by SIGKILL") == 3
    assert caplog.text.count("has taken over") == 3


def test_a_spare_follows_what_is_published(serve: Serve, make_tenant: MakeTenant) -> None:
    """Deploys, replacements and removals, in whatever order it hears of them."""
    with serve() as served:
        assert served.core.wait_for_spare(SECONDS)
        served.deploy(make_tenant("other", saying("first")))
        served.deploy(make_tenant("gone"))
        served.deploy(make_tenant("other", saying("later")))
        served.core.retire("gone")
        kill(served)
        assert served.get("other") == (200, b"later")
        assert served.get("hello") == (200, b"hello")
        assert served.get("gone")[0] == 404


def test_a_spare_that_has_taken_over_follows_no_more(serve: Serve, make_tenant: MakeTenant) -> None:
    """Whoever lets it follow late, from a book that lacks the last publish, does not undo that."""
    with serve() as served:
        spare, core = spare_of(served), served.core
        kill(served)
        served.deploy(make_tenant("other", saying("first")))
        assert served.process == spare.process.pid
        before = core._book["other"]  # noqa: SLF001 - a moment that nobody can wait for
        served.deploy(make_tenant("other", saying("later")))
        after, core._book["other"] = core._book["other"], before  # noqa: SLF001
        core._follow_as_spare(spare)  # noqa: SLF001
        core._book["other"] = after  # noqa: SLF001
        assert served.get("other") == (200, b"later")


def test_a_host_that_went_from_one_tenant_to_another_is_found(serve: Serve, make_tenant: MakeTenant) -> None:
    """Also by a spare that has seen neither publish."""
    toml = 'tier = "wasm"\nhosts = ["{}.localhost"]\n'
    with serve() as served:
        assert served.core.wait_for_spare(SECONDS)
        for hosts in (("x", "y"), ("z", "x"), ("y", "x")):
            for name, host in zip(("one", "two"), hosts, strict=True):
                files = {"app.wat": HELLO_WAT.replace("hello", f"{name}{host}x"), "dayfly.toml": toml.format(host)}
                served.deploy(make_tenant(name, files))
        kill(served)
        assert served.get("y") == (200, b"oneyx"[:5])
        assert served.get("x") == (200, b"twoxx"[:5])


def test_a_publish_that_meets_the_end_of_a_worker_reaches_the_next(serve: Serve, make_tenant: MakeTenant) -> None:
    """The deploy waits, and what it returned for is live."""
    with serve() as served:
        kill(served)
        served.deploy(make_tenant("other", saying("other")))
        assert served.get("other") == (200, b"other")
        kill(served)
        assert served.get("other") == (200, b"other")


def test_a_release_that_cannot_be_published_is_refused(serve: Serve, tmp_path: Path) -> None:
    """In the words of the worker, which serves on."""
    with serve() as served:
        current = served.registry.current("hello")
        assert current is not None
        with pytest.raises(DamagedRelease, match="is damaged"):
            served.core.publish(current.tenant, tmp_path / ("0" * 64))
        other = current.tenant.model_copy(update={"name": "other"})
        with pytest.raises(InvalidOption, match=r"host `hello\.localhost` already belongs to `hello`"):
            served.core.publish(other, current.directory)
        with pytest.raises(InvalidOption, match="there is no tenant `other`"):
            served.core.retire("other")
        assert served.get() == (200, b"hello")


def test_workers_that_end_one_after_the_other_are_replaced_more_slowly(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """And the log says so; the server does not give up."""
    with serve(Watch(backoff=(1, 0.01, 0.02))) as served:
        for _ in range(4):
            kill(served)
            assert served.get() == (200, b"hello")
    assert "4 workers have ended one after the other; the next starts in 0.0 s" in caplog.text


def test_a_killed_spare_is_replaced(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody else is concerned."""
    with serve() as served:
        serving = served.process
        new_spare(served)
        assert served.process == serving
    assert "spare worker process" in caplog.text


def test_a_spare_that_stands_still_takes_nobodys_time(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not take over when it should, and another one does."""
    monkeypatch.setattr("dayfly.worker.channel.LOOK_SECONDS", 0.1)
    monkeypatch.setattr("dayfly.worker.channel.SILENT_SECONDS", 1.0)
    with serve() as served:
        stopped = spare_of(served)
        os.kill(stopped.process.pid, signal.SIGSTOP)
        kill(served)
        assert served.get() == (200, b"hello")
        wait_for_end(stopped.process.pid)
        assert served.process != stopped.process.pid


def test_a_tenant_that_a_spare_could_not_serve_is_tried_again(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """When it takes over: what was wrong may be right by then."""
    with serve() as served:
        current = served.registry.current("hello")
        assert current is not None
        away = current.directory.rename(current.directory.with_name("away"))
        spare = new_spare(served)
        assert isinstance(spare.refused["hello"], DamagedRelease)
        away.rename(current.directory)
        kill(served)
        assert served.get() == (200, b"hello")
        assert served.process == spare.process.pid
    assert "nothing answers" not in caplog.text


def test_a_worker_that_does_not_start_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it for ever."""
    monkeypatch.setattr("dayfly.worker.process.START_SECONDS", 0.1)
    monkeypatch.setattr("dayfly.worker.process._PROGRAM", "import signal; signal.pause()")
    options = CoreOptions(code_cache=code_cache())
    core = WorkerCore(options, NativeCore(options))
    with pytest.raises(InternalError, match=r"takes no orders after 0\.1 s"):
        core.stats()


def test_a_worker_that_stands_still_is_ended_and_replaced(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """SIGSTOP stands for whatever keeps it from answering its supervisor."""
    with serve(replace(Watch(), silent=0.2)) as served:
        assert served.core.wait_for_spare(SECONDS)
        stopped = served.process
        os.kill(stopped, signal.SIGSTOP)
        wait_for_end(stopped)
        assert served.get() == (200, b"hello")
    assert "has not answered for 0.2 s; it is ended" in caplog.text


def test_what_is_left_is_a_worker_that_answers(serve: Serve) -> None:
    """One that stands still at that moment is replaced first; the one that is left serves on, and is finished."""
    with serve(replace(Watch(), silent=0.2)) as served:
        spare = spare_of(served)
        os.kill(served.process, signal.SIGSTOP)
        estate = served.core.leave(served.registry.lock)
        assert estate is not None
        assert estate.process == spare.process.pid
        assert served.get() == (200, b"hello")
        Sockets(estate.bound).close()
        os.close(estate.lock)
        Predecessor(estate).finish(SECONDS)
        spare.process.wait()


def test_a_thread_that_works_on_the_same_thing_for_long_hangs() -> None:
    """One that waits, goes on, or has been seen too seldom does not."""
    watch, pulse = Watch(stuck=1.0, looks=2), _Pulse()
    looks = [(0.0, [1, 2]), (0.6, [1, 2]), (1.2, [1, 2]), (1.8, [3, 2]), (9.0, [3, 2]), (9.1, [3, 2])]
    found = []
    for now, beats in looks:
        pulse.take(beats, now)
        found.append(pulse.trouble(watch, now))
    hangs = "hangs in I/O thread 0 for 1 s"
    assert found == ["", "", hangs, "", "", hangs]


def test_a_tenant_with_the_largest_secrets_is_taken_over(serve: Serve) -> None:
    """Each octet of them takes six on its way."""
    secrets = {f"KEY_{number}": "\x01" * SECRET_BYTES_MAX for number in range(200)}
    with serve() as served:
        current = served.registry.current("hello")
        assert current is not None
        served.core.publish(current.tenant, current.directory, secrets)
        kill(served)
        assert served.get() == (200, b"hello")


def test_a_worker_that_does_not_reach_the_book_is_killed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One process fewer, whatever the reason; the next one is tried."""
    follow, failed = Worker.follow, queue.SimpleQueue[Worker]()

    def fail(worker: Worker, _book: object) -> None:
        failed.put(worker)
        monkeypatch.setattr(Worker, "follow", follow)
        raise InternalError("no room")

    with serve() as served:
        assert served.core.wait_for_spare(SECONDS)
        monkeypatch.setattr(Worker, "follow", fail)
        kill(served)
        assert served.get() == (200, b"hello")
        wait_for_end(failed.get(timeout=SECONDS).process.pid)
    assert "a new worker does not serve: no room" in caplog.text


@pytest.mark.parametrize("what", ["socket.socketpair", "subprocess.Popen", "threading.Thread.start"])
def test_a_worker_that_cannot_be_started_is_tried_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """When the system has something to spare; the server goes on, and so do those who keep a spare one."""
    errors = [RuntimeError("can't start new thread")] if "Thread" in what else [OSError(errno.EMFILE, "no more")] * 3

    def refuse(*_words: object, **_parts: object) -> None:
        error = errors.pop()
        if not errors:
            monkeypatch.undo()
        raise error

    with serve(Watch(backoff=(1, 0.01, 0.02))) as served:
        spare = spare_of(served)
        monkeypatch.setattr(what, refuse)
        os.kill(spare.process.pid, signal.SIGKILL)
        while errors:
            assert served.get() == (200, b"hello")
        kill(served)
        assert served.get() == (200, b"hello")
    assert "no spare worker: cannot start a worker: " in caplog.text


def test_what_is_logged_beyond_what_may_wait_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Octets decide, whatever a line is made of; the oldest lines stay, in order."""
    monkeypatch.setattr("dayfly.worker.core.LOG_BYTES_MAX", 5 << 20)
    log, large = _Log(), "a" * (1 << 20)
    for number in range(10):
        log.put([LogRecord(number, "hello", "0f", *words) for words in (("r", 1, large), (large, 1, "r"))])
    assert [record.time_s for record in log.take()] == [0, 0, 1, 1]
    assert log.dropped == 16
    log.put([LogRecord(0, "hello", "0f", "r", 1, "later")])
    assert [record.text for record in log.take()] == ["later"]


def test_after_the_stop_nothing_is_published(serve: Serve) -> None:
    """A deploy is told so at once."""
    with serve() as served:
        current = served.registry.current("hello")
        assert current is not None
    with pytest.raises(SystemRefused, match="no worker takes orders now"):
        served.core.publish(current.tenant, current.directory)


def test_the_worker_counts_and_logs_for_its_supervisor(serve: Serve) -> None:
    """What was counted last is in the statistics, with how many workers there were."""
    with serve() as served:
        assert served.get() == (200, b"hello")
        stats = served.core.stats()
        assert stats["tenants"]["hello"]["requests"] == [{"outcome": "ok", "lane": "inline", "count": 1}]
        assert served.core.wait_for_spare(SECONDS)
        assert served.core.stats()["workers_started"] == 2


def test_a_worker_cannot_write_to_the_lock_that_it_holds(serve: Serve) -> None:
    """It names the process of the server."""
    with serve() as served:
        assert served.get() == (200, b"hello")
        process = Path(f"/proc/{served.process}")
        numbers = {file.name for file in (process / "fd").iterdir() if file.exists()}
        lock = served.registry.directory / "lock"
        (number,) = (number for number in numbers if os.path.realpath(process / "fd" / number) == str(lock.resolve()))
        flags = (process / "fdinfo" / number).read_text(encoding="ascii").split()[3]
        assert int(flags, 8) & os.O_ACCMODE == os.O_RDONLY


def test_a_worker_is_confined(serve: Serve) -> None:
    """From before it knows of any tenant: system calls are filtered, and nothing gives it rights again."""
    with serve() as served:
        assert served.get() == (200, b"hello")
        status = Path(f"/proc/{served.process}/status").read_text(encoding="ascii")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (facts["Seccomp"], facts["NoNewPrivs"]) == ("2", "1")
