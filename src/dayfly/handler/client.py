"""Tests a program where it is written: the same entry as in a sandbox, called without one.

    client = Client.load("app.py")
    assert client.get("/items/1").json() == {"id": 1}

Nothing is limited or undone here: globals that a request changes stay changed.
"""

import importlib.util
import json as json_module
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self
from urllib.parse import urlencode

from . import native, routes
from .entry import Entry, make_entry
from .request import Headers


@dataclass
class Answer:
    """What the program answered."""

    status: int
    headers: Headers
    body: bytes

    @property
    def text(self) -> str:
        """The body, which is UTF-8."""
        return self.body.decode()

    def json(self) -> Any:  # noqa: ANN401 - whatever was answered
        """Return the body, which is JSON."""
        return json_module.loads(self.body)


class Client:
    """Sends requests to a program."""

    def __init__(self, program: ModuleType, *, host: str = "localhost", mount: str = "") -> None:
        self.entry: Entry = make_entry(program)
        self.host = host
        self.mount = mount

    @classmethod
    def load(cls, file: str | Path, *, host: str = "localhost", mount: str = "") -> Self:
        """Load a program as a deploy does: its module, then `on_init`. Imports beside it are found."""
        file = Path(file).resolve()
        routes.default.routes.clear()
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if spec is None or spec.loader is None:
            raise ValueError(f"`{file}` is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(file.parent))
        native.set_freezing(is_freezing=True)
        try:
            sys.modules[file.stem] = module
            spec.loader.exec_module(module)
            if hasattr(module, "on_init"):
                module.on_init()
            return cls(module, host=host, mount=mount)
        finally:
            routes.default.routes.clear()
            native.set_freezing(is_freezing=False)
            sys.path.remove(str(file.parent))

    def close(self) -> None:
        """Run the shut-down of an ASGI application."""
        if self.entry.interface == "asgi":
            from .asgi import shut_down  # noqa: PLC0415 - only what is asynchronous needs the event loop

            shut_down()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def request(  # noqa: PLR0913 - a request has that many parts
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | str = b"",
        form: Mapping[str, str] | None = None,
        json: object = None,
    ) -> Answer:
        """Send a request; `form` and `json` are bodies with their content type. A program that fails raises."""
        fields = [("Host", self.host), *(headers.items() if isinstance(headers, Mapping) else headers)]
        if form is not None:
            body = urlencode(form)
            fields.append(("Content-Type", "application/x-www-form-urlencoded"))
        elif json is not None:
            body = json_module.dumps(json)
            fields.append(("Content-Type", "application/json"))
        octets = body.encode() if isinstance(body, str) else body
        if octets:
            fields.append(("Content-Length", str(len(octets))))
        path, _, query = target.partition("?")
        frame = native.Frame(method, path, query, fields, octets, host=self.host, mount=self.mount)
        reply = native.call(self.entry.call, self.entry.parts, frame)
        return Answer(reply.status, Headers(reply.fields), b"" if method == "HEAD" else reply.body)

    def get(self, target: str, **options: Any) -> Answer:  # noqa: ANN401 - those of `request`
        """Send a GET."""
        return self.request("GET", target, **options)

    def post(self, target: str, **options: Any) -> Answer:  # noqa: ANN401 - likewise
        """Send a POST."""
        return self.request("POST", target, **options)

    def put(self, target: str, **options: Any) -> Answer:  # noqa: ANN401 - likewise
        """Send a PUT."""
        return self.request("PUT", target, **options)

    def patch(self, target: str, **options: Any) -> Answer:  # noqa: ANN401 - likewise
        """Send a PATCH."""
        return self.request("PATCH", target, **options)

    def delete(self, target: str, **options: Any) -> Answer:  # noqa: ANN401 - likewise
        """Send a DELETE."""
        return self.request("DELETE", target, **options)
