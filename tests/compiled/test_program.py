"""What comes out: a module that asks for hostcalls only, says nothing of the building machine, and dirties one page."""

import re
from pathlib import Path

import pytest

from dayfly.errors import BuildError, InitFailed
from dayfly.toolchain.compiled import CompiledToolchain, Refused, zig
from dayfly.toolchain.compiled.headers import pythran_root
from tests.compiled.conftest import Compile
from tests.compiled.programs import Request
from tests.compiled.sandbox import Sandboxes

REQUEST = Request("GET", "/", "")


def test_only_hostcalls_are_imported(hello: bytes) -> None:
    """No WASI: what libc wants of it is answered inside."""
    assert re.findall(rb"\x06dayfly\x03log", hello) == [b"\x06dayfly\x03log"]
    assert b"wasi_snapshot_preview1" not in hello


def test_no_path_of_this_machine_is_inside(compiled: Compile) -> None:
    """Nor a C++ file's name: assertions that would print one are not compiled in."""
    wasm = compiled("import numpy as np\ndef on_client_request():\n    return str(np.ones(3)) + '%d' % 3\n").wasm
    here = [str(zig.root()), str(pythran_root()), str(Path.home()), "/scratch-", ".hpp", ".cpp", "/tmp/"]  # noqa: S108
    assert [path for path in here if path.encode() in wasm] == []


def test_building_again_takes_no_compiler(compiled: Compile) -> None:
    """Every step is kept by what it was made from."""
    source = "def on_client_request():\n    return 'twice'\n"
    compiled(source)
    assert compiled(source).timings_s == {}


def test_a_comment_does_not_change_the_module(compiled: Compile) -> None:
    """The same program is the same octets."""
    source = "def on_client_request():\n    return 'same'\n"
    assert compiled(source).wasm == compiled(source + "# a comment\n").wasm


def test_a_missing_program_is_named(toolchain: CompiledToolchain, tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(BuildError, match=r"there is no app.py; put the program there"):
        toolchain.build(tmp_path)


def test_a_large_source_is_refused(toolchain: CompiledToolchain) -> None:
    """Before anybody reads it."""
    with pytest.raises(Refused, match="more than 1 MiB"):
        toolchain.build_source(b"#" * (1 << 20) + b"\n")


def test_a_failing_on_init_says_what_failed(compiled: Compile, sandboxes: Sandboxes) -> None:
    """By the exception's name and message."""
    wasm = compiled("def on_init():\n    raise ValueError('no good')\ndef on_client_request():\n    return 'x'\n").wasm
    with pytest.raises(InitFailed, match=r"ValueError: no good"):
        sandboxes.publish("failing", wasm)


def test_a_failing_constant_says_what_failed(compiled: Compile, sandboxes: Sandboxes) -> None:
    """Module globals are evaluated while freezing, in their order, as Python does when it imports."""
    source = "X = [1]\nY = X[len(X)]\ndef on_client_request():\n    return str(Y)\n"
    with pytest.raises(InitFailed, match=r"IndexError: list index out of range"):
        sandboxes.publish("constant", compiled(source).wasm)


def test_randomness_is_never_part_of_a_snapshot(compiled: Compile, sandboxes: Sandboxes) -> None:
    """A program that draws while freezing is refused; two requests draw different numbers."""
    source = "import random\nX = [random.random()]\ndef on_client_request():\n    return str(X)\n"
    with pytest.raises(InitFailed, match="random"):
        sandboxes.publish("frozen", compiled(source).wasm)
    at_request = source.replace("X = [random.random()]\n", "").replace("X", "random.random()")
    at_request = source.replace("X = [random.random()]\n", "").replace("X", "random.random()")
    sandboxes.publish("drawing", compiled(at_request).wasm)
    assert sandboxes.ask("drawing", REQUEST).body != sandboxes.ask("drawing", REQUEST).body


def test_memory_is_refused_inside(compiled: Compile, sandboxes: Sandboxes) -> None:
    """A program that wants more than its limit gets a MemoryError."""
    source = "def on_client_request():\n    rows = ['x']\n    while True:\n        rows += rows\n    return str(rows)\n"
    sandboxes.publish("greedy", compiled(source).wasm)
    assert "memory" in sandboxes.ask("greedy", REQUEST).error.lower()


def test_temporary_objects_do_not_use_memory_up(compiled: Compile, sandboxes: Sandboxes) -> None:
    """A loop may make 64 MiB of them in a sandbox of 16."""
    source = (
        "def on_client_request():\n    n = 0\n    for i in range(10000):\n        s = 'x' * 4000 + str(i)\n"
        "        t = s + 'y' * 2000\n        n += len(t) - len(s)\n    return str(n)\n"
    )
    sandboxes.publish("temporary", compiled(source).wasm)
    assert sandboxes.ask("temporary", REQUEST).body == "20000000"


def test_a_large_body_is_read_whole(compiled: Compile, sandboxes: Sandboxes) -> None:
    """The first octets come with the request, the rest is pulled."""
    sandboxes.publish("body", compiled("def on_client_request(body):\n    return str(len(body)) + body[-3:]\n").wasm)
    assert sandboxes.ask("body", Request("POST", "/", "x" * 100_000 + "end")).body == "100003end"


def test_requests_do_not_see_each_other(compiled: Compile, sandboxes: Sandboxes) -> None:
    """Also not through a list that a constant holds, reached by another name."""
    source = (
        "def grow(values, n):\n    values.append(n)\n    return values\n"
        "def on_client_request(query):\n    values = [1]\n    return str(grow(values, len(query)))\n"
    )
    sandboxes.publish("alone", compiled(source).wasm)
    answers = {sandboxes.ask("alone", Request("GET", "/?ab", "")).body for _ in range(3)}
    assert answers == {"[1, 2]"}


def test_nothing_of_the_source_goes_into_cxx_unquoted(compiled: Compile) -> None:
    """Not in comments either: an `#include` of a tenant would read the building machine's files."""
    source = "def on_client_request():  # x\r    # y\r#include </etc/passwd>\r    return '#include </etc/passwd>'\r"
    assert b"root:" not in compiled(source).wasm
