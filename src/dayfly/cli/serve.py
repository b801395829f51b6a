"""`dayfly serve`: deploy, resume, and answer until a signal."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from dayfly import __version__, log, server, upgrade
from dayfly.admin.listener import AdminOptions, serving
from dayfly.cli.making import make_core, make_workshop
from dayfly.cli.options import (
    DATA_DIRECTORY,
    Database,
    DataDirectory,
    Directories,
    Host,
    Index,
    Port,
)
from dayfly.config import Tenant, byte_count
from dayfly.confinement import Policy, readable
from dayfly.core import CoreOptions, Protection, ServerOptions
from dayfly.deploy import Change
from dayfly.errors import DayflyError, InvalidOption
from dayfly.fingerprint import Fingerprint
from dayfly.log import TenantLogs, logger
from dayfly.operator import Operator
from dayfly.registry import Actor, DiskQuotas, Housekeeper, Registry
from dayfly.toolchain import Source
from dayfly.toolchain.toolchain import code_cache
from dayfly.watch import Watcher, expanded
from dayfly.worker import WorkerCore
from dayfly.worker.estate import Estate

app = typer.Typer()

THREADS_MAX = 64
"""As in the core."""

PORT_MAX = 65_535

WATCH = Actor("watch")
"""Who it was that changed a tenant because its directory changed."""


@app.command("serve")
def serve_command(
    directories: Directories = None,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    listen: Annotated[list[str] | None, typer.Option(metavar="unix:PATH", help="Listen there too.")] = None,
    threads: Annotated[int, typer.Option(min=0, max=THREADS_MAX, help="I/O threads; 0: one for each processor.")] = 0,
    overflow_threads: Annotated[
        int, typer.Option(min=0, max=THREADS_MAX, help="Threads for slow requests; 0: one for each processor.")
    ] = 0,
    spin: Annotated[
        str, typer.Option(metavar="auto|N", help="Microseconds of polling before sleep; 0 on shared cores.")
    ] = "auto",
    watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Deploy what changes in the directories.")] = True,
    data_dir: DataDirectory = DATA_DIRECTORY,
    database: Database = None,
    disk: Annotated[str, typer.Option(metavar="SIZE", help="All releases together, like '20 GiB'; 0: any.")] = "0",
    tenant_disk: Annotated[str, typer.Option(metavar="SIZE", help="The releases of each tenant; 0: any.")] = "0",
    index: Index = "",
    release_header: Annotated[
        bool, typer.Option("--release-header/--no-release-header", help="Name the release in each answer.")
    ] = True,
    baseline_path: Annotated[
        str | None, typer.Option(metavar="PATH", help="Answer a fixed page there without a sandbox.")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None, typer.Option(metavar="CIDR|unix", help="Believe what these say about the client.")
    ] = None,
    protection: Annotated[Protection, typer.Option(help="How first writes are noticed.")] = "auto",
    paranoid_every: Annotated[
        int, typer.Option(metavar="N", min=0, help="Check one restore in N; 0: none; 1: each, which is slow.")
    ] = 0,
    admin: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve the admin API there too; it takes tokens.")
    ] = None,
    admin_name: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A host name by which the admin API is called there.")
    ] = None,
) -> None:
    """Deploy the tenant directories and serve them, with those deployed before, until SIGTERM or Ctrl-C.

    A directory that is no tenant's stands for the tenants in it. What changes, comes or goes there while the server
    runs is deployed or taken away; a failure leaves the release before.
    """
    log.to_standard_error()
    hung_up = upgrade.on_hangup()
    server.raise_descriptor_limit()
    options = ServerOptions(
        host=host,
        port=port,
        unix_paths=tuple(_unix_path(address) for address in listen or ()),
        trusted_proxies=tuple(trusted_proxy or ()),
        release_header=release_header,
        baseline_path=baseline_path,
    )
    admin_options = AdminOptions(
        data_dir, None if admin is None else _address(admin), frozenset(name.lower() for name in admin_name or ())
    )
    places = directories or []
    spin_us = _spin(spin)
    quotas = DiskQuotas(_size("--tenant-disk", tenant_disk), _size("--disk", disk))
    estate, left = Estate.take(), None
    tenants = _tenants(expanded(places), is_upgrade=estate is not None)
    lock = estate.lock if estate else None
    registry = Registry.open(data_dir, database_url=database, quotas=quotas, lock=lock)
    with registry, Housekeeper(registry):
        core_options = CoreOptions(
            code_cache=code_cache(),
            protection=protection,
            paranoid_every=paranoid_every,
            threads=threads,
            overflow_threads=overflow_threads,
            spin_us=spin_us,
        )
        # The data directory is free for another server when the last worker has left it.
        core = WorkerCore(core_options, make_core(), keep=[registry.lock], estate=estate, policy=_policy(registry))
        with closing(TenantLogs(registry.log_directory)) as logs:
            operator = Operator(registry=registry, workshop=make_workshop(index), core=core, logs=logs)
            watcher = Watcher(places, _Watched(operator))
            if watch:
                operator.watch_with(watcher.reports)
            _deploy_all(tenants, operator, watcher, is_upgrade=estate is not None)
            with serving(operator, admin_options), watcher.running() if watch else nullcontext():
                leaves = server.serve(
                    core,
                    options,
                    logs,
                    lambda host, port: _say_ready(operator, host, port, data_dir if estate else None),
                    may_leave=lambda: _may_leave(hung_up, data_dir, core),
                    finish=operator.finish,
                )
            if leaves:
                left = core.leave(registry.lock)
                logs.take(core)
    if left:
        logger.info("becoming the version that is installed")
        left.leave(upgrade.command())


def _may_leave(hung_up: Event, data_dir: Path, core: WorkerCore) -> bool:
    """Answer SIGHUP, if there was one: tell whether the installed version can take over."""
    if not hung_up.is_set():
        return False
    hung_up.clear()
    core.settle()
    return upgrade.is_possible(data_dir)


def _policy(registry: Registry) -> Policy:
    """Return what a worker may do: read releases and machine code, and talk over sockets that it is given."""
    return Policy("worker", read=readable(registry.releases.absolute(), code_cache()), allow_unconfined=True)


@dataclass(frozen=True)
class _Watched:
    """What the watcher does to the tenants whose directories it watches."""

    operator: Operator

    def deploy(self, tenant: Tenant, source: Path | Source) -> None:
        """Deploy a directory, or what was read of it."""
        self.operator.deploy(tenant, source, Change(WATCH))

    def remove(self, name: str) -> None:
        """Have a tenant serve nothing, now and after the next start; what it has in the data directory stays."""
        self.operator.withdraw(name, Change(WATCH, "its directory is gone"))


def _unix_path(address: str) -> str:
    scheme, _, path = address.partition(":")
    if scheme != "unix" or not path:
        raise InvalidOption(f"--listen cannot be `{address}`; allowed: unix:PATH")
    return path


def _spin(value: str) -> int | None:
    if value == "auto":
        return None
    if not value.isascii() or not value.isdigit():
        raise InvalidOption(f"--spin cannot be `{value}`; allowed: auto, or microseconds of polling, 0 for none")
    return int(value)


@contextmanager
def _refusing(what: object, *, is_upgrade: bool) -> Iterator[None]:
    """Have one bad directory refuse the start; not that of another version: its tenant serves as it did."""
    try:
        yield
    except DayflyError as error:
        if not is_upgrade:
            raise
        logger.error("%s: %s; its release before goes on", what, error)


def _size(option: str, text: str) -> int:
    try:
        return byte_count(text)
    except ValueError:
        raise InvalidOption(f"{option} cannot be `{text}`; allowed: octets, or a number with KiB, MiB or GiB") from None


def _tenants(directories: list[Path], *, is_upgrade: bool) -> dict[str, tuple[Tenant, Path]]:
    """Read what the tenant directories say, before anything is built."""
    tenants: dict[str, tuple[Tenant, Path]] = {}
    for directory in directories:
        with _refusing(directory, is_upgrade=is_upgrade):
            tenant = Tenant.load(directory)
            if tenant.name in tenants:
                raise InvalidOption(
                    f"`{tenants[tenant.name][1]}` and `{directory}` are both tenant `{tenant.name}`; "
                    "set another `name` in one dayfly.toml"
                )
            tenants[tenant.name] = tenant, directory
    return tenants


def _deploy_all(
    tenants: dict[str, tuple[Tenant, Path]], operator: Operator, watcher: Watcher, *, is_upgrade: bool
) -> None:
    """Deploy the given tenants, and resume those deployed before."""
    deployed = []
    for tenant, directory in tenants.values():
        found = None
        with suppress(OSError):  # the deploy says it better
            found = Fingerprint.of(directory)
        watcher.adopt(directory, tenant.name, None)
        with _refusing(tenant.name, is_upgrade=is_upgrade):
            operator.deploy(tenant, directory, Change())
            deployed.append(tenant.name)
            watcher.adopt(directory, tenant.name, found)
    resumed = operator.resume(except_for=deployed)
    if not tenants and not resumed:
        logger.warning("no tenant to serve yet; deploy one: dayfly deploy DIR")


def _address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT`; the host may be an IPv6 address in brackets."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > PORT_MAX:
        raise InvalidOption(f"--admin cannot be `{text}`; allowed: HOST:PORT, port 0 for any free one")
    return host, int(port)


def _say_ready(operator: Operator, host: str, port: int, upgraded: Path | None) -> None:
    """Print the one line that scripts wait for; after an upgrade of the server on a data directory, note that."""
    operator.say_ready()
    if upgraded:
        upgrade.Attempt.ended(upgraded)
        logger.info("dayfly %s serves", __version__)
        return
    print(f"serving http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
