"""Commands that work on this machine, without a server: build, check, prune, base."""

from contextlib import closing

import typer

from dayfly import log
from dayfly.bases import Bases
from dayfly.cli.options import DATA_DIRECTORY, DataDirectory, Directory, Index, make_core, make_workshop, say_captured
from dayfly.config import Tenant
from dayfly.deploy import Steps, build, captured, check, ensure_base, mebibytes
from dayfly.errors import RegistryError
from dayfly.log import TenantLogs
from dayfly.registry import Registry
from dayfly.release import Made

app = typer.Typer()

base = typer.Typer(no_args_is_help=True, help="CPython as a snapshot, on which all tenants of tier `python` stand.")


@app.command("build")
def build_command(directory: Directory, data_dir: DataDirectory = DATA_DIRECTORY, index: Index = "") -> None:
    """Build a tenant directory and record its release, for the next `dayfly serve` to use."""
    log.to_standard_error()
    tenant = Tenant.load(directory)
    with Registry.open(data_dir) as registry:
        built = build(tenant, directory, workshop=make_workshop(index), registry=registry, core=make_core())
        with closing(TenantLogs(registry.log_directory)) as logs:
            logs.write_init(tenant.name, built.release.digest, built.init_log)
    say_captured(tenant.name, built.snapshot)
    print(f"built {built.release.digest} in {built.steps.total_ms:.0f} ms")


@app.command("check")
def check_command(directory: Directory, index: Index = "") -> None:
    """Say whether a tenant directory would be accepted; keeps nothing."""
    log.to_standard_error()
    tenant = Tenant.load(directory)
    made = check(tenant, directory, workshop=make_workshop(index), core=make_core())
    for line in captured(made.snapshot):
        print(f"{tenant.name}: {line}")
    print(f"{tenant.name}: accepted, tier `{tenant.tier}`, {_size(made)}, {_restored(made)}")


@app.command("prune")
def prune_command(data_dir: DataDirectory = DATA_DIRECTORY) -> None:
    """Remove the releases of a data directory that no tenant is on, and bases and layers that no release needs."""
    log.to_standard_error()
    with Registry.open(data_dir) as registry:
        removed = registry.prune()
    print("\n".join([*removed, f"{len(removed)} removed"]))


@base.command("build")
def base_build_command() -> None:
    """Make the base if this machine has none for this version; a deploy does it too."""
    log.to_standard_error()
    ensure_base(Bases(), make_core(), Steps())
    base_info_command()


@base.command("info")
def base_info_command() -> None:
    """Print which base this machine has for this version of dayfly."""
    directory = Bases().known()
    if directory is None:
        raise RegistryError("there is no base for this version of dayfly; make it: dayfly base build")
    print(f"base {directory.name}\n{mebibytes(directory):.1f} MiB in {directory}")


def _size(made: Made) -> str:
    if made.parent:
        return f"{len(made.snapshot.image) / 2**20:.1f} MiB beyond its parent {made.parent[:12]}"
    return f"{len(made.snapshot.code)} bytes of code"


def _restored(made: Made) -> str:
    fresh = made.snapshot.fresh
    return f"a new instance for each request: {fresh}" if fresh else "restored for each request"
