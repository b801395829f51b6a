"""What can be decided by reading `app.py`: refused here with its line and the reason, before any compiler sees it."""

import ast
from dataclasses import dataclass

from dayfly.toolchain.compiled.diagnostics import FILE, Diagnostic, Refused

PARAMETERS = ("path", "query", "method", "body")


@dataclass(frozen=True)
class Handler:
    """What the program is to be called with."""

    parameters: tuple[str, ...]
    has_init: bool


def check(source: str) -> Handler:
    """Return how the program is called; raise `Refused` with everything that keeps it from being compiled."""
    tree = _parsed(source)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    handler = functions.get("on_client_request")
    if handler is None:
        raise Refused(Diagnostic(0, 0, "there is no function `on_client_request`", "define it at the top level"))
    return Handler(tuple(argument.arg for argument in handler.args.args), "on_init" in functions)


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source, FILE)
    except SyntaxError as error:
        raise Refused(Diagnostic(error.lineno or 0, error.offset or 0, f"syntax error: {error.msg}")) from None
