"""Options and arguments that commands share, and what they may say."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from dayfly.config import NAME, VARIABLE, Tenant
from dayfly.errors import InvalidOption

DATA_DIRECTORY = Path(".dayfly")

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A tenant directory.")]
Here = Annotated[Path, typer.Argument(metavar="DIR", help="A tenant directory; default: this one.")]
Directories = Annotated[
    list[Path] | None, typer.Argument(metavar="DIR", help="Tenant directories, or directories of such.")
]
DataDirectory = Annotated[Path, typer.Option("--data-dir", metavar="DIR", help="Where releases are kept.")]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        envvar="DAYFLY_DATABASE_URL",
        show_envvar=False,
        help="PostgreSQL; default: DAYFLY_DATABASE_URL, else SQLite in the data directory.",
    ),
]
TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="A tenant's name.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Server = Annotated[
    str | None,
    typer.Option(
        "--server", metavar="URL|SOCKET", help="The server; default: DAYFLY_SERVER, else the one on the data directory."
    ),
]
Token = Annotated[
    str | None, typer.Option("--token", metavar="TOKEN", help="What proves who you are; default: DAYFLY_TOKEN.")
]
Index = Annotated[
    str,
    typer.Option("--index", metavar="URL", help="Package index; default: DAYFLY_INDEX, else pip's."),
]


def tenant_name(name: str) -> str:
    """Return a name that a tenant can have. Raises InvalidOption."""
    if not re.fullmatch(NAME, name):
        raise InvalidOption(f"a tenant cannot be `{name}`; allowed: {Tenant.model_fields['name'].description}")
    return name


def variable_name(name: str) -> str:
    """Return a name that a secret can have. Raises InvalidOption."""
    if not re.fullmatch(VARIABLE, name):
        raise InvalidOption(f"a secret cannot be `{name}`; allowed: names of variables")
    return name


def show(as_json: bool, value: object, text: str) -> None:
    """Print a result, for programs or for people."""
    print(json.dumps(value, indent=1) if as_json else text)
