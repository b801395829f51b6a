"""Words on the command line, one function call each."""

import sys
import traceback
from typing import Annotated

import typer

from dayfly import __version__
from dayfly.bench.cli import app as bench
from dayfly.cli import local, secret, serve
from dayfly.errors import DayflyError, ExitCode
from dayfly.log import printable

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

app.add_typer(serve.app)
app.add_typer(local.app)
app.add_typer(bench, name="bench")
app.add_typer(local.base, name="base")
app.add_typer(secret.app, name="secret")


def main() -> None:
    """Run the command line; every error is one line on standard error and an exit code of `dayfly.errors.ExitCode`."""
    try:
        app()
    except DayflyError as error:
        # A program's own words may stand in a message.
        print("\n".join(map(printable, f"dayfly: {error}".splitlines())), file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception:  # noqa: BLE001 - nothing that a user did; said as such
        traceback.print_exc()
        print(f"dayfly: this is a bug in dayfly {__version__}; please report the lines above", file=sys.stderr)
        sys.exit(ExitCode.BUG)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"dayfly {__version__}")
        raise typer.Exit


@app.callback()
def dayfly(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Serve many untrusted programs, each request in a sandbox of its own."""
