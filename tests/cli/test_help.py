"""The page of all commands, and the table that it is made of."""

import os
import subprocess
import sys
from importlib import import_module

import pytest
import typer

from dayfly.cli import COMMANDS, EXAMPLES, app, load
from tests.conftest import Run


def test_the_page_names_every_command_and_shows_examples(run: Run) -> None:
    """In panels: who serves, who develops, who deploys."""
    done = run("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for panel in ("Serve", "Develop", "Deploy", "Operate", "Measure"):
        assert f"─ {panel} ─" in done.stdout
    for name, entry in COMMANDS.items():
        assert f"│ {name} " in done.stdout
        assert entry.help in done.stdout
    assert all(example in done.stdout for example in EXAMPLES)


def test_help_needs_nothing_that_commands_are_made_of() -> None:
    """It is quick because neither pydantic, nor rich tables, nor the native half are imported."""
    heavy = ("pydantic", "resolvelib", "dayfly._core", "dayfly.config", "dayfly.deploy", "dayfly.cli.local")
    code = f"import dayfly.cli, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_command_of_a_module_stands_in_the_table() -> None:
    """And every line of the table leads to one."""
    for name in COMMANDS:
        assert load(name) is not None
    modules = {entry.module for entry in COMMANDS.values() if not entry.group}
    for module in modules:
        group = typer.main.get_group(import_module(f"dayfly.cli.{module}").app)
        assert {name for name, entry in COMMANDS.items() if entry.module == module and not entry.group} == set(
            group.commands
        )


@pytest.mark.parametrize(
    "words", [["nonsense"], ["secret", "nonsense"], ["serve", "--nonsense"], ["new", "--template"]]
)
def test_words_that_mean_nothing_are_a_usage_error(run: Run, words: list[str]) -> None:
    """Exit code 2, and nothing on standard output."""
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_slip_is_guessed(run: Run) -> None:
    """The commands of the table count."""
    assert "Did you mean 'doctor'" in run("docter").stderr


@pytest.mark.parametrize(("words", "completed"), [("do", "doctor"), ("secret s", "set"), ("new --templ", "--template")])
def test_shells_can_complete(words: str, completed: str) -> None:
    """Commands, those of groups, and options."""
    environment = {
        **os.environ,
        "_DAYFLY_COMPLETE": "complete_bash",
        "COMP_WORDS": f"dayfly {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    code = "import sys; sys.argv[0] = 'dayfly'; from dayfly.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert completed in done.stdout.split()


def test_the_application_is_one_group() -> None:
    """What the console script runs."""
    assert set(typer.main.get_group(app).commands) == set(COMMANDS)
