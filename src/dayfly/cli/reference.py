"""`docs/cli.md`, made from the commands: `python -m dayfly.cli.reference`."""

import inspect
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo, CommandInfo, OptionInfo, ParameterInfo

from dayfly.cli import COMMANDS, EXAMPLES, commands_with


def page() -> str:
    """Write the reference of the command line."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# The command line"
    yield ""
    yield "Made from the commands by `make reference`. `dayfly --install-completion` teaches your shell to complete"
    yield "them. Exit codes are 0 for done, 1 for refused, 2 for words that mean nothing, 3 for a server that cannot be"
    yield "reached, and 70 for a bug in dayfly: [operations](operations.md#exit-codes)."
    yield ""
    yield "```sh"
    yield from EXAMPLES
    yield "```"
    panel = ""
    for name, entry in COMMANDS.items():
        if entry.panel != panel:
            panel = entry.panel
            yield from ("", f"## {panel}")
        yield from _commands(name)


def _commands(name: str) -> Iterator[str]:
    entry, commands = COMMANDS[name], commands_with(name)
    if not entry.group:
        (command,) = [command for command in commands.registered_commands if command.name == name]
        yield from _command(f"dayfly {name}", command, "###")
        return
    yield from ("", f"### dayfly {name}", "", entry.help)
    for command in commands.registered_commands:
        yield from _command(f"dayfly {name} {command.name}", command, "####")


def _command(words: str, command: CommandInfo, heading: str) -> Iterator[str]:
    function = command.callback or page
    parameters = list(_parameters(function))
    usage = [words, *(_name(name, info) for name, info, _ in parameters if isinstance(info, ArgumentInfo))]
    options = [info for _, info, _ in parameters if isinstance(info, OptionInfo)]
    yield from ("", f"{heading} {words}", "", inspect.cleandoc(function.__doc__ or ""))
    yield from ("", "```text", " ".join([*usage, *(["[OPTIONS]"] if options else [])]), "```")
    if parameters:
        yield from ("", "| | default | |", "|---|---|---|")
        for name, info, default in parameters:
            yield f"| `{_cell(_name(name, info))}` | {_default(default)} | {_cell(info.help or '')} |"


def _parameters(function: Callable[..., object]) -> Iterator[tuple[str, ParameterInfo, object]]:
    """Give name, description and default of all arguments and options."""
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        (info,) = [item for item in hints[name].__metadata__ if isinstance(item, ParameterInfo)]
        if isinstance(info, OptionInfo) and hints[name].__origin__ is not bool and not info.metavar:
            info = copy(info)
            info.metavar = _kind(hints[name].__origin__)
        yield name, info, parameter.default


def _kind(value: object) -> str:
    """Say what an option may be."""
    if get_origin(value) is Literal:
        return "|".join(get_args(value))
    return {int: "N", float: "NUMBER"}.get(value, "TEXT") if isinstance(value, type) else "TEXT"


def _name(name: str, info: ParameterInfo) -> str:
    if isinstance(info, ArgumentInfo):
        return info.metavar or name.upper()
    # In an annotation typer keeps the first flag where a default would stand.
    first = [info.default] if isinstance(info.default, str) else []
    flag = ", ".join([*first, *(info.param_decls or ())] or [f"--{name.replace('_', '-')}"])
    return f"{flag} {info.metavar}" if info.metavar else flag


def _default(value: object) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    if value is None or value is False or value == "":
        return ""
    return "here" if value == Path() else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
