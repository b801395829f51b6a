"""Spoils everything that a program can reach; what it finds before it begins is its answer.

The query names a part of the modules and classes to look at and to spoil, `PART/PARTS`; without it, all of them.
"""

import builtins
import gc
import hashlib
import os
import random
import sys
from types import FunctionType, ModuleType

count = 0
things = {"list": [1, 2], "dict": {"a": 1}, "set": {1}}


class Own:
    value = 1

    def method(self):
        return self.value


def on_init():
    with open("/tmp/kept", "w") as file:
        file.write("from on_init")


def files():
    tops = ("/tmp", "/app", "/etc")
    return sorted(os.path.join(at, name) for top in tops for at, _, names in os.walk(top) for name in names)


def modules_of(part, parts):
    modules = [module for _, module in sorted(sys.modules.items()) if isinstance(module, ModuleType)]
    return [module for number, module in enumerate(modules) if number % parts == part]


def classes_of(part, parts):
    classes = object.__subclasses__()
    return [kind for number, kind in enumerate(classes) if number % parts == part]


def found(part, parts):
    """Describe the world, in a form that is the same as long as nothing has changed."""
    world = [
        count,
        things,
        Own().method(),
        sorted(vars(builtins)),
        sorted(os.environ.items()),
        [(name, open(name, "rb").read()) for name in files()],
        len(sys.modules),
        [(module.__name__, sorted(vars(module))) for module in modules_of(part, parts)],
        [(kind.__module__, kind.__qualname__, sorted(vars(kind))) for kind in classes_of(part, parts)],
        sys.path,
        len(sys.meta_path),
        sys.getrecursionlimit(),
        os.getcwd(),
        gc.get_threshold(),
        gc.isenabled(),
        random.Random(5).random(),
    ]
    return hashlib.sha256(repr(world).encode()).hexdigest()


def spoil(part, parts, skipped):
    global count
    count += 1
    things["list"].append(count)
    things["more"] = {count: object()}
    Own.value = "spoilt"
    spoil_system()
    for kind in classes_of(part, parts):
        spoil_class(kind)
    modules = modules_of(part, parts)
    for module in modules:
        if not survives(module):
            spoil_module(module, skipped)
    for module in modules:
        if not survives(module):
            sys.modules.pop(module.__name__, None)
    if part == 0:
        for name in list(vars(builtins)):
            if name not in skipped and not name.startswith("__"):
                setattr(builtins, name, None)


def survives(module):
    """Say whether an answer could not be given without it."""
    return module.__name__ in SURVIVORS or module.__name__.startswith("dayfly.handler")


def spoil_system():
    os.environ["SPOILT"] = "yes"
    os.environ.pop("PLAIN", None)
    for number in range(3):
        with open(f"/tmp/spoilt{number}", "w") as file:
            file.write("x" * 1000)
    open("/tmp/kept", "w").close()
    os.chdir("/tmp")
    sys.setrecursionlimit(5000)
    gc.set_threshold(100, 2, 2)
    gc.disable()
    random.seed(1)
    sys.path.insert(0, "/tmp")
    del sys.meta_path[2:]
    sys.stdout.level = 4


def spoil_class(kind):
    try:
        kind.spoilt = count
        kind.__doc__ = "spoilt"
    except (TypeError, AttributeError):
        pass


def spoil_module(module, skipped):
    names = vars(module)
    for attribute, value in list(names.items()):
        if attribute.startswith("__") or attribute in skipped:
            continue
        if isinstance(value, type):
            spoil_class(value)
        elif isinstance(value, FunctionType):
            spoil_function(value)
        elif isinstance(value, list):
            value.append("spoilt")
        elif isinstance(value, dict):
            value["spoilt"] = count
        names[attribute] = None
    names["spoilt"] = count


def spoil_function(function):
    function.__defaults__ = None
    function.__dict__["spoilt"] = count
    if not function.__closure__ and function.__code__.co_flags & PLAIN == 3:
        function.__code__ = nothing.__code__


def nothing(*args, **kwargs):
    return None


def on_client_request(query):
    part, _, parts = query.partition("/")
    place = (int(part), int(parts)) if parts else (0, 1)
    caller = sys._getframe().f_code
    answer = "text/plain", found(*place)
    spoil(*place, {*caller.co_names, *caller.co_varnames, *NEEDED})
    return answer


PLAIN = 3 | 0x20 | 0x80 | 0x200  # optimised, new locals; no generator or coroutine
SURVIVORS = ("app", "builtins", "sys", "__main__")
NEEDED = "list vars setattr isinstance type str bytes tuple dict len callable TypeError AttributeError".split()
