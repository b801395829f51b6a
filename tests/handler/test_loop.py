"""The event loop: asyncio as everywhere, except that nothing comes from outside."""

import asyncio
import contextvars
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import pytest

from dayfly.handler import host, inline, native
from dayfly.handler.loop import Loop, Stalled


class Clock:
    """The host's time, which passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now_ns = 10**15
        self.slept: list[int] = []

    def clock(self, which: int) -> int:
        """Return it, rounded down to a millisecond as the host does."""
        assert which == host.STEADY_TIME
        return self.now_ns // 10**6 * 10**6

    def sleep(self, nanoseconds: int) -> None:
        """Let it pass."""
        self.slept.append(nanoseconds)
        self.now_ns += nanoseconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the time that the host has."""
    clock = Clock()
    monkeypatch.setattr(host, "clock", clock.clock)
    monkeypatch.setattr(host, "sleep", clock.sleep)
    return clock


@pytest.fixture
def loop() -> Iterator[Loop]:
    """Return a loop."""
    loop = Loop()
    yield loop
    if not loop.is_closed():
        for task in (tasks := asyncio.all_tasks(loop)):
            task.cancel()
        loop.run_until_complete(asyncio.wait([*tasks, loop.create_task(asyncio.sleep(0))]))
        loop.close()


def test_a_coroutine_that_waits_for_nothing_never_reaches_the_queue(loop: Loop) -> None:
    """Its first step is its last one."""

    async def program() -> str:
        return str(asyncio.current_task() is not None)

    assert loop.run(program()) == "True"


def test_timers_wait_by_the_host_and_in_order(loop: Loop, clock: Clock) -> None:
    """As long as until the next one, not by turning."""
    order: list[int] = []

    async def after(seconds: float, value: int) -> None:
        await asyncio.sleep(seconds)
        order.append(value)

    async def program() -> None:
        await asyncio.gather(after(3, 3), after(1, 1), after(2, 2))

    loop.run(program())
    assert order == [1, 2, 3]
    assert len(clock.slept) == 3
    assert 2.9e9 < sum(clock.slept) < 3.1e9


def test_a_cancelled_timer_is_not_waited_for(loop: Loop, clock: Clock) -> None:
    """A timeout that was not needed costs nothing."""

    async def program() -> str:
        async with asyncio.timeout(1000):
            await asyncio.sleep(0.01)
        return "done"

    assert loop.run(program()) == "done"
    assert sum(clock.slept) < 10**9


def test_while_freezing_waits_are_over_at_once_and_no_clock_is_read(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot must not depend on when it was made; the host does not let anybody sleep."""

    def never(*_: object) -> int:
        raise AssertionError("the host was asked")

    monkeypatch.setattr(host, "freezing", lambda: True)
    monkeypatch.setattr(host, "clock", never)
    monkeypatch.setattr(host, "sleep", never)

    async def program() -> float:
        before = loop.time()
        await asyncio.sleep(3600)
        return loop.time() - before

    assert loop.run(program()) == 3600


def test_time_goes_on_from_where_freezing_left_it(loop: Loop, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long ago that was: what was to happen in a minute does not happen at once."""
    fired: list[str] = []

    async def start() -> None:
        asyncio.get_running_loop().call_later(60, fired.append, "timer")
        await asyncio.sleep(30)

    monkeypatch.setattr(host, "freezing", lambda: True)
    loop.run(start())
    monkeypatch.setattr(host, "freezing", lambda: False)
    clock.now_ns += 10**15
    loop.run(asyncio.sleep(1))
    assert fired == []
    loop.run(asyncio.sleep(40))
    assert fired == ["timer"]


async def wait_for_event() -> None:
    """Wait for what never happens."""
    await asyncio.Event().wait()


async def wait_in_group() -> None:
    """Have others wait for it."""
    async with asyncio.TaskGroup() as group:
        group.create_task(wait_for_event())
        group.create_task(wait_for_event())


async def wait_in_generator() -> None:
    """Wait inside of an asynchronous generator."""

    async def items() -> AsyncIterator[int]:
        yield 1
        await asyncio.Queue[int]().get()
        yield 2

    async for _ in items():
        pass


@pytest.mark.parametrize(
    ("program", "line"),
    [
        (wait_for_event, "await asyncio.Event().wait()"),
        (wait_in_group, "await asyncio.Event().wait()"),
        (wait_in_generator, "await asyncio.Queue[int]().get()"),
    ],
)
def test_a_loop_that_nothing_can_wake_names_the_await(loop: Loop, program: Any, line: str) -> None:
    """With file and line, those of everything that waits."""
    with pytest.raises(
        Stalled, match=r"nothing will wake what is awaited at .*test_loop.py:\d+, in \w+: `(async|await)"
    ) as stalled:
        loop.run(program())
    assert f"`{line}`" in str(stalled.value)


def test_lost_coroutines_are_shown_where_they_wait(loop: Loop) -> None:
    """A gathering waits for its children, which say where they are."""

    async def program() -> None:
        await asyncio.gather(wait_for_event(), asyncio.sleep(0))

    with pytest.raises(Stalled) as stalled:
        loop.run(program())
    text = str(stalled.value)
    assert "await asyncio.gather" in text
    assert "await asyncio.Event" in text


def test_functions_for_other_threads_run_at_once(loop: Loop) -> None:
    """Outside of the loop, so that they may run one of their own; errors arrive where they are awaited."""

    def work() -> str:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        inner = Loop()
        try:
            return inner.run(asyncio.sleep(0, "inner"))
        finally:
            inner.close()

    def fail() -> None:
        raise ValueError("in the thread")

    async def program() -> list[object]:
        running = asyncio.get_running_loop()
        task = asyncio.current_task()
        results: list[object] = [await running.run_in_executor(None, work), await asyncio.to_thread(work)]
        with pytest.raises(ValueError, match="in the thread"):
            await asyncio.to_thread(fail)
        assert asyncio.get_running_loop() is running
        assert asyncio.current_task() is task
        return results

    assert loop.run(program()) == ["inner", "inner"]


def test_a_thread_pool_runs_its_functions_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The future that it gives is done."""
    monkeypatch.setattr(ThreadPoolExecutor, "submit", inline.submit)
    threads = threading.active_count()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda n: n * n, range(4))) == [0, 1, 4, 9]
        futures = [pool.submit(int, text) for text in ("1", "x")]
        assert [future.done() for future in futures] == [True, True]
        assert len(list(as_completed(futures))) == 2
        with pytest.raises(ValueError, match="invalid literal"):
            futures[1].result()
        assert threading.active_count() == threads
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(int)


def test_asynchronous_generators_are_closed(loop: Loop) -> None:
    """Those that were dropped, and those that are still there at the end."""
    closed: list[str] = []
    kept: list[AsyncIterator[int]] = []

    async def items(name: str) -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            closed.append(name)

    async def program() -> None:
        async for _ in items("dropped"):
            break
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        kept.append(items("kept"))
        await anext(kept[0])

    loop.run(program())
    assert closed == ["dropped", "kept"]


def test_context_variables_are_those_of_each_task(loop: Loop) -> None:
    """A child sees its parent's and changes its own."""
    name = contextvars.ContextVar("name", default="nobody")

    async def child() -> str:
        before = name.get()
        name.set("child")
        return before

    async def program() -> list[str]:
        name.set("parent")
        return [await asyncio.create_task(child()), name.get()]

    assert loop.run(program()) == ["parent", "parent"]
    assert name.get() == "nobody"


def test_primitives_work_together(loop: Loop) -> None:
    """Queues, locks, semaphores, conditions, barriers, shields, `as_completed`."""

    async def program() -> list[int]:
        out: list[int] = []
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        semaphore, condition, barrier = asyncio.Semaphore(2), asyncio.Condition(), asyncio.Barrier(2)

        async def produce() -> None:
            for n in range(3):
                await queue.put(n)
            async with condition:
                condition.notify_all()
            await barrier.wait()

        async def consume() -> None:
            for _ in range(3):
                async with semaphore:
                    out.append(await queue.get())
            await barrier.wait()

        async with condition:
            tasks = [asyncio.create_task(produce()), asyncio.create_task(consume())]
            await condition.wait()
        for done in asyncio.as_completed(tasks):
            await done
        out.append(await asyncio.shield(asyncio.sleep(0, 9)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.001)
        return out

    assert loop.run(program()) == [0, 1, 2, 9]


def test_errors_of_callbacks_are_logged(loop: Loop, capsys: pytest.CaptureFixture[str]) -> None:
    """As nobody awaits them; or given to who asks for them."""

    async def program() -> None:
        asyncio.get_running_loop().call_soon(int, "x")
        await asyncio.sleep(0)

    loop.run(program())
    assert "ValueError: invalid literal" in capsys.readouterr().err
    seen: list[Any] = []
    loop.set_exception_handler(lambda _, context: seen.append(context["exception"]))
    assert loop.get_exception_handler() is not None
    loop.run(program())
    assert [type(error) for error in seen] == [ValueError]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("create_connection", OSError, "a sandbox has no network"),
        ("getaddrinfo", OSError, "a sandbox has no network"),
        ("subprocess_exec", OSError, "a sandbox cannot start processes"),
        ("add_signal_handler", NotImplementedError, "a sandbox gets no signals"),
    ],
)
def test_what_a_sandbox_has_not_is_refused_by_name(loop: Loop, name: str, error: type[Exception], words: str) -> None:
    """With the exceptions that libraries expect."""
    with pytest.raises(error, match=f"`{name}` does not work here: {words}"):
        getattr(loop, name)()


def test_a_loop_is_asyncios_in_all_other_ways(loop: Loop) -> None:
    """Running until done, forever, stopping, closing, factories, and not inside of itself."""

    async def inside() -> None:
        with pytest.raises(RuntimeError, match="running already"):
            loop.run_until_complete(asyncio.Future())
        assert loop.is_running()

    loop.run_until_complete(inside())
    assert not loop.is_running()
    loop.call_soon(loop.stop)
    loop.run_forever()
    made: list[object] = []

    def factory(loop: Any, coroutine: Any, **options: Any) -> Any:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(factory)
    assert loop.get_task_factory() is factory
    assert loop.run_until_complete(asyncio.sleep(0, 3)) == 3
    assert len(made) == 1
    loop.set_debug(enabled=True)
    assert loop.get_debug()
    loop.close()
    assert loop.is_closed()
    with pytest.raises(RuntimeError, match="closed"):
        loop.run_until_complete(asyncio.Future(loop=loop))


def test_asyncio_run_makes_such_a_loop_where_it_is_installed() -> None:
    """So that plain functions may run coroutines."""
    code = """
import asyncio
from dayfly.handler import loop
loop.install()
async def program():
    await asyncio.sleep(0.001)
    return type(asyncio.get_running_loop()).__module__
print(asyncio.run(program()), type(asyncio.new_event_loop()).__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("dayfly.handler.loop Loop\n", "")


def test_the_stand_in_waits_and_reads_clocks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no host."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    native.sleep(2_000_000_000)
    native.sleep(0)
    assert waits == [2.0]
    assert abs(native.clock(0) - time.time_ns()) < 10**9
    assert abs(native.clock(1) - time.monotonic_ns()) < 10**9
    native.log(host.WARNING, "text")
    assert capsys.readouterr().err == "warning: text\n"
    with pytest.raises(ValueError, match="no request"):
        native.part(1)
