"""`dayfly upgrade`: the installed version takes the place of the one that runs."""

import typer

from dayfly import upgrade
from dayfly.admin.address import server_on
from dayfly.cli.options import DATA_DIRECTORY, DataDirectory, Json, show

app = typer.Typer()


@app.command("upgrade")
def upgrade_command(data_dir: DataDirectory = DATA_DIRECTORY, as_json: Json = False) -> None:
    """Have a running server become the version of dayfly that is installed now.

    It keeps its sockets, its options and its tenants; no connection is refused or reset. Requests that the old worker
    has begun are finished there. If the installed version does not run, the server goes on as it is.
    """
    attempt = upgrade.ask(data_dir, server_on(data_dir))
    show(as_json, {"version": attempt.version}, f"dayfly {attempt.version} serves")
