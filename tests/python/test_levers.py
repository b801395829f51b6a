"""Each thing that is done before a snapshot to make requests cheap, seen from inside of a sandbox or in its figures."""

import json

from tests.conftest import HELLO
from tests.python.programs import Request
from tests.python.sandbox import Sandboxes

GET = Request("GET", "/", "")


def ask(sandboxes: Sandboxes, name: str, source: str) -> object:
    """Serve a program, and return its JSON answer."""
    sandboxes.publish(name, source)
    return json.loads(sandboxes.ask(name, GET).text)


def test_what_is_there_at_freeze_is_immortal(sandboxes: Sandboxes) -> None:
    """The base's objects and the program's own; what a request makes is not."""
    source = """
import json
import sys

TABLE = {"a": [1.5, "text of its own", (1, 2)]}

class Own:
    def method(self):
        return 1

def on_client_request():
    there = [json, json.dumps, json.dumps.__code__, json.dumps.__code__.co_names, json.encoder.JSONEncoder, TABLE,
             TABLE["a"], TABLE["a"][0], TABLE["a"][1], TABLE["a"][2], Own, Own.method, Own.method.__code__,
             on_client_request.__code__.co_consts, sys.modules]
    return {"there": [sys._is_immortal(item) for item in there], "new": sys._is_immortal([1])}
"""
    assert ask(sandboxes, "immortal", source) == {"there": [True] * 15, "new": False}


def test_the_collector_does_not_visit_what_is_there_at_freeze(sandboxes: Sandboxes) -> None:
    """It would write to all of it."""
    source = """
import gc

KEPT = [[] for _ in range(1000)]

def on_client_request():
    return {"visited": len(gc.get_objects()), "tracked": gc.is_tracked(KEPT), "enabled": gc.isenabled()}
"""
    found = ask(sandboxes, "frozen", source)
    assert isinstance(found, dict)
    assert found["visited"] < 100
    assert (found["tracked"], found["enabled"]) == (False, True)


def test_byte_code_that_changes_when_it_is_first_run_is_changed(sandboxes: Sandboxes) -> None:
    """In a function that nobody has called, and it does what it says."""
    source = """
import opcode

ADAPTED = "RESUME RESUME_CHECK LOAD_CONST LOAD_CONST_IMMORTAL JUMP_BACKWARD JUMP_BACKWARD_NO_JIT".split()

def never_called():
    total = ""
    for part in "ab":
        total += part
    return total, 5.5

def on_client_request():
    names = {number: name for name, number in (opcode.opmap | opcode._specialized_opmap).items()}
    there = {names.get(operation) for operation in never_called.__code__._co_code_adaptive[::2]}
    return [sorted(there.intersection(ADAPTED)), never_called()]
"""
    expected = [["JUMP_BACKWARD_NO_JIT", "LOAD_CONST_IMMORTAL", "RESUME_CHECK"], ["ab", 5.5]]
    assert ask(sandboxes, "adapted", source) == expected


def test_code_that_is_watched_is_walked_as_it_is(sandboxes: Sandboxes) -> None:
    """Operations for debuggers and monitors have the caches of those that they replace, or are where walking ends."""
    source = """
import dis
import opcode
import sys
from dayfly.guest import levers

def watched(number):
    total, made = 0, []
    for part in range(number):
        total += len(str(part)) if part else super(object, made).__sizeof__() * 0
        made.append(total)
    return total

def traced(number):
    return [watched(number), [part for part in range(number)]]

def on_init():
    events = sys.monitoring.events
    sys.monitoring.use_tool_id(3, "watcher")
    sys.monitoring.set_events(3, events.CALL | events.PY_RETURN | events.PY_START | events.JUMP | events.BRANCH_LEFT)
    watched(3)
    sys.settrace(lambda *_: None)
    traced(3)
    sys.settrace(None)
    watched(3)

def walked(code):
    caches, at, found = levers._operations()[1], 0, []
    while at < len(code) and caches[code[at]] != 255:
        found.append(at)
        at += 2 + 2 * caches[code[at]]
    return found

def on_client_request():
    octets = watched.__code__._co_code_adaptive
    names = {number: name for name, number in opcode.opmap.items()}
    found = walked(octets)
    kinds = {names.get(octets[at], "") for at in found}
    real = [instruction.offset for instruction in dis.get_instructions(watched)]
    ended = walked(traced.__code__._co_code_adaptive)
    return [found == real and len(ended) < 9, sorted(kinds), traced(3)]
"""
    found = ask(sandboxes, "watched", source)
    assert isinstance(found, list)
    right, kinds, result = found
    assert right
    assert {"INSTRUMENTED_CALL", "INSTRUMENTED_RESUME", "INSTRUMENTED_FOR_ITER"} <= set(kinds)
    assert result == [2, [0, 1, 2]]


def test_new_objects_lie_together(sandboxes: Sandboxes) -> None:
    """The heap has no holes: a hundred small objects are on few pages."""
    source = """
def on_client_request():
    made = [[number] for number in range(100)]
    return sorted({id(item) >> 12 for item in made})
"""
    pages = ask(sandboxes, "together", source)
    assert isinstance(pages, list)
    assert pages[-1] - pages[0] <= 3


def test_patterns_of_the_program_are_compiled_at_freeze(sandboxes: Sandboxes) -> None:
    """Those that stand as literals in its functions, whichever way `re` was imported; a wrong one raises when used."""
    source = r"""
import re
from re import sub

def on_client_request():
    there = sorted(pattern for _, pattern, *_ in re._cache)
    inner = lambda: re.findall("in(ner)?", "x")
    try:
        re.match("(", "x")
    except re.error as error:
        wrong = error.msg
    return [there, re.sub("[/ ]+", "-", "a/b"), sub(r"o\s", "", "o x"), inner(), wrong]
"""
    expected = [["[/ ]+", "in(ner)?", r"o\s"], "a-b", "x", [], "missing ), unterminated subpattern"]
    assert ask(sandboxes, "patterns", source) == expected


def test_code_that_requests_share_is_in_use(sandboxes: Sandboxes) -> None:
    """The first request of a program finds common code adapted to what commonly passes through it."""
    source = """
import json
import opcode

def on_client_request():
    at_once = ("RESUME", "LOAD_CONST")
    special = {number for name, number in opcode._specialized_opmap.items() if not name.startswith(at_once)}
    functions = [json.dumps, json.loads, json.JSONEncoder.encode, json.JSONDecoder.decode]
    return [not special.isdisjoint(function.__code__._co_code_adaptive[::2]) for function in functions]
"""
    assert ask(sandboxes, "in-use", source) == [True] * 4


def test_lines_of_source_are_at_hand_and_the_collector_is_patient(sandboxes: Sandboxes) -> None:
    """Without a file that is read, and without a search through what is thrown away soon."""
    source = """
import gc
import linecache

def on_client_request():
    return [linecache.cache["/app/app.py"][2][1], gc.get_threshold()[0]]
"""
    assert ask(sandboxes, "lines", source) == ["import gc\n", 20_000]


def test_a_request_of_hello_writes_few_pages(sandboxes: Sandboxes) -> None:
    """Pages decide what a request costs."""
    requests = 400
    sandboxes.publish("few-pages", 'def on_client_request():\n    return "text/plain", "hello"\n')
    for _ in range(requests):
        sandboxes.send("few-pages", GET)
    pages = sandboxes.core.stats()["tenants"]["few-pages"]["restored_pages"]
    assert pages <= 3 * requests


def test_loading_leaves_the_base_as_it_was_but_for_the_program(sandboxes: Sandboxes) -> None:
    """A page of a delta is one that the first request on a thread waits for."""
    deployed = sandboxes.publish("few-differ", HELLO)
    assert deployed.snapshot
    assert len(deployed.snapshot.image) // 4096 <= 80


def test_code_of_the_base_sees_what_a_program_changes_while_it_is_loaded(sandboxes: Sandboxes) -> None:
    """It runs before and after, and what it has counted meanwhile is undone."""
    source = """
import json
import re

ENCODE, COMPILE = json.encoder.JSONEncoder.encode, re._compile

def texts():
    return [json.dumps([1]), json.dumps([1], indent=1), re.sub("a", "b", "a"), type(json.loads("[1]")).__name__]

BEFORE = texts()

class Pattern:
    def sub(self, *_):
        return "substituted"

def on_init():
    for _ in range(300):
        texts()
    json.encoder.JSONEncoder.encode = lambda self, value: "encoded" if value == [1] else ENCODE(self, value)
    json.decoder.JSONDecoder.decode = lambda self, text: texts
    json.isinstance = lambda *_: True
    re._compile = lambda pattern, flags: Pattern() if pattern == "a" else COMPILE(pattern, flags)
    texts()

def on_client_request():
    return [BEFORE, texts()]
"""
    expected = [["[1]", "[\n 1\n]", "b", "list"], ["encoded", "encoded", "substituted", "function"]]
    assert ask(sandboxes, "changes", source) == expected
