"""Commands for a running server: each is a question or two to its admin API, and what to print of the answer."""

import functools
import inspect
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any

import typer

from dayfly import log
from dayfly.admin.client import Client
from dayfly.cli.options import DATA_DIRECTORY, DataDirectory, Json, Server, TenantName, Token, tenant_name
from dayfly.config import Tenant
from dayfly.errors import InvalidOption
from dayfly.log import logger, printable
from dayfly.toolchain import Source

Answer = Any
"""What a server answered; its shape stands in docs/admin-api.md."""

app = typer.Typer()

token = typer.Typer(no_args_is_help=True, help="Tokens, with which others may ask a running server.")

DIGITS = 16
"""Of a digest, where a release is shown: as many as the header `Dayfly-Release` has."""

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the history.")]
SomeTenant = Annotated[
    str | None, typer.Argument(metavar="TENANT", help="A tenant's name; default: that of the directory you are in.")
]
Assignments = Annotated[
    list[str] | None, typer.Argument(metavar="NAME=VALUE", help="What is to hold; without any, what holds is shown.")
]
Unset = Annotated[list[str] | None, typer.Option("--unset", metavar="NAME", help="Have it as dayfly.toml says again.")]


@dataclass(frozen=True)
class Asking:
    """A server to ask, and how to print what it says."""

    client: Client
    as_json: bool

    def say(self, answer: object, lines: Iterable[str]) -> None:
        """Print an answer, or the lines that say the same to a person."""
        if self.as_json:
            print(json.dumps(answer, indent=2))
            return
        for line in lines:
            print(printable(line))


_SHARED = [
    Parameter("server", Parameter.KEYWORD_ONLY, default=None, annotation=Server),
    Parameter("token", Parameter.KEYWORD_ONLY, default=None, annotation=Token),
    Parameter("data_dir", Parameter.KEYWORD_ONLY, default=DATA_DIRECTORY, annotation=DataDirectory),
    Parameter("as_json", Parameter.KEYWORD_ONLY, default=False, annotation=Json),
]


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which server, and an `Asking` made from them as its first argument."""
    _, *own = inspect.signature(command).parameters.values()

    @functools.wraps(command)
    def run(*, server: str | None, token: str | None, data_dir: Path, as_json: bool, **values: Any) -> None:  # noqa: ANN401
        log.to_standard_error()
        with Client.open(server, token, data_dir) as client:
            command(Asking(client, as_json), **values)

    parameters = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in own] + _SHARED
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


@app.command("deploy")
@asking
def deploy_command(
    ask: Asking,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A tenant directory.")] = Path(),
    canary: Annotated[
        str | None, typer.Option("--canary", metavar="10%", help="Give it this share of the requests, not all.")
    ] = None,
    why: Why = "",
) -> None:
    """Deploy a tenant directory to a running server; the old release serves until the new one answers."""
    start = time.perf_counter()
    tenant = Tenant.load(directory)
    share = None if canary is None else _share(canary)
    report = ask.client.deploy(tenant.name, Source.read(directory), why=why, canary=share)
    for warning in report["warnings"]:
        logger.warning("%s: %s", tenant.name, warning)
    ask.say(report, _deployed(report, (time.perf_counter() - start) * 1e3))


def _deployed(report: Answer, total_ms: float) -> Iterable[str]:
    yield from report["log"]
    for step, step_ms in report["steps_ms"].items():
        yield f"{step:>10} {step_ms:9.1f} ms"
    if report["unchanged"]:
        yield "unchanged: this release was recorded before"
    if report["canary"] is not None:
        yield f"canary: it gets {report['canary']:.4g} of the requests; then dayfly promote, or dayfly abort"
    yield f"live {report['release']['digest'][:DIGITS]} in {total_ms:.0f} ms"


@app.command("rollback")
@asking
def rollback_command(
    ask: Asking,
    tenant: SomeTenant = None,
    release: Annotated[
        str | None, typer.Argument(metavar="RELEASE", help="Its number or digest; default: the one before.")
    ] = None,
    why: Why = "",
) -> None:
    """Go back to the release before the current one, or to any that is recorded."""
    path = f"/v1/tenants/{_tenant(tenant)}"
    if release is None:
        state = ask.client.change("POST", f"{path}/rollback", why=why)
    else:
        state = ask.client.change("POST", f"{path}/activate", {"release": _release(release)}, why=why)
    ask.say(state, [f"live {_shown(state['release'])}"])


@app.command("releases")
@asking
def releases_command(ask: Asking, tenant: SomeTenant = None) -> None:
    """List the releases of a tenant, the newest first."""
    rows = ask.client.get(f"/v1/tenants/{_tenant(tenant)}/releases")
    table = [
        [
            "current" if row["is_current"] else "damaged" if row["is_damaged"] else "",
            str(row["number"]),
            row["digest"][:DIGITS],
            _moment(row["made_at"]),
            row["made_by"],
            row["why"],
        ]
        for row in rows
    ]
    ask.say(rows, _columns(["", "number", "release", "made", "by", "why"], table))


@app.command("ls")
@asking
def ls_command(ask: Asking) -> None:
    """List the tenants of a server."""
    tenants = ask.client.get("/v1/tenants")
    table = [
        [
            one["name"],
            one["tier"] or "",
            _shown(one["release"]),
            " ".join([*one["hosts"], *one["paths"]]),
            "does not serve" if one["failure"] else _canary(one["canary"]),
        ]
        for one in tenants
    ]
    ask.say(tenants, _columns(["tenant", "tier", "release", "where", ""], table))


def _canary(canary: Answer) -> str:
    if canary is None:
        return ""
    return "canary does not serve" if canary["failure"] else f"canary {canary['share']:.4g}"


@app.command("show")
@asking
def show_command(ask: Asking, tenant: SomeTenant = None) -> None:
    """Show a tenant: where it is, what it is on, and what holds for it."""
    state = ask.client.get(f"/v1/tenants/{_tenant(tenant)}")
    ask.say(state, _described(state))


def _described(state: Answer) -> Iterable[str]:
    yield f"tenant    {state['name']}, revision {state['revision']}"
    if state["release"]:
        yield f"where     {' '.join([*state['hosts'], *state['paths']])}"
        yield f"tier      {state['tier']}"
    yield f"release   {_shown(state['release'])}"
    if canary := state["canary"]:
        gets = f"{canary['share']:.4g} of the requests"
        yield f"canary    {_shown(canary)}, {canary['failure'] or gets}"
    if state["failure"]:
        yield f"failure   {state['failure']}"
    for name, value in (state["limits"] or {}).items():
        yield f"limit     {name} = {value}"
    for name, value in state["environment"].items():
        yield f"variable  {name}={value}"
    for name, has_value in state["secrets"].items():
        yield f"secret    {name}{'' if has_value else ' has no value; see dayfly secret set'}"


@app.command("rm")
@asking
def rm_command(ask: Asking, tenant: TenantName, why: Why = "") -> None:
    """Take a tenant away, with its secrets; requests in flight are finished."""
    path = f"/v1/tenants/{tenant_name(tenant)}"
    state, tag = ask.client.read_tagged(path)
    ask.client.change("DELETE", path, tag=tag, why=why)
    ask.say({"removed": state["name"]}, [f"removed {state['name']}"])


@app.command("limits")
@asking
def limits_command(ask: Asking, tenant: TenantName, values: Assignments = None, unset: Unset = None) -> None:
    """Show or set limits of a tenant that hold whatever its dayfly.toml says."""
    state = _override(ask, tenant, "limits", {name: _limit(value) for name, value in _pairs(values)}, unset)
    limits = state["limits"] or {}
    ask.say(limits, [f"{name} = {value}" for name, value in limits.items()])


@app.command("env")
@asking
def env_command(ask: Asking, tenant: TenantName, values: Assignments = None, unset: Unset = None) -> None:
    """Show or set variables of a tenant, besides those of its dayfly.toml or instead of them."""
    state = _override(ask, tenant, "environment", dict(_pairs(values)), unset)
    ask.say(state["environment"], [f"{name}={value}" for name, value in state["environment"].items()])


def _override(ask: Asking, tenant: str, what: str, values: dict[str, Any], unset: Sequence[str] | None) -> Answer:
    """Change what the operator has said, unless somebody else did meanwhile; return the tenant."""
    path = f"/v1/tenants/{tenant_name(tenant)}"
    state, tag = ask.client.read_tagged(path)
    if not values and not unset:
        return state
    said = ask.client.get(f"{path}/{what}")
    for name in unset or ():
        if said.pop(name, None) is None:
            raise InvalidOption(f"--unset cannot be `{name}`: nothing is set over dayfly.toml by that name")
    return ask.client.change("PUT", f"{path}/{what}", {**said, **values}, tag=tag)


@app.command("canary")
@asking
def canary_command(
    ask: Asking, tenant: TenantName, share: Annotated[str, typer.Argument(metavar="10%", help="Its share.")]
) -> None:
    """Change the share of the requests that a tenant's canary gets."""
    state = ask.client.change("PUT", f"/v1/tenants/{tenant_name(tenant)}/canary", {"share": _share(share)})
    ask.say(state, [f"canary {_shown(state['canary'])}, {state['canary']['share']:.4g} of the requests"])


@app.command("promote")
@asking
def promote_command(ask: Asking, tenant: SomeTenant = None, why: Why = "") -> None:
    """Make a tenant's canary its current release."""
    state = ask.client.change("POST", f"/v1/tenants/{_tenant(tenant)}/canary/promote", why=why)
    ask.say(state, [f"live {_shown(state['release'])}"])


@app.command("abort")
@asking
def abort_command(ask: Asking, tenant: SomeTenant = None, why: Why = "") -> None:
    """Take a tenant's canary away; the current release gets all requests again."""
    state = ask.client.change("DELETE", f"/v1/tenants/{_tenant(tenant)}/canary", why=why)
    ask.say(state, [f"live {_shown(state['release'])}"])


@app.command("logs")
@asking
def logs_command(
    ask: Asking,
    tenant: SomeTenant = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with the lines that come.")] = False,
    tail: Annotated[int, typer.Option("--tail", min=0, max=1000, help="How many of the last lines.")] = 100,
) -> None:
    """Print the end of a tenant's log, and follow it; with --json a line is an object."""
    try:
        for kind, data in ask.client.events(f"/v1/tenants/{_tenant(tenant)}/logs", follow=follow, tail=tail):
            if kind == "missed":
                logger.warning("%d lines were missed: they came faster than they were read", data)
            elif ask.as_json:
                print(json.dumps(data), flush=True)
            else:
                print(_log_line(data), flush=True)
    except KeyboardInterrupt:
        return


def _log_line(line: Answer) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(line["time"]))
    return printable(f"{moment} {line['level']} {line['request']}: {line['text']}")


@token.command("create")
@asking
def token_create_command(
    ask: Asking,
    scope: Annotated[
        list[str], typer.Option("--scope", metavar="admin|read|deploy:TENANT", help="What it allows; more than once.")
    ],
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Whose it is, or what for.")] = "",
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="30d", help="When it ends, in s, m, h or d; default: never.")
    ] = None,
) -> None:
    """Make a token and print it, this one time."""
    order = {"scopes": scope, "note": note, "expires_s": None if expires is None else _seconds(expires)}
    issued = ask.client.change("POST", "/v1/tokens", order)
    ask.say(issued, [issued["token"]])


@token.command("list")
@asking
def token_list_command(ask: Asking) -> None:
    """List the tokens, without what they are."""
    rows = ask.client.get("/v1/tokens")
    table = [
        [
            row["id"],
            " ".join(row["scopes"]),
            "revoked" if row["revoked_at"] else _moment(row["expires_at"]) if row["expires_at"] else "never",
            row["note"],
        ]
        for row in rows
    ]
    ask.say(rows, _columns(["token", "scopes", "expires", "note"], table))


@token.command("revoke")
@asking
def token_revoke_command(
    ask: Asking, token_id: Annotated[str, typer.Argument(metavar="ID", help="As `dayfly token list` shows it.")]
) -> None:
    """Make a token invalid, now and for ever."""
    if not token_id.isascii() or not token_id.isalnum():
        raise InvalidOption(f"a token cannot be `{token_id}`; dayfly token list shows them")
    ask.client.change("DELETE", f"/v1/tokens/{token_id}")
    ask.say({"revoked": token_id}, [f"revoked {token_id}"])


def _tenant(name: str | None) -> str:
    """Return a tenant's name; without one, that of the directory the command is called in."""
    return Tenant.load(Path()).name if name is None else tenant_name(name)


def _release(text: str) -> str | int:
    """Return a release as the server wants it: a number if it is one that is too short for a digest."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else text  # noqa: PLR2004


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise InvalidOption(f"a share cannot be `{text}`; allowed: more than 0 % and up to 100 %, like 10%")
    return share


def _limit(text: str) -> str | int:
    return int(text) if text.isascii() and text.isdigit() else text


def _pairs(values: Sequence[str] | None) -> list[tuple[str, str]]:
    pairs = [value.partition("=") for value in values or ()]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise InvalidOption(f"`{name}` says nothing; say NAME=VALUE, or --unset {name or 'NAME'}")
    return [(name, value) for name, _, value in pairs]


def _seconds(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    if not number.isascii() or not number.isdigit() or unit not in _UNITS_S:
        raise InvalidOption(f"--expires cannot be `{text}`; allowed: a number with s, m, h or d, like 30d")
    return int(number) * _UNITS_S[unit]


def _shown(release: Answer) -> str:
    if release is None:
        return "no release yet"
    return f"{release['digest'][:DIGITS]} ({release['number']})"


def _moment(text: str) -> str:
    """Return a time without what is below a second."""
    return datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%SZ")


def _columns(head: list[str], rows: list[list[str]]) -> list[str]:
    """Lay a table out."""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
