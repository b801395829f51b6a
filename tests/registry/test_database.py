"""The database under the registry: its schema, its settings, and what it says when it cannot."""

import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from dayfly.errors import RegistryError
from dayfly.registry import Registry, migrations
from dayfly.registry.database import Database
from dayfly.registry.schema import metadata
from tests.conftest import Run
from tests.registry.conftest import Open
from tests.registry.releases import record


def test_the_migrations_make_the_tables_that_are_written_down(registry: Registry) -> None:
    """Column for column, on both databases; and every step is known."""
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - as in the product
    from alembic.migration import MigrationContext  # noqa: PLC0415

    with registry._database.read() as connection:  # noqa: SLF001 - the door has no such question
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    steps = (Path(migrations.__file__).parent / "versions").glob("[0-9]*.py")
    assert sorted(step.name[:4] for step in steps) == list(migrations.REVISIONS)


def test_a_newer_schema_is_refused(open_registry: Open) -> None:
    """In one line, and left as it is."""
    with open_registry() as registry:
        record(registry)
        engine = create_engine(registry._database._engine.url)  # noqa: SLF001 - behind its back
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(
        RegistryError, match=r"was written by a newer version of dayfly \(schema 9999, known here: 0001\)"
    ):
        open_registry()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    engine.dispose()
    with open_registry() as registry:
        assert registry.names() == ["hello"]


def test_sqlite_waits_for_the_disk(tmp_path: Path) -> None:
    """WAL and FULL, on every connection, in a file that only its owner reads."""
    with Registry.open(tmp_path) as registry:
        for _ in range(2):
            with registry._database.read() as connection:  # noqa: SLF001 - the door has no such question
                asked = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema")
                said = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
                assert said == ["wal", 2, 1, 0]
        assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("registry.db*")} == {
            "registry.db": 0o600,
            "registry.db-wal": 0o600,
            "registry.db-shm": 0o600,
        }


def test_a_failed_change_changes_nothing(registry: Registry) -> None:
    """Neither what was written before the failure nor the table of changes."""
    record(registry)
    with pytest.raises(ZeroDivisionError):
        _remove_and_fail(registry)
    assert registry.names() == ["hello"]
    assert registry.verify_audit()[0] == 1


def _remove_and_fail(registry: Registry) -> None:
    with registry._write() as tenants:  # noqa: SLF001 - in the middle of a change
        tenants.remove("hello")
        raise ZeroDivisionError


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_database_is_said_to_be(tmp_path: Path, content: bytes) -> None:
    """With what to do; it is not overwritten."""
    (tmp_path / "registry.db").write_bytes(content)
    with pytest.raises(
        RegistryError, match=r"the registry `.*/registry.db` is damaged \(.*\); put a backup in its place"
    ):
        Registry.open(tmp_path)
    assert (tmp_path / "registry.db").read_bytes() == content


def test_a_full_disk_is_said_as_such(tmp_path: Path) -> None:
    """The change is refused, the old state stays, and the next change succeeds when there is room."""
    with Registry.open(tmp_path) as registry:
        first = record(registry)
        with registry._database.write() as connection:  # noqa: SLF001 - SQLite's own limit stands for the disk's
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(
            RegistryError, match=r"registry.db` cannot be written: .* full; free space there or choose a"
        ):
            registry.override("hello", environment={"A": "x" * 30_000})
        assert registry.current("hello") == first
        driver.execute("PRAGMA max_page_count = 1000000")
        registry.override("hello", environment={"A": "x" * 30_000})


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "not the URL of a database; allowed: postgresql://USER@HOST/DATABASE"),
        ("mysql://x", "the registry's database cannot be that; allowed: postgresql://"),
        ("postgresql://me:hidden@127.0.0.1:1/x", r"the registry `.*127.0.0.1:1/x` cannot be reached: .*; see whether"),
    ],
)
def test_a_database_that_cannot_be_reached_is_named(tmp_path: Path, url: str, message: str) -> None:
    """Without its password."""
    with pytest.raises(RegistryError, match=message) as told:
        Database.open(tmp_path, url)
    assert "hidden" not in str(told.value)


def test_who_is_late_changes_nothing(open_registry: Open) -> None:
    """A closed registry refuses to write: its data directory may be somebody else's by then."""
    registry = open_registry()
    record(registry)
    registry.close()
    with pytest.raises(RegistryError, match=r"is closed to changes: its server ends; try again after that"):
        record(registry, "two")
    with pytest.raises(RegistryError, match=r"is closed to changes"):
        registry.issue_token(["read"])
    assert [row.number for row in open_registry().releases_of("hello")] == [1]


def test_a_command_uses_the_database_that_is_named(database_url: str, run: Run, tmp_path: Path) -> None:
    """As an option; what is recorded there is what it finds."""
    with Registry.open(tmp_path / "data", database_url=database_url) as registry:
        registry.issue_token(["read"])
        _, digest = registry.verify_audit()
    asked = run("audit", "--data-dir", tmp_path / "data", "--database", database_url)
    assert asked.stdout == f"1 {digest}\n", asked.stderr
    assert not (tmp_path / "data/registry.db").exists()


def test_the_environment_names_the_database(
    database_url: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a password is nobody else's to see."""
    monkeypatch.setenv("DAYFLY_DATABASE_URL", database_url)
    assert run("audit", "--data-dir", tmp_path / "data").stdout.startswith("0 ")
    assert not (tmp_path / "data/registry.db").exists()
