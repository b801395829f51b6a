"""Transactions: readers see one state, writers come one after another, and a change that was committed survives.

SQLite, in the data directory, unless a URL names PostgreSQL. Both are made to behave in the same way: a writing
transaction holds off all others from its first statement on (`BEGIN IMMEDIATE`; an advisory lock), so what it reads is
true until it commits and nothing is ever tried again.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dayfly import durable
from dayfly.errors import RegistryError
from dayfly.registry import migrations

FILE = "registry.db"

_BUSY_SECONDS = 10
"""How long another program, a backup for example, may hold the file."""

# WAL and FULL: a commit is one write and one wait for the disk, and readers go on meanwhile.
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}",
    "PRAGMA trusted_schema = OFF",
)

_WRITERS = 0x6461_7966_6C79
"""Number of the advisory lock that writers on PostgreSQL hold; `dayfly` in ASCII."""


class Database:
    """A pool of connections to one database."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._writing = threading.Lock()
        self._is_over = False

    @classmethod
    def open(cls, directory: Path, url: str | None) -> Self:
        """Open the database and bring its schema up to date.

        Raises RegistryError if it cannot be used, or was written by a newer version.
        """
        database = cls._postgresql(url) if url else cls._sqlite(directory / FILE)
        try:
            database.prepare()
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def _sqlite(cls, file: Path) -> Self:
        # Its journals get the mode of the file.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        engine = create_engine(
            f"sqlite:///{file}",
            connect_args={"check_same_thread": False, "isolation_level": None},
            pool_size=4,
            max_overflow=-1,
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return cls(engine, f"`{file}`")

    @classmethod
    def _postgresql(cls, url: str) -> Self:
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() != "postgresql":
                raise RegistryError("the registry's database cannot be that; allowed: postgresql://USER@HOST/DATABASE")
            engine = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_size=4, max_overflow=12)
        except (ArgumentError, NoSuchModuleError):
            raise RegistryError("not the URL of a database; allowed: postgresql://USER@HOST/DATABASE") from None
        except ModuleNotFoundError:
            raise RegistryError("PostgreSQL needs its driver; install it: pip install 'dayfly[postgresql]'") from None
        # Never the password.
        return cls(engine, f"`{parsed.render_as_string(hide_password=True)}`")

    @property
    def is_shared(self) -> bool:
        """Whether other machines may use it too."""
        return self._engine.dialect.name != "sqlite"

    def end_writing(self) -> None:
        """Wait for who is writing, and refuse whoever wants to from now on."""
        with self._writing:
            self._is_over = True

    def close(self) -> None:
        """Let nobody write any more, and close every connection."""
        self.end_writing()
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection on which everything is read from one state. Raises RegistryError."""
        with self._explained(), self._engine.connect() as connection:
            if self.is_shared:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")  # noqa: PLW2901
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are durable when the block ends, all of them or none. Raises RegistryError.

        Nobody else writes meanwhile.
        """
        with self._explained(), self._writing, self._connect_to_write() as plain:
            connection = plain.execution_options(dayfly_writes=True)
            with connection.begin():
                if self.is_shared:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _WRITERS})
                yield connection

    def _connect_to_write(self) -> Connection:
        if self._is_over:
            raise RegistryError(
                f"the registry {self._name} is closed to changes: its server ends; try again after that"
            )
        return self._engine.connect()

    def prepare(self) -> None:
        """Bring the schema up to date. Raises RegistryError if a newer version wrote it."""
        with self.read() as connection:
            found = _schema(connection)
        if found is None or found != migrations.REVISIONS[-1]:
            with self.write() as connection:
                self._upgrade(connection, _schema(connection))

    def _upgrade(self, connection: Connection, found: str | None) -> None:
        if found is not None and found not in migrations.REVISIONS:
            raise RegistryError(
                f"{self._name} was written by a newer version of dayfly (schema {found}, known here: "
                f"{migrations.REVISIONS[-1]}); use that version"
            )
        if found != migrations.REVISIONS[-1]:
            migrations.upgrade(connection)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the database refuses into one line."""
        try:
            yield
        except (OperationalError, PoolTimeout) as error:
            raise RegistryError(self._explanation(error)) from None
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.DatabaseError) and _code(error.orig) in _DAMAGED:
                raise RegistryError(self._explanation(error)) from None
            raise

    def _explanation(self, error: OperationalError | PoolTimeout | DBAPIError) -> str:
        cause: BaseException = (isinstance(error, DBAPIError) and error.orig) or error
        code = _code(cause)
        said = str(cause).splitlines()[0]
        if code in _DAMAGED:
            return f"the registry {self._name} is damaged ({said}); put a backup in its place"
        if code == sqlite3.SQLITE_BUSY:
            return f"the registry {self._name} is held by another program; end that one"
        if code is not None:
            cure = "free space there" if code == sqlite3.SQLITE_FULL else "make it writable"
            return f"the registry {self._name} cannot be written: {said}; {cure} or choose another with --data-dir"
        return f"the registry {self._name} cannot be reached: {said}; see whether the database runs"


_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _code(error: BaseException) -> int | None:
    """Return the primary result code of SQLite (the low octet of an extended one)."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _schema(connection: Connection) -> str | None:
    """Return the revision of the schema, None for a database without one."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _set_up_sqlite(connection: sqlite3.Connection, _: object) -> None:
    said = [connection.execute(pragma).fetchone() for pragma in _PRAGMAS]
    if said[0] != ("wal",):
        raise RegistryError(
            "the registry cannot be on this file system, where SQLite has no shared memory; choose another"
        )


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("dayfly_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def refused(directory: Path, error: OSError) -> RegistryError:
    """Say in one line what the system refuses."""
    return RegistryError(durable.refusal(f"data directory `{directory}`", error, "with --data-dir"))
