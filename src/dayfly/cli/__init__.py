"""Words on the command line, one function call each.

A module of this package is imported when one of its commands is run, so that `dayfly --help` need not wait for what
commands are made of. What the page says of them stands in `COMMANDS`.
"""

import sys
import traceback
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from dayfly import __version__
from dayfly.errors import DayflyError, ExitCode


@dataclass(frozen=True)
class Entry:
    """One line of the help page."""

    panel: str
    help: str
    module: str
    group: str = ""
    """Name of the module's group of commands, if this is one; else the command is one of its `app`."""


_SERVE, _DEVELOP, _DEPLOY, _OPERATE, _MEASURE = "Serve", "Develop", "Deploy", "Operate", "Measure"

COMMANDS: dict[str, Entry] = {
    "serve": Entry(_SERVE, "Serve tenant directories, and what was deployed before.", "serve"),
    "new": Entry(_DEVELOP, "Begin a tenant directory from a template.", "local"),
    "dev": Entry(_DEVELOP, "Serve one directory: each save is live, each request shown with its cost.", "dev"),
    "test": Entry(_DEVELOP, "Send the sample requests of a directory, in real sandboxes.", "local"),
    "check": Entry(_DEVELOP, "Say whether a directory would be accepted.", "local"),
    "build": Entry(_DEPLOY, "Build a directory for the next start of a server.", "local"),
    "deploy": Entry(_DEPLOY, "Deploy a directory to a running server.", "remote"),
    "rollback": Entry(_DEPLOY, "Go back to the release before, or to any other.", "remote"),
    "canary": Entry(_DEPLOY, "Change the share of the requests that a new release gets.", "remote"),
    "promote": Entry(_DEPLOY, "Give a canary all requests.", "remote"),
    "abort": Entry(_DEPLOY, "Take a canary away.", "remote"),
    "releases": Entry(_DEPLOY, "List the releases of a tenant.", "remote"),
    "logs": Entry(_OPERATE, "Read a tenant's log, and follow it.", "remote"),
    "ls": Entry(_OPERATE, "List the tenants of a server.", "remote"),
    "show": Entry(_OPERATE, "Show a tenant, and what holds for it.", "remote"),
    "rm": Entry(_OPERATE, "Take a tenant away.", "remote"),
    "limits": Entry(_OPERATE, "Show or set a tenant's limits.", "remote"),
    "env": Entry(_OPERATE, "Show or set a tenant's variables.", "remote"),
    "token": Entry(_OPERATE, "Give and take tokens for the admin API.", "remote", group="token"),
    "upgrade": Entry(_OPERATE, "Have a running server become the version that is installed.", "upgrade"),
    "doctor": Entry(_OPERATE, "Say what this machine lacks, and what to do about it.", "local"),
    "secret": Entry(_OPERATE, "Give and take secrets of tenants.", "secret", group="app"),
    "key": Entry(_OPERATE, "Change the key that secrets are sealed with.", "local", group="key"),
    "audit": Entry(_OPERATE, "Check that the history was not changed.", "local"),
    "prune": Entry(_OPERATE, "Remove releases that no tenant is on.", "local"),
    "base": Entry(_OPERATE, "Make CPython's snapshot, or ask about it.", "local", group="base"),
    "bench": Entry(_MEASURE, "Measure this machine.", "dayfly.bench.cli", group="app"),
}
"""All commands, in the order of the page."""

EXAMPLES = (
    "dayfly new shop --template api && cd shop && dayfly dev",
    "dayfly serve shop blog --port 8080 --data-dir /var/lib/dayfly",
    "dayfly deploy shop --why 'new prices' && dayfly rollback shop",
    "dayfly secret set shop API_KEY < key.txt",
)


class Commands(TyperGroup):
    """The group of all commands: lines of a page until one of them is to run."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - those of its parent
        super().__init__(**attributes)
        for name, entry in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=entry.help, rich_help_panel=entry.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - as its parent's
        """Find the command that words name, and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load(str(name)), rest


def load(name: str) -> Any:  # noqa: ANN401 - a command or a group
    """Import a command. Raises KeyError if there is none of that name."""
    group = typer.main.get_group(commands_with(name))
    return group if COMMANDS[name].group else group.commands[name]


def commands_with(name: str) -> typer.Typer:
    """Import the commands among which this one is, or which it is if it is a group."""
    entry = COMMANDS[name]
    module = import_module(entry.module if "." in entry.module else f"{__name__}.{entry.module}")
    commands: typer.Typer = getattr(module, entry.group or "app")
    # Its pages look like this one's.
    commands.rich_markup_mode, commands.pretty_exceptions_enable = app.rich_markup_mode, False
    return commands


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog="\n\n".join(["Examples:", *(f"`{example}`" for example in EXAMPLES)]),
)


def main() -> None:
    """Run the command line; every error is one line on standard error and an exit code of `dayfly.errors.ExitCode`."""
    try:
        app()
    except DayflyError as error:
        from dayfly.log import printable  # noqa: PLC0415 - not for those who only ask for help

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
