"""What the tests of the python tier share: one server for all of them."""

from collections.abc import Iterator

import pytest

from dayfly.toolchain.toolchain import code_cache
from tests.python.sandbox import Sandboxes


@pytest.fixture(scope="session")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    """Return a server to publish programs on; the base is made once a machine."""
    with Sandboxes(tmp_path_factory.mktemp("python"), code_cache()) as sandboxes:
        yield sandboxes
