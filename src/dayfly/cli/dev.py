"""`dayfly dev`: a developer's own server."""

from pathlib import Path
from typing import Annotated

import typer

from dayfly import dev, log
from dayfly.cli.making import make_workshop
from dayfly.cli.options import Here, Host, Index, Port
from dayfly.core import CoreOptions
from dayfly.toolchain.toolchain import code_cache

app = typer.Typer()


@app.command("dev")
def dev_command(
    directory: Here = Path(),
    host: Host = "127.0.0.1",
    port: Port = 8080,
    index: Index = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each event, a line each.")] = False,
) -> None:
    """Serve one directory until Ctrl-C: a save is live at once, and each request is shown with its cost.

    A request that is sent after a save is answered by what was saved: the files are looked at before each. What cannot
    be deployed is answered with the reason and status 503. Secrets are taken from variables of the environment.
    """
    log.to_standard_error()
    options = dev.DevOptions(directory, host, port)
    dev.serve(options, CoreOptions(code_cache=code_cache(), threads=1), make_workshop(index), dev.Screen(as_json))
