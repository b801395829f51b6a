"""`dayfly bench ...`: each command prints its table, or JSON for programs."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from dayfly.bench import connections as connections_bench
from dayfly.bench import (
    deploy,
    http,
    isolation,
    kill,
    limits,
    neighbours,
    peers,
    reload,
    restore,
    saturated,
    servers,
    spoiling,
    tails,
)
from dayfly.errors import InvalidOption

app = typer.Typer(no_args_is_help=True, help="Measure this machine: tables, or --json.")

Json = Annotated[bool, typer.Option("--json", help="Print a JSON list instead of the table.")]
Rounds = Annotated[int, typer.Option(min=1, help="Rounds in which the targets take turns.")]
ServerThreads = Annotated[int, typer.Option(min=1, help="I/O threads and processors of the server.")]


@app.command("restore")
def restore_command(
    seconds: Annotated[float, typer.Option(min=0.01, help="For each guest and protection.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="The least of at least nine rounds counts.")] = 9,
    as_json: Json = False,
) -> None:
    """Time a sandbox in process: an empty call of the engine, a request, its restore."""
    rows = restore.measure(restore.RestoreOptions(rounds, seconds))
    _show(as_json, rows, restore.to_table(rows))


@app.command("http")
def http_command(
    threads: Annotated[str, typer.Option(metavar="N,N,...", help="wrk's threads and connections.")] = "8,16,32,64",
    seconds: Annotated[float, typer.Option(min=0.1, help="For each target and number of threads.")] = 10,
    rounds: Rounds = 5,
    server_threads: ServerThreads = 1,
    as_json: Json = False,
) -> None:
    """Compare the seed program with the same page from the same HTTP code without a sandbox."""
    options = http.HttpOptions(_numbers("--threads", threads), seconds, rounds, server_threads)
    rows = http.measure(options, Console(stderr=True))
    _show(as_json, http.to_json(rows), http.to_table(rows))


@app.command("saturated")
def saturated_command(
    connections: Annotated[str, typer.Option(metavar="N,N,...", help="Connections of flood.")] = "8,64",
    seconds: Annotated[float, typer.Option(min=0.1, help="For each round of a target.")] = 0.5,
    rounds: Rounds = 21,
    as_json: Json = False,
) -> None:
    """Measure what a sandbox adds to a request while the server's processor never rests."""
    options = saturated.SaturatedOptions(_numbers("--connections", connections), seconds, rounds)
    rows = saturated.measure(options, Console(stderr=True))
    _show(as_json, saturated.to_json(rows), saturated.to_table(rows))


@app.command("deploy")
def deploy_command(
    rounds: Annotated[int, typer.Option(min=1, help="Deploys of each program.")] = 50, as_json: Json = False
) -> None:
    """Time the deploys of a changed program, step by step; the disk's syncs are part of it."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        series = deploy.measure(rounds, progress)
    _show(as_json, deploy.to_json(series), deploy.to_table(series))


@app.command("reload")
def reload_command(
    deploys: Annotated[int, typer.Option(min=1, help="Deploys, one after the other.")] = 1000,
    requests: Annotated[int, typer.Option(min=1, help="Requests that are answered meanwhile.")] = 1_000_000,
    as_json: Json = False,
) -> None:
    """Deploy under load and check every answer; the exit code is 1 if anybody noticed a deploy."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        result = reload.measure(deploys, requests, progress)
    _show(as_json, reload.to_json(result), reload.to_table(result))
    if not result.is_clean:
        raise typer.Exit(1)


@app.command("kill")
def kill_command(
    rounds: Annotated[int, typer.Option(min=1, help="Workers killed.")] = 9, as_json: Json = False
) -> None:
    """Kill workers under load, and stop the server: how soon there is an answer again, and what is lost."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        result = kill.measure(rounds, progress)
    _show(as_json, kill.to_json(result), kill.to_table(result))


@app.command("servers")
def servers_command(
    connections: Annotated[str, typer.Option(metavar="N,N,...", help="Connections of wrk.")] = "1,8,64",
    seconds: Annotated[float, typer.Option(min=0.1, help="For each server and number of connections.")] = 9,
    rounds: Rounds = 3,
    as_json: Json = False,
) -> None:
    """Compare the HTTP code without a sandbox with a bare epoll loop and with hyper 1."""
    options = servers.ServersOptions(_numbers("--connections", connections), seconds, rounds)
    rows = servers.measure(options, Console(stderr=True))
    _show(as_json, servers.to_json(rows), servers.to_table(rows))


@app.command("neighbours")
def neighbours_command(
    seconds: Annotated[float, typer.Option(min=1, help="For each run of the victim.")] = 1,
    rounds: Rounds = 9,
    server_threads: ServerThreads = 1,
    as_json: Json = False,
) -> None:
    """Compare the seed program alone with the seed program beside tenants that take all they can."""
    options = neighbours.NeighbourOptions(seconds, rounds, server_threads=server_threads)
    rows = neighbours.measure(options, Console(stderr=True))
    _show(as_json, neighbours.to_json(rows), neighbours.to_table(rows))


@app.command("connections")
def connections_command(
    connections: Annotated[int, typer.Option(min=1, help="How many wait.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long the idle server is watched.")] = 5,
    as_json: Json = False,
) -> None:
    """Measure memory of connections that wait, and the processor's share of a server that does nothing."""
    cost = connections_bench.measure(connections_bench.ConnectionOptions(connections, seconds))
    _show(as_json, connections_bench.to_json(cost), connections_bench.to_table(cost))


@app.command("limits")
def limits_command(
    requests: Annotated[int, typer.Option(min=1, help="Requests of each guest.")] = 100, as_json: Json = False
) -> None:
    """Measure how much CPU time requests get beyond their limit."""
    rows = limits.measure(limits.LimitOptions(requests))
    _show(as_json, limits.to_json(rows), limits.to_table(rows))


@app.command("isolation")
def isolation_command(
    requests: Annotated[int, typer.Option(min=10, help="For each protection.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Decides the order of the requests.")] = 0,
    server_threads: ServerThreads = 2,
    as_json: Json = False,
) -> None:
    """Send requests to good and hostile guests in random order, check every restore and every answer."""
    options = isolation.IsolationOptions(requests, seed, server_threads)
    rows = isolation.measure(options, ("userfault", "mprotect"), Console(stderr=True))
    _show(as_json, isolation.to_json(rows), isolation.to_table(rows))


@app.command("spoiling")
def spoiling_command(
    requests: Annotated[int, typer.Option(min=10, help="In all.")] = 1_000_000,
    server_threads: ServerThreads = 2,
    paranoid_every: Annotated[int, typer.Option(min=0, help="Check one restore in so many; 0: none.")] = 1,
    as_json: Json = False,
) -> None:
    """Let a Python program spoil modules, classes, builtins, files and more; compare what each request finds."""
    result = spoiling.measure(spoiling.SpoilingOptions(requests, server_threads, paranoid_every), Console(stderr=True))
    _show(as_json, spoiling.to_json(result), spoiling.to_table(result))


@app.command("tails")
def tails_command(
    rounds: Annotated[int, typer.Option(min=1, help="Each is one run of the victim.")] = 20,
    seconds: Annotated[float, typer.Option(min=1, help="For each run of the victim.")] = 2,
    as_json: Json = False,
) -> None:
    """Look for long tails of the seed program on two I/O threads beside a busy tenant, and for their reason."""
    rows = tails.measure(tails.TailOptions(rounds, seconds), Console(stderr=True))
    _show(as_json, tails.to_json(rows), tails.to_table(rows))


@app.command("peers")
def peers_command(
    programs: Annotated[str, typer.Option(metavar="NAME,NAME,...", help="Directories of bench/programs.")] = ",".join(
        program.name for program in peers.PROGRAMS
    ),
    seconds: Annotated[float, typer.Option(min=1, help="For each round of a server.")] = 1,
    rounds: Rounds = 3,
    as_json: Json = False,
) -> None:
    """Compare Python programs in sandboxes with servers that have none, and with a process for each request."""
    options = peers.PeerOptions(tuple(programs.split(",")), seconds, rounds)
    rows = peers.measure(options, Console(stderr=True))
    _show(as_json, peers.to_json(rows), peers.to_table(rows))


def _numbers(option: str, text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise InvalidOption(f"{option} cannot be `{text}`; allowed: numbers from 1, with commas between them")
    return tuple(map(int, parts))


def _show(as_json: bool, values: list[dict[str, Any]], table: Table) -> None:
    if as_json:
        print(json.dumps(values, indent=1))
    else:
        # A file has no width: there a table is as wide as it needs to be.
        console = Console()
        (console if console.is_terminal else Console(width=160)).print(table)
