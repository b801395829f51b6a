"""Changes to a registry's database behind its back."""

import sqlite3
from contextlib import closing
from pathlib import Path


def spoil(directory: Path, statement: str) -> None:
    """Run one statement on the database of a data directory."""
    with closing(sqlite3.connect(directory / "registry.db")) as database, database:
        assert database.execute(statement).rowcount
