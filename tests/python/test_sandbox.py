"""What the python tier promises, each by a program in its sandbox behind a real server."""

import json
import os
import subprocess
import sys
import time

import pytest

from dayfly.config import PYTHON_MEMORY_BYTES, Limits
from dayfly.deploy import Workshop
from dayfly.errors import InitFailed
from dayfly.toolchain.python.bundle import layer_bundle
from tests.conftest import HELLO
from tests.python.programs import Request
from tests.python.sandbox import ERROR, INFO, LIMITS, Sandboxes
from tests.resolver.index import LocalIndex, serving, wheel

GET = Request("GET", "/", "")


def lines(sandboxes: Sandboxes, name: str, request: Request = GET) -> tuple[int, str, list[tuple[int, str]]]:
    """Send a request; return status, cause, and the log once there is something in it."""
    sandboxes.core.logs()
    status, cause, _, _ = sandboxes.send(name, request)
    deadline = time.monotonic() + 30
    found: list[tuple[int, str]] = []
    while not found and time.monotonic() < deadline:
        found = [(record.level, record.text) for record in sandboxes.core.logs()]
    return status, cause, found


# Freezing ------------------------------------------------------------------------------------------------------------


def test_the_same_bundle_is_the_same_delta(sandboxes: Sandboxes) -> None:
    """To the last octet, and small."""
    first = sandboxes.publish("delta-a", HELLO).snapshot
    second = sandboxes.publish("delta-b", HELLO + "\n").snapshot
    third = sandboxes.publish("delta-a", HELLO + "\n").snapshot
    assert first
    assert second
    assert third
    assert first.image != second.image
    assert second.image == third.image
    assert len(first.image) <= 1_500_000


@pytest.mark.parametrize("sizes", [[23 << 20], [1 << 20] * 22, [20_000] * 1000], ids=["one", "some", "many"])
def test_files_are_in_memory_once(sandboxes: Sandboxes, sizes: list[int]) -> None:
    """Up to the documented limit; a request that reads one whole does not copy it."""
    program = """
def on_client_request():
    first, again = open("0.txt", "rb").read(), open("0.txt", "rb").read()
    return [first is again, len(first), first[:1].decode(), first[-1:].decode()]
"""
    letters = "abcdefghijklmnopqrstuvw"
    files = {f"{number}.txt": letters[number % 23] * size for number, size in enumerate(sizes)}
    name = f"files-{len(sizes)}"
    deployed = sandboxes.publish(name, {"app.py": program, **files})
    assert deployed.snapshot
    assert len(deployed.snapshot.image) - sum(sizes) < 1_500_000
    assert json.loads(sandboxes.ask(name, GET).text) == [True, sizes[0], "a", "a"]


def test_files_that_do_not_fit_are_refused_with_what_to_do(sandboxes: Sandboxes) -> None:
    """Where packages, or a limit of its own, leave a program less."""
    files = {"app.py": HELLO, "data.txt": "x" * (12 << 20)}
    with pytest.raises(InitFailed, match=r"do not fit into memory beside CPython and packages; take files or packages"):
        sandboxes.publish("little", files, LIMITS.model_copy(update={"memory_bytes_max": 40 << 20}))


REFUSED = {
    "syntax": (
        "def f(:\n    pass\n",
        'File "/app/app.py", line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax',
    ),
    "raises": ("def on_init():\n    {}['x']\n", 'File "/app/app.py", line 2, in on_init\n'),
    "missing": (
        "import flask\n",
        "ModuleNotFoundError: No module named 'flask'\nhint: `flask` is neither in",
    ),
    "absent": ("import fcntl\n", "hint: `fcntl` is a part of the standard library that needs an operating system"),
    "nothing": ("x = 1\n", "has neither a function `on_client_request`, nor an `app`, nor a route"),
    "recursion": ("def f(): f()\nf()\n", "RecursionError: maximum recursion depth exceeded"),
    "exit": ("import sys\nsys.exit('no')\n", "SystemExit: no"),
    "memory": ("x = bytearray(1 << 30)\n", "MemoryError"),
    "random": ("import os\nx = os.urandom(3)\n", "draw them in the function that answers"),
    "token": ("import secrets\ndef on_init(): secrets.token_hex()\n", "random octets were asked for while the program"),
    "sleep": ("import time\ntime.sleep(1)\n", "time.sleep was called while the program is frozen"),
    "secret": ("import os\nx = os.environ['KEY']\n", "the secret `KEY` was read while the program is frozen"),
    "write": ("open('/app/x', 'w')\n", "Read-only file system: '/app/x'"),
    "parameters": ("def on_client_request(nonsense): pass\n", "nonsense"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_program_that_fails_while_it_is_frozen_is_refused_with_the_reason(case: str, sandboxes: Sandboxes) -> None:
    """A traceback where Python would give one, from the program's first line on."""
    source, reason = REFUSED[case]
    with pytest.raises(InitFailed) as caught:
        sandboxes.publish(f"refused-{case}", source, secrets=("KEY",))
    assert reason in str(caught.value)
    assert "dayfly/" not in str(caught.value)


def test_an_endless_import_ends_at_the_limit(sandboxes: Sandboxes) -> None:
    """And the server goes on."""
    with pytest.raises(InitFailed):
        sandboxes.publish(
            "endless", "while True: pass\n", Limits(**{**LIMITS.model_dump(), "init_cpu_ns_max": 50_000_000})
        )
    sandboxes.publish("after-endless", HELLO)
    assert sandboxes.ask("after-endless", GET).status == 200


def test_what_is_drawn_while_freezing_is_named(sandboxes: Sandboxes) -> None:
    """With file and line; what every request draws anew is not."""
    source = """
import logging
import random
import tempfile
import time

START = time.time()
NUMBER = random.random()

def on_init():
    logging.warning("started")
    tempfile.mkdtemp()

def on_client_request():
    return "x"
"""
    deployed = sandboxes.publish("captures", source)
    assert deployed.snapshot
    assert deployed.snapshot.facts["captured"] == [
        {"what": "clock", "file": "app.py", "line": 7},
        {"what": "random", "file": "app.py", "line": 8},
    ]


def test_what_is_drawn_without_the_interpreter_is_named_as_well(sandboxes: Sandboxes) -> None:
    """Whoever draws has let go of it: SQLite for the time, locks for their timeout, the system's own functions."""
    source = """
import _random, posix, queue, sqlite3, threading
DATABASE = sqlite3.connect(":memory:")
NOW = DATABASE.execute("select current_timestamp").fetchone()
NUMBER = DATABASE.execute("select random()").fetchone()
held = threading.Lock()
held.acquire()
held.acquire(timeout=0.01)
try:
    queue.SimpleQueue().get(timeout=0.01)
except queue.Empty:
    pass
OCTETS = posix.urandom(8)
GENERATOR = _random.Random()

def on_client_request():
    return "x"
"""
    deployed = sandboxes.publish("draws-alone", source)
    assert deployed.snapshot
    captured = deployed.snapshot.facts["captured"]
    assert isinstance(captured, list)
    kinds = {4: "clock", 5: "random", 8: "clock", 10: "clock", 13: "random", 14: "random"}
    assert [(entry["line"], entry["what"]) for entry in captured] == list(kinds.items())
    assert sandboxes.ask("draws-alone", GET).text == "x"


def test_a_layer_is_shared_and_says_what_it_could_not_import(sandboxes: Sandboxes) -> None:
    """A package that needs what no sandbox has keeps nobody from the others."""
    base = Workshop().bases.base(sandboxes.core, lambda *_: None).directory
    files = {
        "good/__init__.py": b"import random\nNUMBER = random.random()\nTEXT = 'good'\n",
        "good/data.txt": b"data",
        "bad.py": b"import ctypes\n",
        "good-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: good\nVersion: 1.0\n",
    }
    snapshot = sandboxes.core.freeze_on(base, layer_bundle(files, ["good", "bad"]), LIMITS)
    assert snapshot.facts["not_imported"] == [["bad", "ModuleNotFoundError: No module named '_ctypes'"]]
    assert snapshot.facts["captured"] == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("while True: pass\n", "more CPU time than the limit allows"),
        ("import os\nos._exit(0)\n", "the interpreter was ended from inside"),
    ],
    ids=["endless", "exit"],
)
def test_a_package_that_ends_its_layer_is_named(sandboxes: Sandboxes, source: str, reason: str) -> None:
    """By what was imported last."""
    base = Workshop().bases.base(sandboxes.core, lambda *_: None).directory
    bundle = layer_bundle({"good.py": b"", "evil.py": source.encode(), "late.py": b""}, ["good", "evil", "late"])
    limits = LIMITS.model_copy(update={"init_cpu_ns_max": 300_000_000})
    with pytest.raises(InitFailed, match=reason) as caught:
        sandboxes.core.freeze_on(base, bundle, limits)
    assert [line for line in str(caught.value).splitlines() if "importing" in line][-1].strip() == "importing `evil`"


def test_a_programs_own_modules_come_before_those_of_packages(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their submodules, also if the layer has them imported; a package's own `app` is not run in the layer."""
    package = {
        "shadow/__init__.py": b"import util, parts.one\nTEXT = util.TEXT\n",
        "util.py": b"TEXT = 'package'\n",
        "parts/__init__.py": b"",
        "parts/one.py": b"TEXT = 'package'\n",
        "other/__init__.py": b"TEXT = 'package'\n",
        "app.py": b"raise SystemExit('run in the layer')\n",
    }
    program = """
import json, other, parts.one, shadow, sys, util

def on_client_request():
    return [util.TEXT, parts.one.TEXT, other.TEXT, shadow.TEXT, json.dumps(1), sys.modules["app"].__file__]
"""
    own = {
        "app.py": program,
        "util.py": "TEXT = 'own'\n",
        "parts/__init__.py": "",
        "parts/one.py": "TEXT = 'own'\n",
        "other/data.txt": "no module",
        "json.py": "dumps = None\n",
        "requirements.txt": "shadow\n",
    }
    with serving(LocalIndex()) as index:
        index.add("shadow", wheel("shadow", "1.0", package))
        monkeypatch.setenv("DAYFLY_INDEX", index.url)
        sandboxes.publish("shadow", own)
    found = json.loads(sandboxes.ask("shadow", GET).text)
    assert found == ["own", "own", "package", "package", "1", "/app/app.py"]


# Requests ------------------------------------------------------------------------------------------------------------


def test_every_request_draws_its_own(sandboxes: Sandboxes) -> None:
    """By every way there is; a seed that the program has set stays."""
    source = """
import os
import random
import secrets
import sqlite3
import tempfile
import uuid
from random import randint

SEEDED = random.Random(42)
DATABASE = sqlite3.connect(":memory:")
DATABASE.execute("select random(), randomblob(16)").fetchone()

def on_client_request():
    drawn = [randint(0, 1 << 60), random.getrandbits(60), secrets.token_hex(), str(uuid.uuid4()), str(uuid.uuid1()),
             os.urandom(8).hex(), tempfile.mkdtemp(), random.Random().random(), random.SystemRandom().random(),
             open("/dev/urandom", "rb").read(8).hex(),
             *DATABASE.execute("select random(), hex(randomblob(16))").fetchone(),
             *sqlite3.connect(":memory:").execute("select random(), hex(randomblob(16))").fetchone()]
    return {"drawn": drawn, "seeded": SEEDED.random()}
"""
    sandboxes.publish("draws", source)
    answers = [json.loads(sandboxes.ask("draws", GET).text) for _ in range(3)]
    for values in zip(*(answer["drawn"] for answer in answers), strict=True):
        assert len(set(values)) == 3
    assert len({answer["seeded"] for answer in answers}) == 1


def test_time_goes_on(sandboxes: Sandboxes) -> None:
    """In requests, not in the snapshot; a sleep takes as long as it says."""
    source = """
import time
import datetime

def on_client_request():
    begin, steady = datetime.datetime.now(datetime.timezone.utc), time.monotonic()
    time.sleep(0.05)
    return {"now": begin.timestamp(), "slept": time.monotonic() - steady}
"""
    sandboxes.publish("clock", source)
    answer = json.loads(sandboxes.ask("clock", GET).text)
    assert abs(answer["now"] - time.time()) < 10
    assert 0.045 <= answer["slept"] < 5


FAILURES = {
    "exception": ("def on_client_request():\n    return 1 / 0\n", 500, "trap", "ZeroDivisionError: division by zero"),
    "exit": ("import sys\ndef on_client_request():\n    sys.exit(3)\n", 500, "trap", "SystemExit: 3"),
    "recursion": ("def on_client_request():\n    on_client_request()\n", 500, "trap", "RecursionError"),
    "os_exit": ("import os\ndef on_client_request():\n    os._exit(1)\n", 500, "trap", "ended from inside"),
    "memory": (
        "def on_client_request():\n    return str(len(bytearray(1 << 30)))\n",
        507,
        "memory",
        "MemoryError",
    ),
    "grows": (
        "def on_client_request():\n    x = []\n    while True: x.append('y' * 100000)\n",
        507,
        "memory",
        "MemoryError",
    ),
    "type": ("def on_client_request():\n    return 3.5\n", 500, "trap", "float"),
    "field": ("def on_client_request():\n    return 200, {'a b': 'c'}, 'x'\n", 502, "bad_response", ""),
    "status": ("def on_client_request():\n    return 99, {}, 'x'\n", 500, "trap", "99"),
    "key": (
        "import os\ndef on_client_request():\n    return os.environ['NO_SUCH']\n",
        500,
        "trap",
        "KeyError: 'NO_SUCH'",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_request_that_fails_has_its_outcome(case: str, sandboxes: Sandboxes) -> None:
    """The client gets the cause, the log the traceback from the program's first line on; the next one is answered."""
    source, status, cause, reason = FAILURES[case]
    name = f"fails-{case}".replace("_", "-")
    sandboxes.publish(name, source)
    for _ in range(2):
        found_status, found_cause, log = lines(sandboxes, name)
        text = "\n".join(text for _, text in log)
        assert (found_status, found_cause) == (status, cause)
        assert reason in text
        assert "site-packages/dayfly" not in text


RECURSIONS = {
    "plain": "def on_client_request():\n    on_client_request()\n",
    "mutual": "def f(n): return g(n + 1) * 2\ndef g(n): return f(n + 1) + 1\ndef on_client_request(): return f(1)\n",
    "caught": (
        "def on_client_request():\n    try: on_client_request()\n"
        "    except Exception as e: raise RecursionError('again') from e\n"
    ),
    "logged": (
        "import logging\ndef f(n): return g(n + 1) * 2\ndef g(n): return f(n + 1) + 1\n"
        "def on_client_request():\n    try: f(1)\n    except RecursionError: logging.exception('deep')\n"
        "    raise RecursionError\n"
    ),
}


@pytest.mark.parametrize("case", RECURSIONS)
def test_a_recursion_without_end_is_a_traceback_within_the_cpu_time_that_is_the_default(
    case: str, sandboxes: Sandboxes
) -> None:
    """Not a request that was stopped while its traceback was written."""
    sandboxes.publish(f"recursion-{case}", RECURSIONS[case], Limits(memory_bytes_max=PYTHON_MEMORY_BYTES))
    status, cause, log = lines(sandboxes, f"recursion-{case}")
    assert (status, cause) == (500, "trap")
    assert log[-1][1].splitlines()[-1].startswith("RecursionError")


def test_lines_are_logged_once_also_when_a_request_is_run_again(sandboxes: Sandboxes) -> None:
    """A program that prints, draws and reads a large body, in the inline lane and in the other one."""
    source = """
import os
import time

def on_client_request(path, body):
    print("begin", len(body), len(os.urandom(4)))
    if path == "/slow":
        time.sleep(0.01)
        sum(range(300000))
    print("end", end="")
    return str(len(body))
"""
    sandboxes.publish("once", source)
    body = "x" * (1 << 20)
    for target in ("/fast", "/slow"):
        status, _, log = lines(sandboxes, "once", Request("POST", target, body))
        assert (status, log) == (200, [(INFO, "begin 1048576 4"), (INFO, "end")])


def test_what_is_written_without_a_line_end_is_logged_when_the_request_ends(sandboxes: Sandboxes) -> None:
    """To standard output and to standard error, also if the request fails."""
    source = """
import sys

def on_client_request():
    for letter in "ab":
        print(letter, end="")
        sys.stderr.write(letter)
    1 / 0
"""
    sandboxes.publish("endless-lines", source)
    status, _, log = lines(sandboxes, "endless-lines")
    assert (status, log[:2]) == (500, [(INFO, "ab"), (ERROR, "ab")])
    assert log[2][1].endswith("ZeroDivisionError: division by zero\n")


def test_logging_has_its_levels(sandboxes: Sandboxes) -> None:
    """And print is info, standard error is error."""
    source = """
import logging
import sys

def on_init():
    logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(message)s")

def on_client_request():
    logging.debug("d")
    logging.info("i")
    logging.warning("w")
    logging.error("two\\nlines")
    logging.critical("c")
    print("p")
    print("e", file=sys.stderr)
    return "x"
"""
    sandboxes.publish("levels", source)
    _, _, log = lines(sandboxes, "levels")
    expected = [(0, "DEBUG d"), (1, "INFO i"), (2, "WARNING w"), (3, "ERROR two"), (3, "lines"), (4, "CRITICAL c")]
    assert log == [*expected, (INFO, "p"), (ERROR, "e")]


def test_lone_surrogates_are_escaped_in_the_log(sandboxes: Sandboxes) -> None:
    """A client can send them in JSON; what is said of them must not be lost."""
    source = """
import json
import logging
import sys

def on_client_request(body):
    text = json.loads(body)
    print("p", text)
    print("e", text, file=sys.stderr)
    logging.warning(text)
    raise ValueError(text)
"""
    sandboxes.publish("surrogates", source)
    _, cause, log = lines(sandboxes, "surrogates", Request("POST", "/", json.dumps("\ud800")))
    texts = [text for _, text in log]
    assert cause == "trap"
    assert texts[:3] == ["p \\ud800", "e \\ud800", "WARNING:root:\\ud800"]
    assert texts[3].endswith("ValueError: \\ud800\n")


def test_the_release_is_read_by_every_way(sandboxes: Sandboxes) -> None:
    """open, pathlib, importlib.resources, pkgutil; packages beside the program are imported."""
    files = {
        "app.py": """
import importlib.resources
import os
import pathlib
import pkgutil

import pages.index

def on_client_request():
    return {
        "open": open("data/a.txt").read(),
        "path": (pathlib.Path(__file__).parent / "data" / "a.txt").read_text(),
        "resources": importlib.resources.files("pages").joinpath("index.html").read_text(),
        "pkgutil": pkgutil.get_data("pages", "index.html").decode(),
        "import": pages.index.TITLE,
        "names": sorted(os.path.relpath(os.path.join(at, name)) for at, _, names in os.walk(".") for name in names),
        "file": pages.index.__file__,
        "lines": pages.index.__spec__.loader.get_source("pages.index"),
    }
""",
        "data/a.txt": "text",
        "pages/__init__.py": "",
        "pages/index.py": "TITLE = 'index'\n",
        "pages/index.html": "<p>",
    }
    sandboxes.publish("reads", files)
    found = json.loads(sandboxes.ask("reads", GET).text)
    assert found == {
        "open": "text",
        "path": "text",
        "resources": "<p>",
        "pkgutil": "<p>",
        "import": "index",
        "names": sorted(files),
        "file": "/app/pages/index.py",
        "lines": "TITLE = 'index'\n",
    }


def test_plain_variables_are_there_from_the_start(sandboxes: Sandboxes) -> None:
    """While freezing and in requests."""
    source = "import os\nWHEN = os.environ['STAGE']\ndef on_client_request():\n    return WHEN + os.getenv('STAGE')\n"
    sandboxes.publish("variables", source, environment={"STAGE": "live"})
    assert sandboxes.ask("variables", GET).text == "livelive"


def test_a_secret_that_is_not_set_is_no_variable(sandboxes: Sandboxes) -> None:
    """So that the environment can be copied and gone through; while freezing that needs no secret."""
    source = """
import os

AT_IMPORT = dict(os.environ)

def on_client_request():
    return [AT_IMPORT, dict(os.environ), sorted(os.environ), "KEY" in os.environ, os.getenv("KEY", "none")]
"""
    sandboxes.publish("unset", source, environment={"STAGE": "live"}, secrets=("KEY",))
    plain = {"STAGE": "live"}
    assert json.loads(sandboxes.ask("unset", GET).text) == [plain, plain, ["STAGE"], False, "none"]


WAITS = """
import queue
import threading

def held(lock):
    lock.acquire()
    return lock

def ends(wait, *arguments):
    try:
        return wait(*arguments)
    except (RuntimeError, queue.Empty) as error:
        return str(error)

def waits():
    endless = [threading.Thread(target=print).start, threading.Event().wait, queue.Queue().get, queue.SimpleQueue().get,
               threading.Barrier(2).wait, threading.Semaphore(0).acquire, held(threading.Lock()).acquire,
               held(threading.Lock()).__enter__]
    return [
        ["one thread" in ends(wait) for _ in range(2) for wait in endless],
        [ends(held(threading.Lock()).acquire, True, 0.01), ends(queue.SimpleQueue().get, True, 0.01)],
        [ends(held(threading.Lock()).acquire, False), ends(queue.SimpleQueue().get, False)],
    ]

FROZEN = waits()

def on_client_request(path):
    return FROZEN if path == "/frozen" else waits()
"""


def test_threads_and_waits_without_an_end_raise(sandboxes: Sandboxes) -> None:
    """Where they would hang a process, in the innermost lock as well; a wait with a timeout ends with it."""
    sandboxes.publish("waits", WAITS)
    for target in ("/", "/frozen"):
        answer = json.loads(sandboxes.ask("waits", Request("GET", target, "")).text)
        assert answer == [[True] * 16, [False, ""], [False, ""]], target


# Hash seed -----------------------------------------------------------------------------------------------------------


def colliding_keys(count: int) -> list[str]:
    """Return keys whose hashes are alike in an interpreter with a known seed."""
    search = f"""
keys, number = [], 0
while len(keys) < {count}:
    number += 1
    if hash(f"key{{number}}") & 0xFFF == 7:
        keys.append(f"key{{number}}")
print(*keys)
"""
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run([sys.executable, "-c", search], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_keys_made_to_collide_under_another_seed_cost_nothing(sandboxes: Sandboxes) -> None:
    """The seed of the base is its own: keys that collide under a published one are like any others."""
    source = """
from keys import COLLIDING

def on_client_request():
    return str(len({hash(key) & 0xFFF for key in COLLIDING}))
"""
    keys = f"COLLIDING = {colliding_keys(60)!r}\n"
    sandboxes.publish("collisions", {"app.py": source, "keys.py": keys})
    assert int(sandboxes.ask("collisions", GET).text) > 50
