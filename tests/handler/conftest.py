"""A program in a string, and somebody who asks it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from dayfly.handler.client import Client

MakeClient = Callable[..., Client]


@pytest.fixture
def load(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakeClient]:
    """Return a function that loads a program from its text."""
    clients: list[Client] = []

    def make(source: str, **options: str) -> Client:
        # A name of its own, because modules are kept by name.
        file = tmp_path / f"program_{abs(hash(request.node.nodeid))}_{len(clients)}.py"
        file.write_text(dedent(source), encoding="utf-8")
        client = Client.load(file, **options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
