"""Commands that work on this machine, without a server: new, test, check, build, doctor, prune, base."""

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dayfly import doctor, log, samples
from dayfly.bases import Bases
from dayfly.choices import Template
from dayfly.cli.making import make_core, make_workshop, say_captured
from dayfly.cli.options import (
    DATA_DIRECTORY,
    Database,
    DataDirectory,
    Directory,
    Here,
    Host,
    Index,
    Json,
    Port,
    show,
)
from dayfly.config import CONFIG_NAME, Tenant
from dayfly.deploy import Steps, build, captured, check, ensure_base, mebibytes
from dayfly.errors import ConfigError, ExitCode, RegistryError
from dayfly.log import TenantLogs, printable
from dayfly.registry import Key, Registry
from dayfly.release import Made
from dayfly.scaffold import scaffold

app = typer.Typer()

key = typer.Typer(no_args_is_help=True, help="The key that secrets are sealed with.")

base = typer.Typer(no_args_is_help=True, help="CPython as a snapshot, on which all tenants of tier `python` stand.")

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@app.command("new")
def new_command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A directory that is new or empty.")] = Path(),
    template: Annotated[Template, typer.Option(help="What it begins as.")] = "hello",
    as_json: Json = False,
) -> None:
    """Begin a tenant directory from a template: a program, sample requests, and what to do next.

    Nothing that is there is overwritten.
    """
    tenant = scaffold(directory, template)
    files = sorted(file.relative_to(directory).as_posix() for file in directory.rglob("*") if file.is_file())
    where = "" if directory == Path() else f"cd {directory} && "
    text = f"made tenant `{tenant.name}`: {', '.join(files)}\nnext: {where}dayfly dev"
    show(as_json, {"tenant": tenant.name, "directory": str(directory), "files": files}, text)


@app.command("test")
def sample_command(directory: Here = Path(), index: Index = "", as_json: Json = False) -> None:
    """Send the sample requests of a directory to its program, each in a sandbox of its own; keeps nothing.

    Exit code 1 if one is not answered as dayfly.toml says. The time is CPU time in a new sandbox, where each page is
    written to for the first time: requests that follow cost less.
    """
    log.to_standard_error()
    tenant = Tenant.load(directory)
    if not tenant.sample_requests:
        raise ConfigError(f"{directory / CONFIG_NAME}: there are no `sample_requests` to send; add some")
    outcomes = samples.run(tenant, directory, workshop=make_workshop(index), core=make_core())
    failed = sum(bool(outcome.problem) for outcome in outcomes)
    if as_json:
        show(as_json, [_outcome_facts(outcome) for outcome in outcomes], "")
    else:
        _show_outcomes(tenant.name, outcomes)
    if failed:
        raise typer.Exit(ExitCode.REFUSED)


@app.command("check")
def check_command(directory: Here = Path(), index: Index = "", as_json: Json = False) -> None:
    """Say whether a tenant directory would be accepted; keeps nothing."""
    log.to_standard_error()
    tenant = Tenant.load(directory)
    made = check(tenant, directory, workshop=make_workshop(index), core=make_core())
    notes = captured(made.snapshot)
    lines = [*notes, f"accepted, tier `{tenant.tier}`, {_size(made)}, {_restored(made)}"]
    facts = {
        "tenant": tenant.name,
        "tier": tenant.tier,
        "image_bytes": len(made.snapshot.image),
        "code_bytes": len(made.snapshot.code),
        "parent": made.parent,
        "fresh": made.snapshot.fresh,
        "notes": notes,
    }
    show(as_json, facts, "\n".join(f"{tenant.name}: {line}" for line in lines))


@app.command("build")
def build_command(
    directory: Directory,
    data_dir: DataDirectory = DATA_DIRECTORY,
    database: Database = None,
    index: Index = "",
    as_json: Json = False,
) -> None:
    """Build a tenant directory and record its release, for the next `dayfly serve` to use."""
    log.to_standard_error()
    tenant = Tenant.load(directory)
    with Registry.open(data_dir, database_url=database) as registry:
        built = build(tenant, directory, workshop=make_workshop(index), registry=registry, core=make_core())
        with closing(TenantLogs(registry.log_directory)) as logs:
            logs.write_init(tenant.name, built.release.digest, built.init_log)
    say_captured(tenant.name, built.snapshot)
    facts = {
        "tenant": tenant.name,
        "release": built.release.digest,
        "unchanged": built.unchanged,
        "steps_ms": {name: round(seconds * 1e3, 3) for name, seconds in built.steps.seconds.items()},
    }
    show(as_json, facts, f"built {built.release.digest} in {built.steps.total_ms:.0f} ms")


@app.command("doctor")
def doctor_command(
    data_dir: DataDirectory = DATA_DIRECTORY, host: Host = "127.0.0.1", port: Port = 8080, as_json: Json = False
) -> None:
    """Look at the kernel, limits, processor, places and tools, and say what is missing and what to do.

    Each line is `ok`, `warn` (dayfly works, but less well) or `fail` (something does not work). Exit code 1 if one
    fails.
    """
    findings = list(doctor.examine(doctor.Place(data_dir, host, port)))
    if as_json:
        show(as_json, [asdict(finding) for finding in findings], "")
    else:
        width = max(len(finding.check) for finding in findings)
        console = _console()
        for finding in findings:
            line = Text.assemble(
                (f"{finding.level:<5}", _COLOURS[finding.level]),
                f"{finding.check:<{width}}  {printable(finding.found)}",
                (f"; {finding.cure}" if finding.cure else "", "dim"),
            )
            console.print(line)
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(ExitCode.REFUSED)


@app.command("prune")
def prune_command(data_dir: DataDirectory = DATA_DIRECTORY, database: Database = None, as_json: Json = False) -> None:
    """Remove the releases of a data directory that no tenant is on, and bases and layers that no release needs."""
    log.to_standard_error()
    with Registry.open(data_dir, database_url=database) as registry:
        removed = registry.prune()
    show(as_json, removed, "\n".join([*removed, f"{len(removed)} removed"]))


@app.command("audit")
def audit_command(data_dir: DataDirectory = DATA_DIRECTORY, database: Database = None, as_json: Json = False) -> None:
    """Check that no entry of the history was changed, and print number and digest of the last one.

    Note those elsewhere: whoever can write to the database can write the whole history again, and not to that digest.
    """
    log.to_standard_error()
    with Registry.open(data_dir, database_url=database) as registry:
        number, digest = registry.verify_audit()
    show(as_json, {"entries": number, "digest": digest}, f"{number} {digest}")


@key.command("change")
def key_change_command(
    data_dir: DataDirectory = DATA_DIRECTORY,
    database: Database = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="The new one; default: one that is made there."),
    ] = None,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the history.")] = "",
    as_json: Json = False,
) -> None:
    """Seal all secrets with another key, while no server runs; a crash leaves all under one of the two."""
    log.to_standard_error()
    with Registry.open(data_dir, database_url=database) as registry:
        registry.change_key(Key.read(to) if to else None, why=why)
    where = to or data_dir / "key"
    show(as_json, {"key": str(where)}, f"sealed with {where}{'; set DAYFLY_KEY_FILE to it' if to else ''}")


@base.command("build")
def base_build_command(as_json: Json = False) -> None:
    """Make the base if this machine has none for this version; a deploy does it too."""
    log.to_standard_error()
    ensure_base(Bases(), make_core(), Steps())
    base_info_command(as_json)


@base.command("info")
def base_info_command(as_json: Json = False) -> None:
    """Print which base this machine has for this version of dayfly."""
    directory = Bases().known()
    if directory is None:
        raise RegistryError("there is no base for this version of dayfly; make it: dayfly base build")
    facts = {"base": directory.name, "directory": str(directory), "mebibytes": round(mebibytes(directory), 1)}
    show(as_json, facts, f"base {directory.name}\n{mebibytes(directory):.1f} MiB in {directory}")


def _outcome_facts(outcome: samples.Outcome) -> dict[str, Any]:
    return {
        "method": outcome.sample.method,
        "target": outcome.target,
        "status": outcome.answer.status,
        "cpu_ns": outcome.answer.cpu_ns,
        "pages": outcome.answer.pages,
        "passed": not outcome.problem,
        "problem": outcome.problem,
        "failure": outcome.answer.failure,
        "log": [text for _, text in outcome.answer.log],
    }


def _show_outcomes(name: str, outcomes: list[samples.Outcome]) -> None:
    """Print a table, and below it what the programs of failed requests said."""
    console = _console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "request", "status", "CPU", "pages"):
        table.add_column(column, justify="left" if column in {"", "request"} else "right")
    for outcome in outcomes:
        answer = outcome.answer
        mark = Text("fail", "bold red") if outcome.problem else Text("pass", "green")
        request = Text(printable(f"{outcome.sample.method} {outcome.target}"))
        table.add_row(mark, request, f"{answer.status}", log.cpu_time(answer.cpu_ns), f"{answer.pages}")
    console.print(table)
    for outcome in outcomes:
        if outcome.problem:
            console.print(Text(printable(f"{outcome.sample.method} {outcome.target}: {outcome.problem}"), "red"))
            said = filter(None, [outcome.answer.failure, *(text for _, text in outcome.answer.log)])
            for line in "\n".join(said).splitlines():
                console.print(Text(f"    {printable(line)}"))
    failed = sum(bool(outcome.problem) for outcome in outcomes)
    console.print(f"{name}: {len(outcomes) - failed} passed, {failed} failed", highlight=False)


def _console() -> Console:
    """Return where tables go; a file has no width, so there they are as wide as they need to be."""
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(width=160, highlight=False, soft_wrap=True)


def _size(made: Made) -> str:
    if made.parent:
        return f"{len(made.snapshot.image) / 2**20:.1f} MiB beyond its parent {made.parent[:12]}"
    return f"{len(made.snapshot.code)} bytes of code"


def _restored(made: Made) -> str:
    fresh = made.snapshot.fresh
    return f"a new instance for each request: {fresh}" if fresh else "restored for each request"
