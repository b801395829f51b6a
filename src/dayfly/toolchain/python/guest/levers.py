"""How memory is arranged before it becomes a snapshot, so that requests write few pages.

Four levers: objects that are there for good never have their references counted; byte code that changes when it is
first run is changed; the heap has no holes, so that new objects lie together; and free lists hold pieces of its top.
What they gain is in docs/python-tier.md.
"""

import gc
import opcode
import sys
import types
from typing import Any

_CODE_PARTS = (
    *("co_consts", "co_names", "co_filename", "co_name", "co_qualname", "co_linetable", "co_exceptiontable"),
    *("co_varnames", "co_freevars", "co_cellvars"),
)
"""Fields of code objects, which the collector does not visit. The last three are made anew by each look at them."""

_AT_ONCE = {
    "JUMP_BACKWARD": "JUMP_BACKWARD_NO_JIT",
    "LOAD_CONST": "LOAD_CONST_IMMORTAL",
    "RESUME": "RESUME_CHECK",
}
"""Operations that become others when they are first run, whatever they work on, and what they become here."""

_IN_THE_PLACE_OF_OTHERS = ("INSTRUMENTED_LINE", "INSTRUMENTED_INSTRUCTION", "ENTER_EXECUTOR")
"""Operations that do not say what they stand for: debuggers put the first two there. Code is left alone from there."""
_UNKNOWN = 255

_REQUESTS = 64

_THRESHOLD = 20_000
"""New objects before the collector looks for cycles: memory that is thrown away soon is seldom worth the search."""

_kept: list[list[Any]] = []
"""What is immortal must stay alive: writing to freed memory would corrupt the heap. One list for each snapshot."""


def immortalise(host: Any) -> None:
    """Make every object immortal that can be reached and was not before."""
    gc.collect()
    if not _kept:
        gc.unfreeze()  # the first time, what the builder froze is visited as well
    found = _mortal()
    _kept.append(found)
    host.immortalise(found)
    host.adapt(found, types.CodeType.__basicsize__, *_operations())
    gc.collect()  # the collector drops what is immortal from its lists
    gc.freeze()
    gc.set_threshold(_THRESHOLD)


def _operations() -> tuple[bytes, bytes]:
    """Return, by number, what each operation becomes, and how many caches follow it."""
    numbers = opcode.opmap | opcode._specialized_opmap  # type: ignore[attr-defined] # since 3.13
    general = {name: kind for kind, names in opcode._specializations.items() for name in names}  # type: ignore[attr-defined] # likewise
    changed, caches = bytearray(range(256)), bytearray(256)
    for name, number in numbers.items():
        if number < len(caches):
            plain = name.removeprefix("INSTRUMENTED_")
            caches[number] = opcode._inline_cache_entries.get(general.get(plain, plain), 0)  # type: ignore[attr-defined] # likewise
    for name in _IN_THE_PLACE_OF_OTHERS:
        caches[numbers[name]] = _UNKNOWN
    for before, after in _AT_ONCE.items():
        changed[numbers[before]] = numbers[after]
    return bytes(changed), bytes(caches)


def _mortal() -> list[Any]:
    immortal = sys._is_immortal  # type: ignore[attr-defined] # since 3.14
    seen: dict[int, Any] = {}
    todo = gc.get_objects()
    while todo:
        new = []
        for item in todo:
            if id(item) not in seen and not immortal(item):
                seen[id(item)] = item
                new.append(item)
        todo = gc.get_referents(*new)
        for item in new:
            if type(item) is types.CodeType:
                todo += [getattr(item, part) for part in _CODE_PARTS[:-3]]
    own = (seen, todo, new) if seen else ()
    for item in own:
        seen.pop(id(item), None)
    return list(seen.values())


def requests() -> None:
    """Run the shapes of requests that programs without a framework have."""
    for _ in range(_REQUESTS):
        _request()
        _request_with_parts("/", "a=b")


def _request() -> tuple[str, str]:
    def generator() -> tuple[str, str]:
        return "text/plain", "x"

    answer = _program(generator)
    if callable(answer):
        answer = answer()
    return answer  # type: ignore[return-value] # it is a pair


def _request_with_parts(path: str, query: str) -> tuple[str, str]:
    return "text/plain", path + query


def _program(generator: object) -> object:
    return generator
