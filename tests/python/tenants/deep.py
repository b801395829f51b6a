"""Goes deep in every way that native code of the interpreter has; each ends right, or with an exception.

The path names ways, with `+` between them; the query says in which lane they are to run.
"""

import ast
import collections
import copy
import functools
import gc
import io
import itertools
import json
import marshal
import os
import pickle
import re
import time
import types
from xml.etree import ElementTree

DEPTH = 25_000
"""More than is destroyed before the rest is put off."""
LONG = 200_000
"""More than there is stack for."""
TOO_DEEP = (RecursionError, MemoryError, SyntaxError, ValueError)
"""What is raised: the last three are the parser's words for it, and those of `marshal`."""
ANOTHER = (TypeError, AttributeError, LookupError)
"""What a way raises that does not go deep with this object."""


def nested(make, value=None, depth=DEPTH):
    for _ in range(depth):
        value = make(value)
    return value


class Node:
    def __init__(self, inner):
        self.inner = inner


class Slotted:
    __slots__ = ("inner",)

    def __init__(self, inner):
        self.inner = inner


class Finalised(Node):
    def __del__(self):
        self.inner


class Sub(list):
    pass


class Asking(Node):
    """Whatever it is asked, it asks what it holds."""

    __eq__ = lambda self, other: self.inner == other.inner
    __lt__ = lambda self, other: self.inner < other.inner
    __hash__ = lambda self: hash(self.inner)
    __repr__ = lambda self: f"<{self.inner!r}>"
    __str__ = lambda self: str(self.inner)
    __format__ = lambda self, spec: format(self.inner, spec)
    __bool__ = lambda self: bool(self.inner)
    __len__ = lambda self: len(self.inner)
    __contains__ = lambda self, item: item in self.inner
    __getitem__ = lambda self, key: self.inner[key]
    __call__ = lambda self: self.inner()
    __iter__ = lambda self: iter(self.inner)
    __index__ = lambda self: range(9)[self.inner]
    __add__ = lambda self, other: self.inner + other


class Endless:
    """Whatever it is asked, it asks itself, by way of native code."""

    __getattr__ = lambda self, name: getattr(self, name + "x")
    __setattr__ = lambda self, name, value: setattr(self, name, value)
    __eq__ = lambda self, other: [self] == [other]
    __lt__ = lambda self, other: sorted([self, other])
    __hash__ = lambda self: hash((self,))
    __repr__ = lambda self: repr([self])
    __str__ = lambda self: "".join(map(str, [self]))
    __format__ = lambda self, spec: f"{self:x}"
    __bool__ = lambda self: not self
    __len__ = lambda self: len(self)
    __contains__ = lambda self, item: item in self
    __getitem__ = lambda self, key: self[key]
    __call__ = lambda self, *_: functools.reduce(self, [1, 2, 3])
    __iter__ = lambda self: iter(list(self))
    __index__ = lambda self: range(9)[self]
    __add__ = lambda self, other: sum([self, other], self)
    __iadd__ = lambda self, other: self.__iadd__(other)
    __reduce__ = lambda self: pickle.dumps(self)
    __deepcopy__ = lambda self, memo: copy.deepcopy(self)
    __enter__ = lambda self: self.__enter__()
    __instancecheck__ = lambda self, other: isinstance(other, self)
    own = property(lambda self: self.own)


class Missing(dict):
    __missing__ = lambda self, key: self[key + 1]


class Meta(type):
    __call__ = lambda cls: cls()


class Called(metaclass=Meta):
    pass


def closure(inner):
    return lambda: inner


def generator(inner):
    yield from inner or ()


def begun(inner):
    def steps():
        held = inner
        yield held

    made = steps()
    next(made)
    return made


def raised(inner):
    error = ValueError()
    error.__context__ = inner
    return error


def caught(kinds):
    try:
        raise ValueError
    except kinds:
        pass


def element(depth=DEPTH):
    top = inner = ElementTree.Element("a")
    for _ in range(depth):
        inner = ElementTree.SubElement(inner, "a")
    return top


def cycle():
    top = []
    top.append(nested(LIST, top))
    del top
    gc.collect()


def calls_itself(through):
    def call(*_):
        return through(call)

    return call


def tree(depth):
    inner = nested(lambda inner: ast.UnaryOp(ast.USub(), inner or ast.Constant(1)), depth=depth)
    return ast.fix_missing_locations(ast.Expression(inner)) if depth < DEPTH else ast.Expression(inner)


LIST = lambda value: [value]
TUPLE = lambda value: (value,)
CONTAINERS = {
    "list": LIST,
    "tuple": TUPLE,
    "dict": lambda value: {1: value},
    "frozenset": lambda value: frozenset([value]),
    "deque": lambda value: collections.deque([value], 1),
    "ordered": lambda value: collections.OrderedDict(a=value),
    "sub": lambda value: Sub([value]),
    "mixed": lambda value: {1: [(value,)]},
    "namespace": lambda value: types.SimpleNamespace(a=value),
    "proxy": lambda value: types.MappingProxyType({1: value}),
    "alias": lambda value: types.GenericAlias(list, value or int),
    "slice": slice,
    "error": ValueError,
    "group": lambda value: ExceptionGroup("x", [value or ValueError()]),
    "partial": lambda value: functools.partial(print, value),
    "node": Node,
    "asking": Asking,
}
ITERATORS = {
    "generator": generator,
    "map": lambda value: map(str, value or ()),
    "zip": lambda value: zip(value or ()),
    "filter": lambda value: filter(None, value or ()),
    "enumerate": lambda value: enumerate(value or ()),
    "chain": lambda value: itertools.chain(value or ()),
    "chained": lambda value: itertools.chain.from_iterable([value or ()]),
    "islice": lambda value: itertools.islice(value or (), 1),
    "cycle": lambda value: itertools.cycle(value or ()),
    "accumulate": lambda value: itertools.accumulate(value or ()),
    "groupby": lambda value: itertools.groupby(value or ()),
    "takewhile": lambda value: itertools.takewhile(bool, value or ()),
    "dropwhile": lambda value: itertools.dropwhile(bool, value or ()),
    "pairwise": lambda value: itertools.pairwise(value or ()),
    "batched": lambda value: itertools.batched(value or (), 1),
    "compress": lambda value: itertools.compress(value or (), [1]),
    "tee": lambda value: itertools.tee(value or ())[0],
}
OTHERS = {
    "slotted": Slotted,
    "finalised": Finalised,
    "closure": closure,
    "begun": begun,
    "raised": raised,
    "method": lambda value: types.MethodType(print, value or 1),
    "repeat": itertools.repeat,
    "iterator": lambda value: iter([value]),
    "reversed": lambda value: reversed([value]),
    "callable": lambda value: iter(value or print, 1),
    "cell": types.CellType,
    "property": property,
    "static": staticmethod,
    "class": classmethod,
    "values": lambda value: {1: value}.values(),
    "key": lambda value: functools.cmp_to_key(print)(value),
    "view": lambda value: memoryview(value or b"a"),
}
USES = {
    "repr": repr,
    "str": str,
    "hash": hash,
    "deepcopy": copy.deepcopy,
    "json": json.dumps,
    "indented": lambda value: json.dumps(value, indent=1),
    "pickle": pickle.dumps,
    "pickle_in_python": lambda value: pickle._Pickler(io.BytesIO()).dump(value),
    "marshal": marshal.dumps,
    "format": lambda value: f"{value}",
    "collect": lambda value: gc.collect(),
}
PROTOCOLS = {
    "bool": bool,
    "len": len,
    "list": list,
    "sum": lambda value: sum([1], value),
    "index": lambda value: range(9)[value],
    "call": lambda value: value(),
    "in": lambda value: 1 in value,
    "item": lambda value: value[5],
    "isinstance": lambda value: isinstance(1, value),
}
WAYS = {
    "brackets": lambda: json.loads("[" * LONG + "]" * LONG),
    "brackets_open": lambda: json.loads("[" * LONG),
    "braces": lambda: json.loads('{"a":' * LONG + "1" + "}" * LONG),
    "both": lambda: json.loads('[{"a":' * LONG + "1" + "}]" * LONG),
    "hook": lambda: json.loads('{"a":' * LONG + "1" + "}" * LONG, object_hook=lambda found: found),
    "hooks": calls_itself(lambda call: json.loads('{"a": 1}', object_pairs_hook=call)),
    "default": calls_itself(lambda call: json.dumps(object(), default=call)),
    "parentheses": lambda: eval("(" * LONG + ")" * LONG),
    "lists": lambda: eval("[" * 190 + "]" * 190),
    "minus": lambda: eval("-" * LONG + "1"),
    "not": lambda: eval("not " * LONG + "1"),
    "plus": lambda: eval("1" + "+1" * LONG),
    "attributes": lambda: eval("a" + ".a" * LONG),
    "calls": lambda: eval("a" + "()" * LONG),
    "items": lambda: eval("a" + "[0]" * LONG),
    "power": lambda: eval("1" + "**1" * LONG),
    "ternary": lambda: eval("1 if 1 else " * LONG + "1"),
    "lambda": lambda: eval("lambda: " * LONG + "1"),
    "f_string": lambda: eval("f'{" * LONG + "1" + "}'" * LONG),
    "specification": lambda: eval("f'{1:" + "{1:" * 100 + "}" * 100 + "}'"),
    "elif": lambda: exec("if 1:\n pass\n" + "elif 1:\n pass\n" * LONG),
    "case": lambda: exec("match 1:\n case " + "[" * 190 + "]" * 190 + ":\n  pass"),
    "tree": lambda: compile(tree(DEPTH), "x", "eval"),
    "tree_few": lambda: compile(tree(4_000), "x", "eval"),
    "dump": lambda: ast.dump(ast.parse("1" + "+1" * 4_000)),
    "unparse": lambda: ast.unparse(ast.parse("-" * 3_000 + "1")),
    "literal": lambda: ast.literal_eval("-" * LONG + "1"),
    "groups": lambda: re.compile("(" * LONG + ")" * LONG),
    "groups_few": lambda: re.compile("(?:" * 2_000 + ")" * 2_000),
    "repeats": lambda: re.match("(?:(?:a?)*)*", "a" * LONG),
    "branches": lambda: re.match("(?:a|b|(?:c))*?d", "abc" * LONG),
    "substitutes": calls_itself(lambda call: re.sub("a", call, "a")),
    "unpickle": lambda: pickle.loads(b"]" * LONG + b"a" * (LONG - 1) + b"."),
    "unpickle_hash": lambda: pickle.loads(b"}N" + b"\x85" * LONG + b"Ns."),
    "unmarshal": lambda: marshal.loads(b"[\1\0\0\0" * LONG + b"N"),
    "unmarshal_tuples": lambda: marshal.loads(b")\1" * LONG + b"N"),
    "let_go_long": lambda: nested(LIST, depth=LONG) and None,
    "let_go_long_tuple": lambda: nested(TUPLE, depth=LONG) and None,
    "cycle": cycle,
    "split": lambda: nested(CONTAINERS["group"]).split(TypeError),
    "partials": lambda: nested(lambda value: functools.partial(value or print))(),
    "methods": lambda: nested(lambda value: types.MethodType(value or print, 1))(),
    "union": lambda: repr(functools.reduce(lambda a, b: a | list[b], [int] * 2_000)),
    "eq_long": lambda: nested(TUPLE, depth=LONG) == nested(TUPLE, depth=LONG),
    "lt_long": lambda: nested(TUPLE, depth=LONG) < nested(TUPLE, depth=LONG),
    "isinstance": lambda: isinstance(1, nested(TUPLE, str)),
    "issubclass": lambda: issubclass(int, nested(TUPLE, str)),
    "except": lambda: caught(nested(TUPLE, KeyError)),
    "element": element,
    "element_copy": lambda: copy.deepcopy(element()),
    "element_text": lambda: ElementTree.tostring(element()),
    "element_iter": lambda: list(element().iter()),
    "element_find": lambda: element().findall(".//b"),
    "xml": lambda: ElementTree.fromstring("<a>" * DEPTH + "</a>" * DEPTH),
    "sort": calls_itself(lambda call: sorted([1, 2], key=call)),
    "compare": calls_itself(lambda call: sorted([1, 2], key=functools.cmp_to_key(call))),
    "mapped": calls_itself(lambda call: list(map(call, [1]))),
    "reduced": calls_itself(lambda call: functools.reduce(call, [1, 2])),
    "maximum": calls_itself(lambda call: max([1, 2], key=call)),
    "partial": calls_itself(lambda call: functools.partial(call, 1)()),
    "cached": calls_itself(lambda call: functools.lru_cache(call)()),
    "typed": calls_itself(lambda call: type("T", (), {"__init_subclass__": call}) and type("S", (call(),), {})),
    "imported": calls_itself(lambda call: __import__("functools").reduce(call, [1, 2])),
    "evaluated": calls_itself(lambda call: eval("call()", {"call": call})),
    "bases": lambda: nested(lambda value: type("T", (value or object,), {}), depth=200),
    "missing": lambda: Missing()[1],
    "metaclass": Called,
    "getattr": lambda: Endless().a,
    "setattr": lambda: setattr(Endless(), "a", 1),
    "property": lambda: Endless().own,
    "eq": lambda: Endless() == Endless(),
    "lt": lambda: Endless() < Endless(),
    "iadd": lambda: Endless().__iadd__(1),
    "enter": lambda: Endless().__enter__(),
    **{f"endless_{use}": functools.partial(function, Endless()) for use, function in (USES | PROTOCOLS).items()},
}
FREED = CONTAINERS | ITERATORS | OTHERS
WAYS |= {f"let_go_{name}": functools.partial(lambda make: nested(make) and None, make) for name, make in FREED.items()}
WAYS |= {f"next_{name}": functools.partial(lambda make: list(nested(make)), make) for name, make in ITERATORS.items()}
WAYS |= {
    f"{use}_{name}": functools.partial(lambda function, make: function(nested(make)), function, make)
    for use, function in USES.items()
    for name, make in CONTAINERS.items()
    if use not in ("str", "format") or name in ("error", "node", "asking")
}
WAYS |= {
    f"{use}_asking": functools.partial(lambda function: function(nested(Asking)), function)
    for use, function in PROTOCOLS.items()
}
WAYS |= {
    f"{use}_long_{name}": functools.partial(lambda function, make: function(nested(make, depth=LONG)), function, make)
    for use, function in USES.items()
    for name, make in (("list", LIST), ("tuple", TUPLE))
    if use not in ("str", "format", "deepcopy")
}
WAYS |= {f"eq_{name}": functools.partial(lambda make: nested(make) == nested(make), make) for name, make in CONTAINERS.items()}
WAYS |= {
    f"lt_{name}": functools.partial(lambda make: nested(make) < nested(make), make)
    for name, make in CONTAINERS.items()
    if name in ("list", "tuple", "deque", "asking")
}
FROZEN = {}


def ending(way):
    """Return "right", or the name of the exception."""
    try:
        WAYS[way]()
    except ANOTHER:
        return "right"
    except TOO_DEEP as error:
        return type(error).__name__
    return "right"


def on_init():
    for way in os.environ.get("FREEZE", "").split():
        FROZEN[way] = ending(way)


def on_client_request(path, query):
    if path == "/":
        return list(WAYS)
    if path == "/frozen":
        return FROZEN
    if query == "overflow":
        sum(range(500_000))
    if query == "blocking":
        time.sleep(0.001)
    return {way: ending(way) for way in path[1:].split("+")}
