"""`dayfly serve`: deploy, resume, and answer until a signal."""

from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dayfly import log, server
from dayfly.cli.options import (
    DATA_DIRECTORY,
    DataDirectory,
    Directories,
    Host,
    Index,
    Port,
    make_workshop,
    say_captured,
)
from dayfly.config import Tenant
from dayfly.core import Core, CoreOptions, NativeCore, Protection, ServerOptions
from dayfly.deploy import Deployed, Workshop, deploy, resume
from dayfly.errors import InvalidOption, RegistryError
from dayfly.fingerprint import Fingerprint
from dayfly.log import TenantLogs, logger
from dayfly.registry import Actor, Registry
from dayfly.toolchain import Source
from dayfly.toolchain.toolchain import code_cache
from dayfly.watch import Watcher, expanded

app = typer.Typer()

THREADS_MAX = 64
"""As in the core."""


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
    index: Index = "",
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
) -> None:
    """Deploy the tenant directories and serve them, with those deployed before, until SIGTERM or Ctrl-C.

    A directory that is no tenant's stands for the tenants in it. What changes, comes or goes there while the server
    runs is deployed or taken away; a failure leaves the release before.
    """
    log.to_standard_error()
    options = ServerOptions(
        host=host,
        port=port,
        unix_paths=tuple(_unix_path(address) for address in listen or ()),
        trusted_proxies=tuple(trusted_proxy or ()),
        baseline_path=baseline_path,
    )
    places = directories or []
    tenants = _tenants(expanded(places))
    spin_us = _spin(spin)
    with Registry.open(data_dir) as registry:
        core = NativeCore(
            CoreOptions(
                code_cache=code_cache(),
                protection=protection,
                paranoid_every=paranoid_every,
                threads=threads,
                overflow_threads=overflow_threads,
                spin_us=spin_us,
            )
        )
        with closing(TenantLogs(registry.log_directory)) as logs:
            site = _Site(make_workshop(index), registry, core, logs)
            watcher = Watcher(places, site)
            _deploy_all(tenants, site, watcher)
            with watcher.running() if watch else nullcontext():
                server.serve(core, options, logs, _say_ready)


@dataclass(frozen=True)
class _Site:
    """What a deploy needs, at the start and while directories are watched."""

    workshop: Workshop
    registry: Registry
    core: Core
    logs: TenantLogs

    def deploy(self, tenant: Tenant, source: Path | Source) -> None:
        """Deploy a directory, or what was read of it."""
        deployed = deploy(tenant, source, workshop=self.workshop, registry=self.registry, core=self.core)
        self.logs.write_init(tenant.name, deployed.release.digest, deployed.init_log)
        say_captured(tenant.name, deployed.snapshot)
        _say_live(deployed)

    def remove(self, name: str) -> None:
        """Have a tenant serve nothing, now and after the next start; what it has in the data directory stays."""
        self.registry.withdraw(name, by=Actor("watch"), why="its directory is gone")
        self.core.retire(name)

    def resume(self, name: str) -> bool:
        """Resume one tenant; a damaged one is reported and does not keep the others from serving."""
        try:
            resume(name, workshop=self.workshop, registry=self.registry, core=self.core)
        except RegistryError as error:
            logger.error("%s", error)
            return False
        return True


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


def _tenants(directories: list[Path]) -> dict[str, tuple[Tenant, Path]]:
    """Read what the tenant directories say, before anything is built."""
    tenants: dict[str, tuple[Tenant, Path]] = {}
    for directory in directories:
        tenant = Tenant.load(directory)
        if tenant.name in tenants:
            raise InvalidOption(
                f"`{tenants[tenant.name][1]}` and `{directory}` are both tenant `{tenant.name}`; "
                "set another `name` in one dayfly.toml"
            )
        tenants[tenant.name] = tenant, directory
    return tenants


def _deploy_all(tenants: dict[str, tuple[Tenant, Path]], site: _Site, watcher: Watcher) -> None:
    """Deploy the given tenants, and resume those deployed before. One bad directory refuses the start."""
    for tenant, directory in tenants.values():
        with suppress(OSError):  # the deploy says it better
            watcher.adopt(directory, tenant.name, Fingerprint.of(directory))
        site.deploy(tenant, directory)
    others = [name for name in site.registry.names() if name not in tenants]
    resumed = [name for name in others if site.resume(name)]
    if not tenants and not resumed:
        raise RegistryError("no tenant to serve; name a tenant directory: dayfly serve DIR")


def _say_live(deployed: Deployed) -> None:
    release = deployed.release
    what = "unchanged" if deployed.unchanged else "live"
    logger.info(
        "%s: release %s %s, tier `%s` (%s)",
        release.tenant.name,
        release.digest[:12],
        what,
        release.tenant.tier,
        deployed.steps,
    )


def _say_ready(host: str, port: int) -> None:
    """Print the one line that scripts wait for."""
    print(f"serving http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
