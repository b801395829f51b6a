"""`dayfly secret ...`: values of the secrets of tenants, which no command ever prints."""

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import typer

from dayfly import log
from dayfly.admin.client import Client
from dayfly.cli.options import (
    DATA_DIRECTORY,
    Database,
    DataDirectory,
    Json,
    Server,
    TenantName,
    Token,
    show,
    tenant_name,
    variable_name,
)
from dayfly.config import SECRET_BYTES_MAX
from dayfly.errors import InvalidOption, ServerUnreachable
from dayfly.log import logger
from dayfly.registry import Registry

app = typer.Typer(no_args_is_help=True, help="Values of the secrets that tenants name in dayfly.toml.")

SecretName = Annotated[str, typer.Argument(metavar="NAME", help="A name of its `secrets`.")]


class Vault(Protocol):
    """Where secrets are kept: a running server, or a data directory that no server works on."""

    def set(self, tenant: str, name: str, value: str | None) -> None:
        """Replace a value, or remove it."""

    def names(self, tenant: str) -> dict[str, bool]:
        """Return the names of a tenant's secrets, and whether each has a value."""


@app.command("set")
def set_command(
    tenant: TenantName,
    name: SecretName,
    server: Server = None,
    token: Token = None,
    data_dir: DataDirectory = DATA_DIRECTORY,
    database: Database = None,
) -> None:
    """Read a value from standard input, and keep it for the tenant.

    The program has it from the next request on; if no server runs on the data directory, from the next start on.
    """
    log.to_standard_error()
    tenant_name(tenant)
    value = _value(variable_name(name))
    with _vault(server, token, data_dir, database, makes=True) as vault:
        vault.set(tenant, name, value)


@app.command("remove")
def remove_command(
    tenant: TenantName,
    name: SecretName,
    server: Server = None,
    token: Token = None,
    data_dir: DataDirectory = DATA_DIRECTORY,
    database: Database = None,
) -> None:
    """Forget a value."""
    log.to_standard_error()
    with _vault(server, token, data_dir, database) as vault:
        vault.set(tenant_name(tenant), variable_name(name), None)


@app.command("list")
def list_command(
    tenant: TenantName,
    server: Server = None,
    token: Token = None,
    data_dir: DataDirectory = DATA_DIRECTORY,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Print the names, and which have no value yet; never a value."""
    log.to_standard_error()
    with _vault(server, token, data_dir, database) as vault:
        names = vault.names(tenant_name(tenant))
    lines = [name if has_value else f"{name} has no value" for name, has_value in names.items()]
    show(as_json, names, "\n".join(lines) or f"tenant `{tenant}` has no secrets")


@contextmanager
def _vault(
    server: str | None, token: str | None, data_dir: Path, database: str | None, *, makes: bool = False
) -> Iterator[Vault]:
    """Give the running server that is meant, or the data directory if none is named and none runs there.

    `makes`: the data directory is made if there is none.
    """
    with ExitStack() as stack:
        try:
            client = stack.enter_context(Client.open(server, token, data_dir))
            client.get("/health")
        except ServerUnreachable:
            if server or os.environ.get("DAYFLY_SERVER"):
                raise
            if not makes and not data_dir.is_dir():
                raise
            yield _Kept(stack.enter_context(Registry.open(data_dir, database_url=database)))
        else:
            yield _Served(client)


@dataclass(frozen=True)
class _Served:
    client: Client

    def set(self, tenant: str, name: str, value: str | None) -> None:
        path = f"/v1/tenants/{tenant}/secrets/{name}"
        if value is None:
            self.client.change("DELETE", path)
        else:
            self.client.change("PUT", path, {"value": value})

    def names(self, tenant: str) -> dict[str, bool]:
        names: dict[str, bool] = self.client.get(f"/v1/tenants/{tenant}/secrets")
        return names


@dataclass(frozen=True)
class _Kept:
    registry: Registry

    def set(self, tenant: str, name: str, value: str | None) -> None:
        self.registry.set_secret(tenant, name, value)
        if tenant not in self.registry.names():
            logger.warning("tenant `%s` is not in this data directory yet; if the name is right, deploy it", tenant)

    def names(self, tenant: str) -> dict[str, bool]:
        return dict.fromkeys(self.registry.secret_names(tenant), True)


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
