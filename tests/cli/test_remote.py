"""What client commands make of their words, before and after they ask a server."""

from pathlib import Path
from typing import Any

import pytest
import typer

from dayfly.cli import COMMANDS, commands_with, remote
from dayfly.errors import InvalidOption
from tests.conftest import Run


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("100%", 1.0), ("0.25", 0.25), ("1", 1.0), ("0.5%", 0.005)])
def test_a_share_is_read(text: str, share: float) -> None:
    """In hundredths, or as a part of one."""
    assert remote._share(text) == pytest.approx(share)  # noqa: SLF001 - its own claim


@pytest.mark.parametrize("text", ["0", "0%", "-1", "101%", "2", "half", "", "%", "nan", "inf", "10 percent"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    """With what is allowed."""
    with pytest.raises(InvalidOption, match="a share cannot be"):
        remote._share(text)  # noqa: SLF001 - its own claim


@pytest.mark.parametrize(
    ("text", "release"), [("7", 7), ("1234567", 1_234_567), ("12345678", "12345678"), ("ab12cd34", "ab12cd34")]
)
def test_a_release_is_a_number_or_a_digest(text: str, release: str | int) -> None:
    """Eight digits and more are a digest's."""
    assert remote._release(text) == release  # noqa: SLF001 - its own claim


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("2h", 7200), ("30d", 2_592_000)])
def test_a_time_is_read(text: str, seconds: int) -> None:
    """In the unit that it says."""
    assert remote._seconds(text) == seconds  # noqa: SLF001 - its own claim


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1w", "1.5h", "\u0663d"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    """With what is allowed."""
    with pytest.raises(InvalidOption, match="--expires cannot be"):
        remote._seconds(text)  # noqa: SLF001 - its own claim


def test_assignments_are_read() -> None:
    """The value may hold anything, also nothing."""
    assert remote._pairs(["A=1", "B=", "C=a=b"]) == [("A", "1"), ("B", ""), ("C", "a=b")]  # noqa: SLF001 - its own claim
    for bad in ("A", "=1", ""):
        with pytest.raises(InvalidOption, match="says nothing; say NAME=VALUE"):
            remote._pairs([bad])  # noqa: SLF001 - its own claim


@pytest.mark.parametrize("name", [name for name, entry in COMMANDS.items() if entry.module == "remote"])
def test_every_command_takes_a_server_and_prints_json(name: str) -> None:
    """And a token; those of a group too."""
    group: Any = typer.main.get_group(commands_with(name))
    commands = group.commands.values() if COMMANDS[name].group else [group.commands[name]]
    for command in commands:
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--server", "--token", "--json", "--data-dir"} <= options


@pytest.mark.parametrize(
    "words",
    [
        ["rm", "../shop"],
        ["show", "Shop"],
        ["deploy", "nowhere"],
        ["token", "create"],
        ["token", "revoke", "../tenants"],
        ["logs", "shop", "--tail", "-1"],
        ["ls", "--server", "gopher://here"],
        ["ls", "--verbose"],
    ],
)
def test_words_that_mean_nothing_are_refused(run: Run, words: list[str], tmp_path: Path) -> None:
    """Before a server is asked, or because there is none: nothing is printed as if it were an answer."""
    done = run(*words)
    assert done.returncode in {1, 2, 3}
    assert done.stdout == ""
    assert done.stderr
    assert not (tmp_path / ".dayfly").exists()
