"""What a tenant's Python program is written with, and what calls it.

    request     Request: what a client asked, read from the host when it is read by the program
    form        forms, urlencoded and multipart
    charsets    which character sets a client may name
    response    Response, HTTPError, and every form of an answer made into the two that the host takes
    routes      Router, and the decorators of one that every program has
    arguments   parameters given by name
    entry       make_entry: from a program's module to the one function that a request calls
    wsgi, asgi  the same for an `app` object; `loop` is the event loop, `inline` what stands for threads
    failure     a traceback as the tenant's log shows it
    host        the host's functions; `native` stands for them where there is no sandbox, `client` tests programs there

The package needs nothing but the standard library: a sandbox loads it, and so does a developer's editor.
"""

from .entry import Entry, EntryError, make_entry
from .failure import failure
from .form import File, Form
from .request import Args, Cookies, Headers, Request
from .response import HTTPError, Response
from .routes import Router, delete, get, head, options, patch, post, put, route

__all__ = [
    "Args",
    "Cookies",
    "Entry",
    "EntryError",
    "File",
    "Form",
    "HTTPError",
    "Headers",
    "Request",
    "Response",
    "Router",
    "delete",
    "failure",
    "get",
    "head",
    "make_entry",
    "options",
    "patch",
    "post",
    "put",
    "route",
]
