"""Spoils everything that a program can reach, a part of it in each request; what it finds before is its answer.

The query is the number of the part. Whatever one request has changed, the next one finds as it was frozen.
"""

import builtins
import gc
import hashlib
import os
import random
import sys
from types import FunctionType, ModuleType

PARTS = 500
BUILTIN_PARTS = 50
SURVIVORS = ("app", "builtins", "sys", "__main__")
NEEDED = set("list vars isinstance type str bytes tuple dict len callable TypeError AttributeError".split())
"""Of the builtins, by what turns the answer into octets."""
PLAIN = 3 | 0x20 | 0x80 | 0x200  # optimised, new locals; no generator or coroutine

count = 0
things = {"list": [1, 2], "dict": {"a": 1}, "set": {1}}
names, classes, modules = [], [], []


class Own:
    value = 1


def on_init():
    """Look for what there is: once, because it takes longer than a request."""
    with open("/tmp/kept", "w") as file:
        file.write("from on_init")
    for name, module in sorted(sys.modules.items()):
        if isinstance(module, ModuleType) and not survives(name):
            modules.append(name)
            names.extend((module, attribute) for attribute in sorted(vars(module)) if not attribute.startswith("__"))
    waiting = [object]
    known = {object}
    while waiting:
        for kind in type.__subclasses__(waiting.pop()):
            if kind not in known:
                known.add(kind)
                waiting.append(kind)
                classes.append(kind)


def survives(name):
    """Say whether an answer could not be given without this module."""
    return name in SURVIVORS or name.startswith("dayfly")


def on_client_request(query):
    part = int(query)
    answer = found(part)
    spoil(part)
    return answer


def found(part):
    """Describe this part of the world, down to where its objects lie."""
    world = [
        count,
        things,
        Own.value,
        sorted(os.environ.items()),
        sorted(os.listdir("/tmp")),
        open("/tmp/kept").read(),
        sys.path,
        len(sys.modules),
        len(sys.meta_path),
        sys.getrecursionlimit(),
        os.getcwd(),
        gc.isenabled(),
        random.Random(5).random(),
        [(module.__name__, attribute, described(vars(module).get(attribute))) for module, attribute in mine(names, part)],
        [(kind.__qualname__, described(kind)) for kind in mine(classes, part)],
        [(name, id(sys.modules.get(name))) for name in mine(modules, part)],
        [(name, id(value)) for name, value in sorted(vars(builtins).items())],
    ]
    return hashlib.sha256(repr(world).encode()).hexdigest()


def mine(every, part, parts=PARTS):
    return every[part::parts]


def described(value):
    size = len(value) if isinstance(value, (dict, list, set, tuple, str, bytes)) else None
    if isinstance(value, type):
        size = sorted(type.__dict__["__dict__"].__get__(value))
    if isinstance(value, FunctionType):
        size = value.__defaults__, value.__code__.co_name, len(value.__dict__)
    return type(value).__name__, id(value), size


def spoil(part):
    global count
    count += 1
    things["list"].append(count)
    things["more"] = {count: object()}
    Own.value = "spoilt"
    os.environ["SPOILT"] = "yes"
    os.environ.pop("PLAIN", None)
    with open("/tmp/kept", "w") as file:
        file.write("x" * 1000)
    open("/tmp/spoilt", "w").close()
    os.chdir("/tmp")
    sys.setrecursionlimit(5000)
    gc.disable()
    random.seed(1)
    sys.path.insert(0, "/tmp")
    del sys.meta_path[2:]
    for kind in mine(classes, part):
        spoil_class(kind)
    for module, attribute in mine(names, part):
        spoil_value(vars(module).get(attribute))
        vars(module)[attribute] = None
    for name in mine(modules, part):
        sys.modules.pop(name, None)
    for name in mine(sorted(vars(builtins)), part % BUILTIN_PARTS, BUILTIN_PARTS):
        if not name.startswith("__") and name not in NEEDED:
            vars(builtins)[name] = None


def spoil_value(value):
    if isinstance(value, type):
        spoil_class(value)
    elif isinstance(value, FunctionType):
        value.__defaults__ = None
        value.__dict__["spoilt"] = count
        if not value.__closure__ and value.__code__.co_flags & PLAIN == 3:
            value.__code__ = nothing.__code__
    elif isinstance(value, list):
        value.append("spoilt")
    elif isinstance(value, dict):
        value["spoilt"] = count


def spoil_class(kind):
    try:
        kind.spoilt = count
        kind.__doc__ = "spoilt"
    except (TypeError, AttributeError):
        pass


def nothing(*args, **kwargs):
    return None
