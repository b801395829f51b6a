"""Routes by decorator, for programs without a framework.

    @get("/items/{id:int}")
    def item(id): ...

A path that no route has is a 404, one that has no route for the method a 405 that says which it has. GET also answers
HEAD, and OPTIONS is answered for all paths; a route of their own comes first.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from . import host
from .arguments import ENTRY, EntryError, bind, make_call_of, name_of, parameters_of, written
from .request import make_path
from .response import HTTPError, Reply, Response

Function = TypeVar("Function", bound=Callable[..., Any])


def finite(text: str) -> float:
    """Return a number. Raises ValueError for one that is too large."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{number} is no number")
    return number


CONVERTERS: dict[str, tuple[str, Callable[[str], object] | None]] = {
    "str": ("[^/]+", None),
    "path": (".+", None),
    "int": ("-?[0-9]+", int),
    "float": (r"-?[0-9]+(?:\.[0-9]+)?", finite),
    "uuid": ("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", UUID),
}
"""What may stand after the colon of a placeholder."""

ANNOTATIONS = {
    int: "int",
    "int": "int",
    float: "float",
    "float": "float",
    UUID: "uuid",
    "UUID": "uuid",
    "uuid.UUID": "uuid",
}
"""The converter of a placeholder that names none, by the annotation of its parameter."""

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Route:
    """A function and where it answers."""

    pattern: str
    methods: tuple[str, ...]
    function: Callable[..., Any]


@dataclass
class Place:
    """All that answers at one pattern."""

    calls: dict[str, Callable[[dict[str, object]], object]] = field(default_factory=dict)
    """By method."""
    names: dict[str, str] = field(default_factory=dict)
    """Of the functions, likewise."""

    def call_for(self, method: str) -> Callable[[dict[str, object]], object] | None:
        """Return what answers a method; the function for GET answers HEAD if no other does."""
        call = self.calls.get(method)
        return self.calls.get("GET") if call is None and method == "HEAD" else call


@dataclass
class Pattern:
    """A path with placeholders."""

    expression: re.Pattern[str]
    converters: dict[str, Callable[[str], object]]
    place: Place

    def match(self, path: str) -> dict[str, object] | None:
        """Return the values of the placeholders; a number that Python does not take is none."""
        found = self.expression.fullmatch(path)
        if found is None:
            return None
        values: dict[str, object] = found.groupdict()
        try:
            for name, convert in self.converters.items():
                values[name] = convert(found[name])
        except ValueError:
            return None
        return values


class Router:
    """Routes, in the order in which they were written; a path without placeholders comes before those with.

    The first whose path matches and that has the method answers.
    """

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def __bool__(self) -> bool:
        return bool(self.routes)

    def route(self, pattern: str, methods: Iterable[str] = ("GET",)) -> Callable[[Function], Function]:
        """Have a function answer at a path, for these methods."""
        if not pattern.startswith("/"):
            raise ValueError(f"the path `{pattern}` does not begin with `/`")

        names = tuple(method.upper() for method in ([methods] if isinstance(methods, str) else methods))

        def decorate(function: Function) -> Function:
            compile_pattern(pattern, function)
            self.routes.append(Route(pattern, names, function))
            return function

        return decorate

    def get(self, pattern: str) -> Callable[[Function], Function]:
        """Have a function answer GET, and HEAD, at a path."""
        return self.route(pattern, ["GET"])

    def post(self, pattern: str) -> Callable[[Function], Function]:
        """Have a function answer POST at a path."""
        return self.route(pattern, ["POST"])

    def put(self, pattern: str) -> Callable[[Function], Function]:
        """Have a function answer PUT at a path."""
        return self.route(pattern, ["PUT"])

    def patch(self, pattern: str) -> Callable[[Function], Function]:
        """Have a function answer PATCH at a path."""
        return self.route(pattern, ["PATCH"])

    def delete(self, pattern: str) -> Callable[[Function], Function]:
        """Have a function answer DELETE at a path."""
        return self.route(pattern, ["DELETE"])

    def head(self, pattern: str) -> Callable[[Function], Function]:
        """Have a function answer HEAD at a path, in place of the one for GET."""
        return self.route(pattern, ["HEAD"])

    def options(self, pattern: str) -> Callable[[Function], Function]:
        """Have a function answer OPTIONS at a path, in place of the list of methods."""
        return self.route(pattern, ["OPTIONS"])

    def make_entry(self) -> tuple[int, Callable[[str, str], Reply | str]]:
        """Return what the routes take of a request, and the function that is called with method and raw path."""
        takes, fixed, patterns = self._places()

        def dispatch(method: str, path: str) -> object:
            if "%" in path or not path.isascii():
                path = make_path(path)
            here = []
            place = fixed.get(path)
            if place is not None:
                call = place.call_for(method)
                if call is not None:
                    return call({})
                here.append(place)
            for pattern in patterns:
                values = pattern.match(path)
                if values is not None:
                    call = pattern.place.call_for(method)
                    if call is not None:
                        return call(values)
                    here.append(pattern.place)
            return without_function(method, here)

        source = ENTRY.format(parameters="method, path", call="function(method, path)")
        return takes, written(source, "entry", dispatch)

    def _places(self) -> tuple[int, dict[str, Place], list[Pattern]]:
        takes = host.TAKES[host.METHOD] | host.TAKES[host.PATH]
        places: dict[str, Place] = {}
        fixed: dict[str, Place] = {}
        patterns: list[Pattern] = []
        for route in self.routes:
            expression, converters = compile_pattern(route.pattern, route.function)
            bound = bind(route.function, tuple(expression.groupindex))
            takes |= bound.takes
            place = places.get(expression.pattern)
            if place is None:
                place = places[expression.pattern] = Place()
                if expression.groups:
                    patterns.append(Pattern(expression, converters, place))
                else:
                    fixed[route.pattern] = place
            add(place, route, make_call_of(bound, route.function))
        return takes, fixed, patterns


def without_function(method: str, here: list[Place]) -> Response:
    """Say what there is to ask where no function answers the method."""
    if not here:
        raise HTTPError(404, "there is nothing at this path")
    methods = {"OPTIONS"}.union(*(place.calls for place in here))
    allow = {"Allow": ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))}
    if method == "OPTIONS":
        return Response("", 204, allow)
    raise HTTPError(405, f"{method} is not for this path", allow)


def add(place: Place, route: Route, call: Callable[[dict[str, object]], object]) -> None:
    """Put a function in its place, which must be free."""
    for method in route.methods:
        if method in place.calls:
            raise EntryError(
                f"`{name_of(route.function)}` and `{place.names[method]}` both answer {method} {route.pattern}"
            )
        place.calls[method] = call
        place.names[method] = name_of(route.function)


def compile_pattern(
    pattern: str, function: Callable[..., object]
) -> tuple[re.Pattern[str], dict[str, Callable[[str], object]]]:
    """Make an expression of a path with placeholders, and find how their values are converted."""
    parameters = parameters_of(function)
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    named = {name for name, parameter in parameters.items() if parameter.kind is not parameter.VAR_POSITIONAL}
    pieces = PLACEHOLDER.split(pattern)
    names: set[str] = set()
    converters: dict[str, Callable[[str], object]] = {}
    expression = []
    for number, piece in enumerate(pieces):
        if number % 2 == 0:
            if "{" in piece or "}" in piece:
                raise ValueError(f"the braces of `{pattern}` do not match")
            expression.append(re.escape(piece))
            continue
        name, _, kind = piece.partition(":")
        if not name.isidentifier() or name in names:
            raise ValueError(f"the placeholder `{name}` of `{pattern}` is no name in Python, or is there twice")
        names.add(name)
        if name not in named and not takes_any:
            raise ValueError(f"`{pattern}` has a placeholder `{name}`, `{name_of(function)}` has no such parameter")
        kind = kind or ANNOTATIONS.get(getattr(parameters.get(name), "annotation", str), "str")
        if kind not in CONVERTERS:
            raise ValueError(f"`{kind}` in `{pattern}` is none of {', '.join(CONVERTERS)}")
        matches, convert = CONVERTERS[kind]
        expression.append(f"(?P<{name}>{matches})")
        if convert is not None:
            converters[name] = convert
    return re.compile("".join(expression), re.DOTALL), converters


default = Router()
"""The router of the functions below: every program has one."""

route = default.route
get = default.get
post = default.post
put = default.put
patch = default.patch
delete = default.delete
head = default.head
options = default.options
