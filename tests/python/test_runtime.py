"""What differs from an ordinary interpreter, each against a host that is a fake."""

import logging
import os
import random
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from dayfly.toolchain.python.guest import captures, environment, fresh, host, origin, output
from dayfly.toolchain.python.guest import report as report_module
from dayfly.toolchain.python.guest.digests import pbkdf2_hmac
from dayfly.toolchain.python.guest.output import ERROR, INFO, LINE_CHARS_MAX, Stream, emit, level_of
from dayfly.toolchain.python.guest.report import EXCEPTIONS_MAX, FRAMES_EACH_END, TEXT_BYTES_MAX, report


class FakeHost(host.Alone):
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self.at_end: list[Callable[[], object]] = []
        self.drawn = 0
        self.slept: list[int] = []
        self.is_freezing = False
        self.secrets: dict[str, bytes] = {}

    def log(self, level: int, text: str, /) -> None:
        """Remember a line."""
        self.lines.append((level, text))

    def random(self, count: int, /) -> bytes:
        """Give other octets each time."""
        self.drawn += 1
        return bytes([self.drawn]) * count

    def sleep(self, duration_ns: int, /) -> None:
        """Remember a wait."""
        self.slept.append(duration_ns)

    def freezing(self) -> bool:
        """Say what the test has set."""
        return self.is_freezing

    def secret(self, name: str, /) -> bytes | None:
        """Look it up."""
        return self.secrets.get(name)

    def later(self, callback: Callable[[], object], /) -> None:
        """Remember what is to be called."""
        self.at_end.append(callback)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """Put a fake in the place of the host."""
    fake = FakeHost()
    monkeypatch.setattr(host, "calls", fake)
    return fake


@pytest.fixture
def streams(calls: FakeHost, monkeypatch: pytest.MonkeyPatch) -> tuple[Stream, Stream]:
    """Put fresh streams in the place of standard output and error."""
    del calls
    made = Stream(INFO, 1, "<stdout>"), Stream(ERROR, 2, "<stderr>")
    monkeypatch.setattr(output, "stdout", made[0])
    monkeypatch.setattr(output, "stderr", made[1])
    return made


def test_each_line_is_a_record(calls: FakeHost, streams: tuple[Stream, Stream]) -> None:
    """However it was put together; the rest comes when the request ends."""
    stream = streams[0]
    print("a", 1, file=stream)
    print("two\nlines", file=stream)
    print("part", end="", file=stream)
    assert calls.lines == [(1, "a 1"), (1, "two"), (1, "lines")]
    for callback in calls.at_end:
        callback()
    assert calls.lines[3:] == [(1, "part")]
    stream.buffer.write(b"octets \xff\n")
    assert calls.lines[4:] == [(1, "octets \\xff")]


def test_what_has_no_line_end_is_a_record_of_either_stream_when_the_request_ends(
    calls: FakeHost, streams: tuple[Stream, Stream]
) -> None:
    """Though the host calls only what was registered last."""
    for stream, text in zip(streams, ("out", "error"), strict=True):
        for letter in text:
            print(letter, end="", file=stream)
    calls.at_end[-1]()
    assert calls.lines == [(INFO, "out"), (ERROR, "error")]


def test_a_line_of_many_pieces_is_joined_once(calls: FakeHost, streams: tuple[Stream, Stream]) -> None:
    """Each piece is kept as it is until the line ends, and none is joined twice."""

    class Piece(str):
        __slots__ = ()

        def __add__(self, other: str) -> str:
            raise AssertionError("joined one by one")

        __radd__ = __add__

    stream = streams[0]
    for piece in [Piece("ab"), Piece("c")] * 1000:
        stream.write(piece)
    stream.write("\n")
    assert calls.lines == [(INFO, "abc" * 1000)]
    assert len(calls.at_end) == 1


def test_a_line_without_an_end_does_not_fill_memory(calls: FakeHost, streams: tuple[Stream, Stream]) -> None:
    """It is several records, and nothing of it is lost."""
    for _ in range(LINE_CHARS_MAX * 5 // 2):
        streams[0].write("x")
    streams[0].write("\n")
    assert [len(text) for _, text in calls.lines] == [LINE_CHARS_MAX, LINE_CHARS_MAX, LINE_CHARS_MAX // 2]


def test_logging_keeps_its_levels(calls: FakeHost) -> None:
    """On a handler whose stream is the log."""
    stream = Stream(INFO, 2, "<stderr>")
    handler = logging.StreamHandler(stream)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL, 5, 99):
        emit(handler, logging.LogRecord("name", level, __file__, 1, "text", None, None))
    assert [level for level, _ in calls.lines] == [0, 1, 2, 3, 4, 0, 4]
    assert level_of(35) == 2


def test_a_shared_generator_is_seeded_by_the_first_draw_of_a_request(calls: FakeHost) -> None:
    """And by no other: who does not draw, pays nothing."""
    shared = fresh.Shared(random.Random(1))
    draw = shared.through("random")
    assert calls.drawn == 0
    first = draw()
    assert calls.drawn == 1
    draw()
    assert calls.drawn == 1
    other = fresh.Shared(random.Random(1)).through("random")
    assert other() != first


def test_a_seed_set_while_freezing_stays(calls: FakeHost) -> None:
    """It is the program's own wish; a draw without one is not kept for requests."""
    calls.is_freezing = True
    shared = fresh.Shared(random.Random(1))
    shared.through("random")()
    assert (calls.drawn, shared.seeded) == (0, False)
    shared.seed(42)
    calls.is_freezing = False
    assert shared.through("random")() == random.Random(42).random()
    shared.seed()
    assert shared.through("random")() != random.Random(42).random()


def test_random_octets_cannot_be_frozen(calls: FakeHost) -> None:
    """The message says what to do."""
    assert fresh.urandom(3) == b"\1\1\1"
    calls.is_freezing = True
    with pytest.raises(RuntimeError, match="draw them in the function that answers"):
        fresh.urandom(3)
    with pytest.raises(ValueError, match="negative"):
        fresh.urandom(-1)


def test_sleep_waits_by_the_host(calls: FakeHost) -> None:
    """And raises what `time.sleep` raises."""
    fresh.sleep(0.25)
    fresh.sleep(0)
    assert calls.slept == [250_000_000]
    with pytest.raises(ValueError, match="non-negative"):
        fresh.sleep(-1)
    with pytest.raises(ValueError, match="NaN"):
        fresh.sleep(float("nan"))
    with pytest.raises(TypeError):
        fresh.sleep("1")
    calls.is_freezing = True
    with pytest.raises(RuntimeError, match="frozen"):
        fresh.sleep(1)


@pytest.fixture
def environ(calls: FakeHost) -> environment.Environment:
    """Give an environment with a plain variable and a secret."""
    calls.secrets = {"KEY": b"s3cr\xc3\xa9t"}
    plain = {b"PLAIN": b"1"}
    made = environment.Environment(plain, os.fsencode, os.fsdecode, os.fsencode, os.fsdecode)
    made.secrets = ("KEY", "UNSET")
    return made


def test_secrets_are_read_by_requests(environ: environment.Environment) -> None:
    """As if they were variables, except that no text of the environment shows them."""
    assert environ["KEY"] == "s3crét"
    assert environ.get("UNSET") is None
    assert environ.get("NO_SUCH", "default") == "default"
    assert list(environ) == ["PLAIN", "KEY"]
    assert "s3cr" not in repr(environ)
    with pytest.raises(KeyError):
        environ["UNSET"]


def test_an_environment_with_a_secret_that_is_not_set_is_copied(environ: environment.Environment) -> None:
    """It is as if nobody had declared it, in every way of looking."""
    assert dict(environ) == environ.copy() == {"PLAIN": "1", "KEY": "s3crét"}
    assert [len(environ), len(list(environ.items())), "KEY" in environ, "UNSET" in environ] == [2, 2, True, False]
    assert environ | {"UNSET": "x"} == {"PLAIN": "1", "KEY": "s3crét", "UNSET": "x"}
    assert environ.setdefault("UNSET", "given") == environ["UNSET"] == "given"
    environ.clear()
    assert dict(environ) == {}


def test_a_secret_can_be_taken_away_from_a_request(calls: FakeHost, environ: environment.Environment) -> None:
    """As from any mapping; while freezing it cannot, and stays declared."""
    calls.is_freezing = True
    with pytest.raises(environment.SecretNotReady):
        del environ["KEY"]
    environ["KEY"] = "mine"
    del environ["KEY"]
    calls.is_freezing = False
    assert environ.pop("KEY") == "s3crét"
    assert "KEY" not in environ
    with pytest.raises(KeyError):
        del environ["KEY"]
    with pytest.raises(KeyError):
        del environ["UNSET"]


def test_a_secret_read_while_freezing_raises(calls: FakeHost, environ: environment.Environment) -> None:
    """It names the variable and the cure; a copy of the environment is what is plain."""
    calls.is_freezing = True
    for read in (lambda: environ["KEY"], lambda: environ.get("KEY"), lambda: environ.pop("KEY")):
        with pytest.raises(environment.SecretNotReady, match=r"`KEY` was read while .* read it in the function"):
            read()
    assert "KEY" in environ
    assert environ.copy() == {"PLAIN": "1"}


def test_captures_name_the_line(calls: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the innermost frame that is the tenant's."""
    calls.is_freezing = True
    program = "def draw():\n    return note(1)\nvalue = draw()\n"
    names = {"note": captures.note}
    exec(compile(program, f"{origin.RELEASE}/app.py", "exec"), names)  # noqa: S102 - the test's own
    exec(compile("note(2)", f"{origin.PACKAGES}/lib/x.py", "exec"), names)  # noqa: S102 - likewise
    captures.note(captures.CLOCK)
    assert captures.take() == [
        {"what": "random", "file": "app.py", "line": 2},
        {"what": "clock", "file": "lib/x.py", "line": 1},
    ]
    assert captures.take() == []
    del monkeypatch


def failing(program: str) -> str:
    """Return the report of a program that raises."""
    runtime = compile("exec(code, names)", f"{origin.RUNTIME}handler/x.py", "exec")
    code = compile(program, f"{origin.RELEASE}/app.py", "exec")
    try:
        exec(runtime, {"code": code, "names": {}})  # noqa: S102 - the test's own
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return report(error)
    raise AssertionError("it did not raise")


def test_a_report_begins_in_the_program() -> None:
    """No frame of the runtime is in it, also not in what the exception came from."""
    text = failing("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('v') from e\n")
    assert text.count('File "/app/app.py", line ') == 2
    assert origin.RUNTIME not in text
    assert text.endswith("ValueError: v\n")


def test_a_report_hints_at_what_is_missing() -> None:
    """By the name of the module."""
    assert "hint: `no_such` is neither in the release nor in the standard library" in failing("import no_such")
    assert "hint: `_winapi` is a part of the standard library" in failing("import _winapi")


def test_a_report_never_raises() -> None:
    """Not even of exceptions that cannot be shown."""
    program = "class E(Exception):\n    def __str__(self): raise KeyError\nraise E"
    assert failing(program).rstrip().endswith("<exception str() failed>")
    assert "RecursionError" in failing("def f(): f()\nf()")
    assert failing("raise MemoryError").rstrip().endswith("MemoryError")
    assert failing("raise SystemExit(3)").rstrip().endswith("SystemExit: 3")
    looped = """
try:
    raise KeyError
except KeyError as e:
    try:
        raise ValueError
    except ValueError as v:
        e.__context__ = v
        raise v
"""
    assert "ValueError" in failing(looped)


DEEP = {
    "plain": "def f(): f()\nf()",
    "mutual": "def f(n): return g(n + 1)\ndef g(n): return f(n + 1) * 2\nf(1)",
    "context": "def f():\n    try: f()\n    except Exception as e: raise ValueError('again')\nf()",
    "cause": "def f():\n    try: f()\n    except Exception as e: raise ValueError('again') from e\nf()",
    "group": "def f(): f()\ntry: f()\nexcept RecursionError as e: raise ExceptionGroup('again', [e, e, KeyError('k')])",
}


@pytest.mark.parametrize("case", DEEP)
def test_a_report_of_a_deep_recursion_describes_few_frames(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it was caught on its way; the last line is there, and that something is left out."""
    described: list[object] = []
    make = traceback.FrameSummary.__init__

    def counted(summary: traceback.FrameSummary, *arguments: Any, **options: Any) -> None:
        described.append(arguments)
        make(summary, *arguments, **options)

    monkeypatch.setattr(traceback.FrameSummary, "__init__", counted)
    text = failing(DEEP[case])
    assert len(described) <= (2 * FRAMES_EACH_END + 2) * EXCEPTIONS_MAX
    assert len(text) <= TEXT_BYTES_MAX
    assert "left out]" in text
    assert ("RecursionError: maximum recursion depth exceeded" if case in {"plain", "mutual"} else "again") in (
        text.splitlines()[-1] if case != "group" else text
    )


def test_a_report_fits_into_the_log_with_its_last_line() -> None:
    """Also if the text is long, and is none that UTF-8 could have."""
    text = failing("raise ValueError('begin ' + '\\ud800\\u20ac' * 100000 + ' end')")
    assert len(text.encode()) <= TEXT_BYTES_MAX
    assert "ValueError: begin \\ud800\u20ac" in text
    assert text.endswith(" end\n")


def test_a_traceback_that_a_program_writes_is_written_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that look the same are written once; the text is that of Python."""
    names: dict[str, Any] = {}
    program = "def f(n):\n    if n: return f(n - 1)\n    return 1 / n\n"
    exec(compile(program, __file__, "exec"), names)  # noqa: S102 - the test's own
    names["g"] = lambda n: names["f"](n) if n % 2 else names["g"](n - 1)
    with pytest.raises(ZeroDivisionError) as caught:
        names["g"](60)
    expected = traceback.format_exception(caught.value)
    calls_of_original: list[object] = []
    original = traceback.StackSummary.format_frame_summary

    def counted(*arguments: Any, **options: Any) -> Any:
        calls_of_original.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(report_module, "_format", counted)
    monkeypatch.setattr(traceback.StackSummary, "format_frame_summary", report_module.format_frame_summary)
    assert traceback.format_exception(caught.value) == expected
    assert len(calls_of_original) < 8


def test_pbkdf2_is_that_of_hashlib() -> None:
    """Where the interpreter has one to compare with."""
    import hashlib  # noqa: PLC0415 - the one that is compared with

    for arguments in (("sha256", b"p", b"s", 10), ("sha1", b"p", b"s", 3, 45), ("sha512", b"", b"x", 1, 5)):
        assert pbkdf2_hmac(*arguments) == hashlib.pbkdf2_hmac(*arguments)
    with pytest.raises(ValueError, match="iteration"):
        pbkdf2_hmac("sha256", b"", b"", 0)
