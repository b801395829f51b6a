"""Answers requests as the handler API says, in CPython: the other side of the comparison. Reads and writes JSON."""

import contextlib
import inspect
import io
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

PLAIN = "text/plain; charset=utf-8"


def answer(namespace: dict[str, Any], parts: dict[str, str]) -> dict[str, Any]:
    """Call the handler with what it takes."""
    handler = namespace["on_client_request"]
    given = parts | {"path": unquote(parts["path"])}
    result = handler(**{name: given[name] for name in inspect.signature(handler).parameters})
    if callable(result):
        result = result()
    return reply(result)


def reply(result: Any) -> dict[str, Any]:
    """Turn what the handler returned into a reply."""
    match result:
        case str():
            return {"status": 200, "content_type": PLAIN, "body": result}
        case dict() | list():
            return {"status": 200, "content_type": "application/json", "body": as_json(result)}
        case (int() as status, dict() | list() as body):
            return {"status": checked(status), "content_type": "application/json", "body": as_json(body)}
        case (int() as status, str() as body):
            return {"status": checked(status), "content_type": PLAIN, "body": body}
        case (str() as content_type, str() as body):
            return {"status": 200, "content_type": content_type, "body": body}
        case (int() as status, dict() as headers, str() as body):
            content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), PLAIN)
            others = [[name, value] for name, value in headers.items() if name.lower() != "content-type"]
            return {"status": checked(status), "content_type": content_type, "headers": others, "body": body}
    raise TypeError(f"on_client_request returned {result!r}")


def as_json(value: Any) -> str:
    """Return the JSON of a body."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def checked(status: int) -> int:
    """Return a status that a reply may have."""
    if not 200 <= status <= 599:
        raise ValueError(f"status is not in 200..599: {status}")
    return status


def attempt(run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run; what is printed and what is raised become part of the answer."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            result = run()
        except Exception as error:  # noqa: BLE001 -- whatever the program raises is its answer
            text = str(error)
            result = {"error": type(error).__name__ + (f": {text}" if text else "")}
    return result | {"log": printed.getvalue().splitlines()}


def main() -> None:
    """Answer each request with a namespace of its own, as if nothing had been before."""
    job = json.load(sys.stdin)

    def fresh() -> dict[str, Any]:
        namespace: dict[str, Any] = {"__name__": "app"}
        exec(compile(job["source"], "app.py", "exec"), namespace)  # noqa: S102 -- our own corpus
        return namespace

    def start() -> dict[str, Any]:
        fresh().get("on_init", lambda: None)()
        return {}

    log = attempt(start)["log"]
    answers = [attempt(partial(answer, fresh(), parts)) for parts in job["requests"]]
    json.dump({"log": log, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
