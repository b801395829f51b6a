"""Parameters given by name: what a function may ask for, and the code that gives it exactly that.

The code is written for each function when the program is loaded, as `dataclasses` does it: a request then runs
nothing but the calls that its function needs.
"""

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from . import host
from .failure import failure
from .request import Cookies, Headers, Request, make_args, make_cookies, make_path
from .response import HTTPError, Reply, from_response, reply


class EntryError(Exception):
    """The program has nothing that a request can call; the text says what to do."""


@dataclass(frozen=True)
class Source:
    """Where the value of a parameter comes from."""

    part: int | None
    """The part of a request that it is made of; None if it asks the host itself."""
    takes: int
    value: str
    """An expression; `{}` stands for the part."""
    converted: tuple[int, Callable[..., object] | None]
    """The same for a host that does without expressions: a part and what makes the value of it."""


def _of(part: int, value: str = "{}", converter: Callable[[Any], object] | None = None) -> Source:
    return Source(part, host.TAKES[part], value, (part, converter))


def _headers() -> Headers:
    return Headers(host.fields())


def _cookies() -> Cookies:
    return make_cookies(Headers(host.fields()).all("cookie"))


SOURCES = {
    "request": Source(None, host.TAKES_ALL, "Request()", (host.NO_PART, Request)),
    "method": _of(host.METHOD),
    "path": Source(
        host.PATH,
        host.TAKES[host.PATH],
        "{0} if '%' not in {0} and {0}.isascii() else make_path({0})",
        (host.TEXT_OF_PATH, make_path),
    ),
    "query": _of(host.QUERY),
    "args": _of(host.QUERY, "make_args({})", make_args),
    "headers": Source(None, host.TAKES[host.HEADERS], "Headers(host.fields())", (host.NO_PART, _headers)),
    "cookies": Source(
        None,
        host.TAKES[host.HEADERS],
        "make_cookies(Headers(host.fields()).all('cookie'))",
        (host.NO_PART, _cookies),
    ),
    "body": _of(host.BODY),
    "client": _of(host.CLIENT),
    "scheme": _of(host.SCHEME),
    "host": _of(host.HOST),
    "mount": _of(host.MOUNT),
}
"""What a function may name among its parameters."""

ENTRY = """\
def entry({parameters}):
    try:
        value = {call}
        if type(value) is FunctionType:
            value = value()
        if type(value) is tuple and len(value) == 2 and type(value[0]) is str and type(value[1]) is str:
            return value
        return reply(value)
    except BaseException as raised:
        return failed(raised)
"""

CALL = """\
def call(values):
{parts}    return {call}
"""


@dataclass(frozen=True)
class Bound:
    """How a function is called."""

    takes: int
    parts: tuple[int, ...]
    """Parts of a request that the call is made of."""
    call: str
    """The expression; part n stands in it as `part_n`, a value of the path in `values`."""
    converted: tuple[tuple[int, Callable[..., object] | None], ...] | None
    """All arguments in order, as `Source` has them; None if the call is not that simple."""


def bind(function: Callable[..., object], known: Collection[str] = ()) -> Bound:
    """Find a source for each parameter; `known` are names whose values the path gives."""
    takes, parts, arguments, skipped = 0, [], [], False
    converted, is_simple = [], not is_asynchronous(function)
    for name, parameter in parameters_of(function).items():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        if name in known:
            value = f"values[{name!r}]"
            is_simple = False
        elif name in SOURCES:
            source = SOURCES[name]
            takes |= source.takes
            if source.part is not None and source.part not in parts:
                parts.append(source.part)
            value = source.value.format(f"part_{source.part}")
            converted.append(source.converted)
        elif parameter.default is not parameter.empty:
            skipped = True
            continue
        else:
            raise EntryError(
                f"`{name_of(function)}` has a parameter `{name}`, which is nothing that a request has; there are"
                f" {', '.join([*known, *SOURCES])}"
            )
        by_name = skipped or parameter.kind is parameter.KEYWORD_ONLY
        if skipped and parameter.kind is parameter.POSITIONAL_ONLY:
            raise cannot_be_given(function, name)
        arguments.append(f"{name}={value}" if by_name else value)
        is_simple &= not by_name
    if rest := rest_of(function, known):
        arguments.append("**{" + ", ".join(f"{name!r}: values[{name!r}]" for name in rest) + "}")
    call = f"function({', '.join(arguments)})"
    call = f"run({call})" if is_asynchronous(function) else call
    return Bound(takes, tuple(parts), call, tuple(converted) if is_simple else None)


def rest_of(function: Callable[..., object], known: Collection[str]) -> list[str]:
    """Return what `**` collects of the names whose values the path gives."""
    parameters = parameters_of(function)
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return []
    return [name for name in known if name not in parameters or parameters[name].kind is inspect.Parameter.VAR_KEYWORD]


def cannot_be_given(function: object, name: str) -> EntryError:
    """Say why, and what to do."""
    return EntryError(
        f"`{name_of(function)}` cannot be given `{name}`, which is positional and comes after a parameter that nothing"
        " gives; change their order, or take the `/` away"
    )


def parameters_of(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """Return what a function can be given; nothing if it does not say."""
    try:
        return dict(inspect.signature(function).parameters)
    except ValueError:
        return {}


def is_asynchronous(function: object) -> bool:
    """Tell whether a call gives a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - its kind is asked for


def name_of(function: object) -> str:
    """Return what a function is called in messages."""
    return str(getattr(function, "__name__", type(function).__name__))


def make_entry_of(bound: Bound, function: Callable[..., object]) -> Callable[..., Reply | str]:
    """Write the function that a request calls; its arguments are the bound parts, in order."""
    parameters = ", ".join(f"part_{part}" for part in bound.parts)
    return written(ENTRY.format(parameters=parameters, call=bound.call), "entry", function)


def make_call_of(bound: Bound, function: Callable[..., object]) -> Callable[[dict[str, object]], object]:
    """Write the function that a route calls, with the values of its path."""
    parts = "".join(f"    part_{part} = host.part({part})\n" for part in bound.parts)
    return written(CALL.format(parts=parts, call=bound.call), "call", function)


def written(source: str, name: str, function: Callable[..., object]) -> Callable[..., Any]:
    """Make a function of its source; nothing in it but names and expressions of the tables above."""
    names: dict[str, Any] = {
        "__name__": __name__,
        "FunctionType": FunctionType,
        "Headers": Headers,
        "Request": Request,
        "failed": failed,
        "function": function,
        "host": host,
        "make_args": make_args,
        "make_cookies": make_cookies,
        "make_path": make_path,
        "reply": reply,
    }
    if "run(" in source:
        from .asgi import run  # noqa: PLC0415 - only what is asynchronous needs the event loop

        names["run"] = run
    exec(compile(source, "<dayfly>", "exec"), names)  # noqa: S102 - our own source
    made: Callable[..., Any] = names[name]
    return made


def failed(raised: BaseException) -> Reply | str:
    """Make an answer of an HTTPError, and a text for the log of everything else."""
    if not isinstance(raised, HTTPError):
        return failure(raised)
    try:
        return from_response(raised.response())
    except Exception as error:  # noqa: BLE001 - the program chose what it is made of
        return failure(error)
