"""How a database of an earlier version becomes one of this version, step by step; `versions/` has a file for each."""

from pathlib import Path

from sqlalchemy import Connection

REVISIONS = ("0001",)
"""Every schema that there has been, oldest first. A test compares them with the files."""


def upgrade(connection: Connection) -> None:
    """Bring the database to the newest schema, in the transaction of the connection."""
    # Loaded only when there is something to do: a fifth of a second at every start.
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def steps(revision: object, _: object) -> object:
        return script._upgrade_revs("head", revision)  # type: ignore[arg-type] # noqa: SLF001 - as alembic.command does

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection, fn=steps)
        environment.run_migrations()
