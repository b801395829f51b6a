"""Words on the command line, one function call each."""

import getpass
import os
import re
import sys
import traceback
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from dayfly import __version__, log, server
from dayfly.bases import Bases
from dayfly.bench.cli import app as bench
from dayfly.config import NAME, VARIABLE, Tenant
from dayfly.core import CoreOptions, NativeCore, Protection, ServerOptions
from dayfly.deploy import Deployed, Steps, Workshop, build, captured, check, deploy, ensure_base, mebibytes, resume
from dayfly.errors import DayflyError, ExitCode, InvalidOption, RegistryError
from dayfly.log import TenantLogs, logger, printable
from dayfly.registry import Registry
from dayfly.release import Made
from dayfly.resolver import Resolver, ResolverOptions
from dayfly.toolchain.toolchain import code_cache

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

app.add_typer(bench, name="bench")

base = typer.Typer(no_args_is_help=True, help="CPython as a snapshot, on which all tenants of tier `python` stand.")
app.add_typer(base, name="base")

secret = typer.Typer(no_args_is_help=True, help="Values of the secrets that tenants name in dayfly.toml.")
app.add_typer(secret, name="secret")

THREADS_MAX = 64
"""As in the core."""

Directories = Annotated[
    list[Path] | None, typer.Argument(metavar="DIR", help="Tenant directories; default: the examples.")
]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A tenant directory.")]
DataDirectory = Annotated[Path, typer.Option("--data-dir", metavar="DIR", help="Where releases are kept.")]
TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="A tenant's name.")]
SecretName = Annotated[str, typer.Argument(metavar="NAME", help="A name of its `secrets`.")]
SECRET_BYTES_MAX = 64 << 10
DATA_DIRECTORY = Path(".dayfly")
Index = Annotated[
    str,
    typer.Option("--index", metavar="URL", help="Package index; default: DAYFLY_INDEX, else pip's."),
]


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


@app.command("serve")
def serve_command(
    directories: Directories = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 8080,
    listen: Annotated[list[str] | None, typer.Option(metavar="unix:PATH", help="Listen there too.")] = None,
    threads: Annotated[int, typer.Option(min=0, max=THREADS_MAX, help="I/O threads; 0: one for each processor.")] = 0,
    overflow_threads: Annotated[
        int, typer.Option(min=0, max=THREADS_MAX, help="Threads for slow requests; 0: one for each processor.")
    ] = 0,
    spin: Annotated[
        str, typer.Option(metavar="auto|N", help="Microseconds of polling before sleep; 0 on shared cores.")
    ] = "auto",
    data_dir: DataDirectory = DATA_DIRECTORY,
    index: Index = "",
    baseline_path: Annotated[
        str | None, typer.Option(metavar="PATH", help="Answer a fixed page there without a sandbox.")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None, typer.Option(metavar="CIDR|unix", help="Believe what these say about the client.")
    ] = None,
    protection: Annotated[Protection, typer.Option(help="How first writes are noticed.")] = "auto",
    paranoid: Annotated[bool, typer.Option("--paranoid", help="Check every restore; slow.")] = False,
) -> None:
    """Deploy the tenant directories and serve them, with those deployed before, until SIGTERM or Ctrl-C."""
    log.to_standard_error()
    options = ServerOptions(
        host=host,
        port=port,
        unix_paths=tuple(_unix_path(address) for address in listen or ()),
        trusted_proxies=tuple(trusted_proxy or ()),
        baseline_path=baseline_path,
    )
    tenants = _tenants(directories)
    spin_us = _spin(spin)
    with Registry.open(data_dir) as registry:
        core = NativeCore(
            CoreOptions(
                code_cache=code_cache(),
                protection=protection,
                paranoid=paranoid,
                threads=threads,
                overflow_threads=overflow_threads,
                spin_us=spin_us,
            )
        )
        with closing(TenantLogs(registry.log_directory)) as logs:
            _deploy_all(tenants, _workshop(index), registry, core, logs)
            server.serve(core, options, logs, _say_ready)


@app.command("build")
def build_command(directory: Directory, data_dir: DataDirectory = DATA_DIRECTORY, index: Index = "") -> None:
    """Build a tenant directory and record its release, for the next `dayfly serve` to use."""
    log.to_standard_error()
    tenant = Tenant.load(directory)
    with Registry.open(data_dir) as registry:
        built = build(tenant, directory, workshop=_workshop(index), registry=registry, core=_core())
        with closing(TenantLogs(registry.log_directory)) as logs:
            logs.write_init(tenant.name, built.release.digest, built.init_log)
    _warn(tenant.name, captured(built.snapshot))
    print(f"built {built.release.digest} in {built.steps.total_ms:.0f} ms")


@app.command("check")
def check_command(directory: Directory, index: Index = "") -> None:
    """Say whether a tenant directory would be accepted; keeps nothing."""
    log.to_standard_error()
    tenant = Tenant.load(directory)
    made = check(tenant, directory, workshop=_workshop(index), core=_core())
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
    ensure_base(Bases(), _core(), Steps())
    base_info_command()


@base.command("info")
def base_info_command() -> None:
    """Print which base this machine has for this version of dayfly."""
    directory = Bases().known()
    if directory is None:
        raise RegistryError("there is no base for this version of dayfly; make it: dayfly base build")
    print(f"base {directory.name}\n{mebibytes(directory):.1f} MiB in {directory}")


@secret.command("set")
def secret_set_command(tenant: TenantName, name: SecretName, data_dir: DataDirectory = DATA_DIRECTORY) -> None:
    """Read a value from standard input, and keep it for the tenant; the next `dayfly serve` has it."""
    log.to_standard_error()
    value = _secret_value(name)
    with Registry.open(data_dir) as registry:
        registry.set_secret(_tenant_name(tenant), _secret_name(name), value)
        if tenant not in registry.names():
            logger.warning("tenant `%s` is not in this data directory yet; if the name is right, deploy it", tenant)


@secret.command("remove")
def secret_remove_command(tenant: TenantName, name: SecretName, data_dir: DataDirectory = DATA_DIRECTORY) -> None:
    """Forget a value."""
    with Registry.open(data_dir) as registry:
        if _secret_name(name) not in registry.secrets(_tenant_name(tenant)):
            raise InvalidOption(f"tenant `{tenant}` has no secret `{name}`")
        registry.set_secret(tenant, name, None)


@secret.command("list")
def secret_list_command(tenant: TenantName, data_dir: DataDirectory = DATA_DIRECTORY) -> None:
    """Print the names, never a value."""
    with Registry.open(data_dir) as registry:
        names = sorted(registry.secrets(_tenant_name(tenant)))
    print("\n".join(names) or f"tenant `{tenant}` has no secrets")


def _secret_value(name: str) -> str:
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


def _tenant_name(name: str) -> str:
    if not re.fullmatch(NAME, name):
        raise InvalidOption(f"a tenant cannot be `{name}`; allowed: {Tenant.model_fields['name'].description}")
    return name


def _secret_name(name: str) -> str:
    if not re.fullmatch(VARIABLE, name):
        raise InvalidOption(f"a secret cannot be `{name}`; allowed: names of variables")
    return name


def _core() -> NativeCore:
    return NativeCore(CoreOptions(code_cache=code_cache()))


def _workshop(index: str) -> Workshop:
    return Workshop(resolver=Resolver(ResolverOptions(index=index)))


def _size(made: Made) -> str:
    if made.parent:
        return f"{len(made.snapshot.image) / 2**20:.1f} MiB beyond its parent {made.parent[:12]}"
    return f"{len(made.snapshot.code)} bytes of code"


def _restored(made: Made) -> str:
    fresh = made.snapshot.fresh
    return f"a new instance for each request: {fresh}" if fresh else "restored for each request"


def _warn(name: str, lines: list[str]) -> None:
    for line in lines:
        logger.warning("%s: %s", name, line)


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


def _tenants(directories: list[Path] | None) -> dict[str, tuple[Tenant, Path]]:
    """Read what the tenant directories say, before anything is built."""
    tenants: dict[str, tuple[Tenant, Path]] = {}
    for directory in directories if directories is not None else _examples():
        tenant = Tenant.load(directory)
        if tenant.name in tenants:
            raise InvalidOption(
                f"`{tenants[tenant.name][1]}` and `{directory}` are both tenant `{tenant.name}`; "
                "set another `name` in one dayfly.toml"
            )
        tenants[tenant.name] = tenant, directory
    return tenants


def _examples() -> list[Path]:
    """Return the examples beside the sources; an installed wheel has none."""
    return sorted(file.parent for file in Path(__file__).parents[2].glob("examples/*/app.py"))


def _deploy_all(
    tenants: dict[str, tuple[Tenant, Path]],
    workshop: Workshop,
    registry: Registry,
    core: NativeCore,
    logs: TenantLogs,
) -> None:
    """Deploy the given tenants, and resume those deployed before. One bad directory refuses the start."""
    for tenant, directory in tenants.values():
        deployed = deploy(tenant, directory, workshop=workshop, registry=registry, core=core)
        logs.write_init(tenant.name, deployed.release.digest, deployed.init_log)
        _warn(tenant.name, captured(deployed.snapshot))
        _say_live(deployed)
    others = [name for name in registry.names() if name not in tenants]
    resumed = [name for name in others if _resume(name, workshop, registry, core)]
    if not tenants and not resumed:
        raise RegistryError("no tenant to serve; name a tenant directory: dayfly serve DIR")


def _resume(name: str, workshop: Workshop, registry: Registry, core: NativeCore) -> bool:
    """Resume one tenant; a damaged one is reported and does not keep the others from serving."""
    try:
        resume(name, workshop=workshop, registry=registry, core=core)
    except RegistryError as error:
        logger.error("%s", error)
        return False
    return True


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
