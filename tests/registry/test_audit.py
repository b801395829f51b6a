"""The table of changes only grows, and shows if somebody made it look otherwise."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from dayfly.errors import RegistryError
from dayfly.registry import Registry
from tests.registry.releases import record
from tests.registry.spoil import spoil


def test_every_change_is_noted_once(registry: Registry) -> None:
    """In one chain, whose end can be noted elsewhere."""
    assert registry.verify_audit() == (0, "0" * 64)
    record(registry)
    registry.set_secret("hello", "KEY", "value")
    token, _ = registry.issue_token(["read"])
    registry.revoke_token(token.id)
    registry.remove("hello")
    events = registry.history()
    assert [event.what for event in events] == ["remove", "revoke", "token", "secret", "deploy"]
    assert [event.number for event in events] == [5, 4, 3, 2, 1]
    assert registry.verify_audit() == (5, events[0].digest)
    assert registry.history(limit=2, before=4) == events[2:4]
    assert "value" not in repr(events)


CHANGES = {
    "sqlite": ["INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE number = 1"],
    "postgresql": ["TRUNCATE audit"],
}
"""Ways to change an entry that only one of the databases has."""


def test_the_database_refuses_to_change_an_entry(registry: Registry) -> None:
    """Whoever asks it to."""
    record(registry)
    record(registry, "two")
    engine = create_engine(registry._database._engine.url)  # noqa: SLF001 - behind its back
    for statement in (
        "UPDATE audit SET why = 'nothing' WHERE number = 1",
        "DELETE FROM audit WHERE number = 2",
        "DELETE FROM audit",
        *CHANGES[engine.dialect.name],
    ):
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))
    engine.dispose()
    assert registry.verify_audit()[0] == 2


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE audit SET why = 'nothing' WHERE number = 2", 2),
        ("UPDATE audit SET by = 'nobody' WHERE number = 3", 3),
        ("DELETE FROM audit WHERE number = 1", 1),
        ("DELETE FROM audit WHERE number = 2", 2),
        ("UPDATE audit SET number = 9 WHERE number = 3", 3),
    ],
)
def test_a_change_behind_its_back_is_found(tmp_path: Path, statement: str, number: int) -> None:
    """And named by its number; the last entries can only be missed by who has noted the end."""
    with Registry.open(tmp_path) as registry:
        for words in ("one", "two", "three"):
            record(registry, words)
        for trigger in ("update", "delete", "replace"):
            spoil(tmp_path, f"DROP TRIGGER audit_no_{trigger}")
        spoil(tmp_path, statement)
        with pytest.raises(RegistryError, match=rf"entry {number} of the audit table was changed or removed"):
            registry.verify_audit()
