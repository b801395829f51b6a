"""`dayfly secret ...`: values of the secrets of tenants, which no command ever prints."""

import getpass
import os
import sys
from typing import Annotated

import typer

from dayfly import log
from dayfly.cli.options import DATA_DIRECTORY, DataDirectory, Json, TenantName, show, tenant_name, variable_name
from dayfly.errors import InvalidOption
from dayfly.log import logger
from dayfly.registry import Registry

app = typer.Typer(no_args_is_help=True, help="Values of the secrets that tenants name in dayfly.toml.")

SECRET_BYTES_MAX = 64 << 10

SecretName = Annotated[str, typer.Argument(metavar="NAME", help="A name of its `secrets`.")]


@app.command("set")
def set_command(tenant: TenantName, name: SecretName, data_dir: DataDirectory = DATA_DIRECTORY) -> None:
    """Read a value from standard input, and keep it for the tenant; the next `dayfly serve` has it."""
    log.to_standard_error()
    value = _value(name)
    with Registry.open(data_dir) as registry:
        registry.set_secret(tenant_name(tenant), variable_name(name), value)
        if tenant not in registry.names():
            logger.warning("tenant `%s` is not in this data directory yet; if the name is right, deploy it", tenant)


@app.command("remove")
def remove_command(tenant: TenantName, name: SecretName, data_dir: DataDirectory = DATA_DIRECTORY) -> None:
    """Forget a value."""
    with Registry.open(data_dir) as registry:
        if variable_name(name) not in registry.secrets(tenant_name(tenant)):
            raise InvalidOption(f"tenant `{tenant}` has no secret `{name}`")
        registry.set_secret(tenant, name, None)


@app.command("list")
def list_command(tenant: TenantName, data_dir: DataDirectory = DATA_DIRECTORY, as_json: Json = False) -> None:
    """Print the names, never a value."""
    with Registry.open(data_dir) as registry:
        names = sorted(registry.secrets(tenant_name(tenant)))
    show(as_json, names, "\n".join(names) or f"tenant `{tenant}` has no secrets")


def _value(name: str) -> str:
    """Ask for a value, or read it from standard input as the octets that it is."""
    if sys.stdin.isatty():
        octets = os.fsencode(getpass.getpass(f"{name}: "))
    else:
        octets = sys.stdin.buffer.read(SECRET_BYTES_MAX + 2).removesuffix(b"\n")
    if not octets or b"\0" in octets or len(octets) > SECRET_BYTES_MAX:
        raise InvalidOption(f"a secret cannot be empty, have a zero octet or more than {SECRET_BYTES_MAX >> 10} KiB")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidOption("a secret must be text in UTF-8; encode other octets, in base64 for example") from None
