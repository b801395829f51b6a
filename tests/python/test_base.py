"""The base: CPython in one module that asks for nothing but hostcalls, frozen, loaded, and called by the guest ABI."""

import re
import sys
from pathlib import Path

import pytest

from dayfly import release
from dayfly.config import PYTHON_MEMORY_BYTES, Limits, SampleRequest
from dayfly.core import CoreOptions, NativeCore, Snapshot
from dayfly.errors import InitFailed
from dayfly.release import Made
from dayfly.toolchain.python import base

pytestmark = pytest.mark.slow

LIMITS = Limits(memory_bytes_max=PYTHON_MEMORY_BYTES, init_cpu_ns_max=60_000_000_000)

GUEST = '''
"""The least that is a runtime: a bundle is the source of a function `answer` and of the parts that it takes."""

import gc
import json
import socket
import traceback


def start():
    import _dayfly

    globals()["host"] = _dayfly
    _dayfly.set_entry(lambda: ("text/plain", "a base"), 0, ())


def rehearse():
    pass


def load():
    names = {"host": host}
    exec(host.take(int(host.head())).decode(), names)
    host.set_entry(names["answer"], names.get("takes", 0), names.get("parts", ()), *names.get("direct", ()))
    return "application/json", json.dumps({"captured": host.captured()})


def settle():
    gc.collect()
    host.compact()
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where everything of this module is kept."""
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="module")
def module(place: Path) -> bytes:
    """Return the module of a base whose runtime is the one above."""
    package, runtime = place / "package.py", place / "runtime.py"
    package.write_text("")
    runtime.write_text(GUEST)
    steps: list[str] = []
    files = {"dayfly/__init__.py": package, "dayfly/guest/__init__.py": runtime}
    made = base.build(place / "cache", lambda what, _done, _steps: steps.append(what), files)
    assert steps == ["starting CPython", "compiling the glue", "merging", "merged"]
    assert base.build(place / "cache", lambda *_: pytest.fail("it is there"), files) == made
    return made


@pytest.fixture(scope="module")
def core(place: Path) -> NativeCore:
    """Return a core that checks every restore."""
    return NativeCore(CoreOptions(code_cache=place / "code", paranoid_every=1, threads=1, overflow_threads=1))


@pytest.fixture(scope="module")
def parent(place: Path, module: bytes, core: NativeCore) -> Path:
    """Return the directory of the frozen base."""
    return _written(place, core.freeze(module, LIMITS), None)


def _written(place: Path, snapshot: Snapshot, parent: str | None, limits: Limits = LIMITS) -> Path:
    scratch = place / "scratch"
    scratch.mkdir(exist_ok=True)
    (place / "releases").mkdir(exist_ok=True)
    return release.write(
        place / "releases", Made("python", snapshot, limits, source=b"", parent=parent), scratch=scratch
    )


@pytest.fixture
def call(place: Path, parent: Path, core: NativeCore) -> "Call":
    """Return a function that loads a program and sends it a request."""
    return Call(place, parent, core)


def bundle_of(source: str) -> bytes:
    """Return the bundle of a source: a line with its length, the source, and the room after it."""
    octets = source.encode()
    return f"{len(octets)}\n".encode() + octets + bytes(64)


class Call:
    """Loads the source of an entry and gives what it answers: status and body, or what the log has."""

    def __init__(self, place: Path, parent: Path, core: NativeCore) -> None:
        self._place = place
        self._parent = parent
        self._core = core
        self.facts: dict[str, object] = {}

    def __call__(self, source: str, **request: object) -> tuple[int, list[str]]:
        """Load and call."""
        snapshot = self._core.freeze_on(self._parent, bundle_of(source), LIMITS)
        self.facts = snapshot.facts
        directory = _written(self._place, snapshot, self._parent.name)
        answer = self._core.rehearse(directory, "base.localhost", [SampleRequest(**request)], {})[0]  # type: ignore[arg-type]
        return answer.status, [text for _level, text in answer.log] + list(filter(None, [answer.failure]))


def test_a_base_answers_by_itself(parent: Path, core: NativeCore) -> None:
    """It is a program like any other."""
    answer = core.rehearse(parent, "base.localhost", [SampleRequest()], {})[0]
    assert (answer.status, answer.failure) == (200, None)


def test_parts_of_a_request_are_arguments(call: Call) -> None:
    """Text is decoded as latin-1, content is bytes; what was not asked for is not there."""
    status, log = call(
        """
takes, parts = 1 | 2 | 4 | 16 | 64 | 128 | 256, (0, 1, 2, 4, 7, 8, 9)
def answer(*arguments):
    host.log(2, repr(arguments))
    host.log(2, repr((host.part(6), host.fields())))
    return "text/plain", b"octets"
""",
        method="POST",
        path="/a%20b",
        query="c=d",
        body="\u00fc",
    )
    assert status == 200
    assert log == [repr(("POST", "/a%20b", "c=d", b"\xc3\xbc", "http", "base.localhost", "")), repr(("", []))]


def test_fields_are_pairs_in_order(call: Call) -> None:
    """As they were received."""
    status, log = call(
        "takes = 8\ndef answer():\n    host.log(1, str(host.fields()))\n    return 'text/plain', ''",
        headers={"X-One": "1", "x-two": "2"},
    )
    assert status == 200
    assert "('X-One', '1')" in log[0]
    assert log[0].index("X-One") < log[0].index("x-two")


def test_content_beyond_the_frame_is_fetched(call: Call) -> None:
    """Whole as a part, and piece by piece."""
    body = "".join(map(str, range(4_000)))
    status, log = call(
        """
takes = 16
def answer():
    whole = host.part(4)
    pieces = host.body(9000, 100), host.body(len(whole) - 5, 100), host.body(len(whole), 100)
    host.log(1, f"{len(whole)} {whole[-5:]} {pieces == (whole[9000:9100], whole[-5:], b'')}")
    return 204, None, None, b""
""",
        method="POST",
        body=body,
    )
    assert (status, log) == (204, [f"{len(body)} b'83999' True"])


@pytest.mark.parametrize(
    ("returned", "status", "reason"),
    [
        ("'text/plain', 'text'", 200, ""),
        ("404, 'text/plain', None, b'octets'", 404, ""),
        ("200, None, [('x-a', '1'), ('x-b', '\\u00fc')], ''", 200, ""),
        ("'why not'", 500, "why not"),
        ("1 / 0", 500, "ZeroDivisionError: division by zero"),
        ("None", 500, "the entry returned neither an answer nor why there is none"),
        ("'a', 'b', 'c'", 500, "the entry returned neither an answer nor why there is none"),
        ("'text/plain', 5", 500, "the content is neither str nor bytes"),
        ("5, 'text'", 500, "names and values of fields are str"),
        ("200, None, [('a',)], ''", 500, "a field is a tuple (name, value)"),
        ("200, None, (), ''", 500, "SystemError"),
        ("200, '\\u20ac', None, ''", 500, "UnicodeEncodeError"),
        ("'text/plain', '\\ud800'", 500, "UnicodeEncodeError"),
        ("0, None, None, ''", 502, "status"),
        ("2**70, None, None, ''", 500, "OverflowError"),
    ],
)
def test_what_an_entry_returns(call: Call, returned: str, status: int, reason: str) -> None:
    """An answer in one of two forms, or why there is none; anything else is the program's failure."""
    answered, log = call(f"def answer():\n    return {returned}")
    assert answered == status
    assert reason in "\n".join(log)


DIRECT = """
def finish(value):
    return 201, None, None, repr(value)
def failed(raised):
    return 418, None, None, repr(raised)
direct = finish, failed, {converters}
def answer(*arguments):
    host.log(1, repr(arguments))
    {body}
"""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("return 'text/plain', 'text'", 200),
        ("return lambda: ('text/plain', 'text')", 200),
        ("return lambda: 5", 201),
        ("return lambda: lambda: ('text/plain', 'text')", 201),
        ("return 'text/plain', b'octets'", 201),
        ("raise KeyError(5)", 418),
        ("return lambda: 1 / 0", 418),
    ],
)
def test_a_programs_own_function_is_called_and_the_rest_is_done_for_it(call: Call, body: str, status: int) -> None:
    """An answer and a function that gives one need nothing more."""
    assert call(DIRECT.format(converters="()", body=body)) == (status, ["()"])


def test_arguments_are_made_of_parts(call: Call) -> None:
    """A plain path is not converted, and what is made of no part is made of nothing."""
    source = DIRECT.format(converters="(len, str.upper, None, lambda: 'made')", body="return 'text/plain', ''")
    source += "takes, parts = 7, (2, 10, 0, 11)"
    assert call(source, path="/a", query="b=c") == (200, [repr((3, "/a", "GET", "made"))])
    assert call(source, path="/a%20b", query="") == (200, [repr((0, "/A%20B", "GET", "made"))])
    assert call(source.replace("len", "int"), path="/", query="x")[0] == 418


def test_a_failure_is_a_traceback(call: Call) -> None:
    """With the chain of causes."""
    status, log = call("def answer():\n    try:\n        {}[0]\n    except KeyError:\n        raise ValueError('x')")
    assert status == 500
    assert re.search(r"Traceback.*KeyError: 0.*During handling.*ValueError: x", "\n".join(log), re.DOTALL)


def test_what_is_drawn_while_freezing_is_known_and_computable(call: Call) -> None:
    """Clock and randomness by the system's ways; a request draws anew."""
    source = """
import os, time
frozen = os.urandom(8)
before = host.freezing()
def answer():
    host.log(1, f"{before} {host.freezing()} {frozen != os.urandom(8)} {host.random(8) != host.random(8)}")
    return "text/plain", ""
"""
    assert call(source) == (200, ["True False True True"])
    assert call.facts == {"captured": 1}
    call(source.replace("os.urandom(8)\n", "time.time()\n", 1).replace("frozen != os", "frozen != 0 or os"))
    assert call.facts == {"captured": 2}
    call("def answer():\n    return 'text/plain', ''")
    assert call.facts == {"captured": 0}


def test_the_same_bundle_is_the_same_snapshot(parent: Path, core: NativeCore) -> None:
    """Octet by octet."""
    bundle = bundle_of(
        "import json\ntable = {str(i): i for i in range(1000)}\ndef answer():\n    return 'text/plain', ''"
    )
    assert core.freeze_on(parent, bundle, LIMITS).image == core.freeze_on(parent, bundle, LIMITS).image


def test_streams_of_the_interpreter_are_the_log(call: Call) -> None:
    """Line by line, whatever the pieces are."""
    status, log = call(
        """
import os
def answer():
    os.write(1, b"one\\ntwo\\nth")
    os.write(1, b"ree\\n\\n")
    os.write(2, b"x" * 3000 + b"\\n")
    return "text/plain", ""
"""
    )
    assert status == 200
    assert log[:3] == ["one", "two", "three"]
    assert "".join(log[3:]) == "x" * 3000


@pytest.mark.parametrize(
    ("use", "error"),
    [
        ("open('/etc/passwd')", "FileNotFoundError"),
        ("os.listdir('/')", "OSError"),
        ("socket.socket()", "PermissionError"),
        ("socket.getaddrinfo(b'localhost', 80)", "OSError"),
        ("os.environ['HOME']", "KeyError"),
    ],
)
def test_there_is_no_system_around(call: Call, use: str, error: str) -> None:
    """What asks for one gets an error that Python knows, no trap."""
    source = f"""
import os, socket
def answer():
    try:
        {use}
    except Exception as error:
        host.log(1, " ".join(kind.__name__ for kind in type(error).__mro__))
    return "text/plain", ""
"""
    status, log = call(source)
    assert status == 200
    assert error in log[0].split()


def test_ending_the_interpreter_ends_the_request(call: Call) -> None:
    """The log says what happened."""
    status, log = call("import os\ndef answer():\n    os._exit(3)")
    assert status == 500
    assert log[0] == "the interpreter was ended from inside (os._exit, or a fatal error)"


def test_a_bundle_that_fails_says_why(parent: Path, core: NativeCore) -> None:
    """The traceback is the reason for which the release is refused."""
    with pytest.raises(InitFailed, match="ZeroDivisionError"):
        core.freeze_on(parent, bundle_of("1 / 0"), LIMITS)


def test_a_program_has_the_memory_that_its_own_limit_gives(parent: Path, core: NativeCore, place: Path) -> None:
    """Below what the base was made for."""
    bundle = bundle_of("def answer():\n    bytearray(24 << 20)\n    return 'text/plain', ''")
    for limit, status in ((PYTHON_MEMORY_BYTES, 200), (32 << 20, 507)):
        limits = LIMITS.model_copy(update={"memory_bytes_max": limit})
        directory = _written(place, core.freeze_on(parent, bundle, limits), parent.name, limits)
        assert core.rehearse(directory, "base.localhost", [SampleRequest()], {})[0].status == status


def test_no_path_of_this_machine_is_in_a_base(module: bytes, core: NativeCore, place: Path) -> None:
    """Neither where it was made nor where its sources are."""
    image = core.freeze(module, LIMITS).image
    for path in (place, Path(base.__file__).parents[3], Path(sys.prefix)):
        assert str(path).encode() not in module + image, path
