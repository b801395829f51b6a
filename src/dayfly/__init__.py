"""An HTTP server for many untrusted tenants: a new sandbox for every request.

What programs import from here is defined in `dayfly.handler` and looked up when it is asked for, so that neither
the command line nor a sandbox pays for the other's half.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dayfly.handler import (
        Args,
        Cookies,
        File,
        Form,
        Headers,
        HTTPError,
        Request,
        Response,
        Router,
        delete,
        get,
        head,
        options,
        patch,
        post,
        put,
        route,
    )

    __version__: str

# What `from dayfly import *` gives a program; without `__version__`, which a sandbox does not know.
__all__ = [
    "Args",
    "Cookies",
    "File",
    "Form",
    "HTTPError",
    "Headers",
    "Request",
    "Response",
    "Router",
    "delete",
    "get",
    "head",
    "options",
    "patch",
    "post",
    "put",
    "route",
]


def __getattr__(name: str) -> object:
    """Find what is used for the first time."""
    if name == "__version__":
        # Half of the time that importing this package would take.
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            value: object = version("dayfly")
        except PackageNotFoundError:
            raise AttributeError("`__version__` is known where dayfly is installed, not in a sandbox") from None
    elif name in __all__:
        from . import handler  # noqa: PLC0415 - a program's half

        value = getattr(handler, name)
    else:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    globals()[name] = value
    return value
