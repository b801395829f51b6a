"""From a program's module to the one function that a request calls."""

from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from . import first_request, host, routes
from .arguments import EntryError, bind, failed, is_asynchronous, make_entry_of, name_of, parameters_of
from .response import Reply, reply

__all__ = ["Entry", "EntryError", "make_entry"]

ASGI_PARAMETERS = 3
"""scope, receive, send; those of WSGI are two."""


class Entry(NamedTuple):
    """What the host calls for a request."""

    call: Callable[..., Reply | str]
    """Returns `(content type, body)`, `(status, content type, fields, body)`, or a traceback; never raises."""
    takes: int
    """The parts of a request that the program wants, as the sum that the guest ABI says."""
    parts: tuple[int, ...]
    """Those of them that are arguments of the call."""
    interface: str
    """`handler`, `routes`, `wsgi` or `asgi`."""
    direct: "Direct | None" = None
    """For a host that does without `call`, which is code that no request has warmed."""


class Direct(NamedTuple):
    """A program's own function, and what makes of it what `call` is."""

    function: Callable[..., object]
    parts: tuple[int, ...]
    """Its arguments; `host.TEXT_OF_PATH` and `host.NO_PART` are among them."""
    finish: Callable[[object], Reply]
    """Makes an answer of what it returns, or of what a function that it returns gives, unless that is `(str, str)`."""
    failed: Callable[[BaseException], Reply | str]
    """Makes an answer of what it raises."""
    converters: tuple[Callable[..., object] | None, ...]
    """Makes an argument of each part."""


def make_entry(module: ModuleType) -> Entry:
    """Find out what a program is. The start-up of an ASGI app runs here, once.

    Raises `EntryError` if there is nothing to call, or what there is asks for what no request has.
    """
    if host.is_sandbox:
        _prepare_sandbox()
    entry = find_entry(module)
    if host.is_sandbox:
        first_request.spare()
    return entry


def find_entry(module: ModuleType) -> Entry:
    """Look at what a module has, in the order that is documented."""
    function = getattr(module, "on_client_request", None)
    if function is not None:
        return of_function(function)
    for name in ("app", "application"):
        app = getattr(module, name, None)
        if app is not None:
            return of_app(app, name)
    if routes.default:
        return of_router(routes.default)
    raise EntryError(
        f'`{module.__name__}` has neither a function `on_client_request`, nor an `app`, nor a route such as `@get("/")`'
    )


def _prepare_sandbox() -> None:
    """Have everything that would start a thread or open a selector do without."""
    from . import inline, loop  # noqa: PLC0415 - this program's sandbox, not a developer's machine

    inline.install()
    loop.install()


def of_function(function: object) -> Entry:
    """`on_client_request`, with parameters by name."""
    if not callable(function):
        raise EntryError("`on_client_request` is no function")
    bound = bind(function)
    direct = None
    if bound.converted is not None:
        parts, converters = zip(*bound.converted, strict=True) if bound.converted else ((), ())
        direct = Direct(function, parts, reply, failed, converters)
    return Entry(make_entry_of(bound, function), bound.takes, bound.parts, "handler", direct)


def of_router(router: routes.Router) -> Entry:
    """Routes, each with parameters by name."""
    takes, call = router.make_entry()
    return Entry(call, takes, (host.METHOD, host.PATH), "routes")


def of_app(app: object, name: str) -> Entry:
    """Tell what kind of object a framework made."""
    if isinstance(app, routes.Router):
        return of_router(app)
    if not callable(app):
        raise EntryError(f"`{name}` is neither a router nor a WSGI or ASGI application")
    if is_asgi(app):
        from .asgi import make_asgi  # noqa: PLC0415 - only what is asynchronous needs the event loop

        return Entry(make_asgi(app), host.TAKES_ALL, APP_PARTS, "asgi")
    from .wsgi import make_wsgi  # noqa: PLC0415 - likewise

    return Entry(make_wsgi(app), host.TAKES_ALL, APP_PARTS, "wsgi")


APP_PARTS = (host.METHOD, host.PATH, host.QUERY, host.CLIENT, host.SCHEME, host.HOST, host.MOUNT)
"""What both kinds of application are told in any case."""


def is_asgi(app: Callable[..., object]) -> bool:
    """Tell the two kinds of application apart: one is awaited, or has three parameters."""
    if is_asynchronous(app):
        return True
    required = [
        parameter
        for parameter in parameters_of(app).values()
        if parameter.default is parameter.empty and parameter.kind in {0, 1}
    ]
    if len(required) == 1:
        raise EntryError(f"`{name_of(app)}` has one parameter; a WSGI application has two, one of ASGI 3 has three")
    return len(required) == ASGI_PARAMETERS
