"""The reference of the command line."""

from dayfly.cli import COMMANDS, load
from dayfly.cli.reference import page
from tests.conftest import REPOSITORY


def test_the_reference_is_current() -> None:
    """If not: make reference."""
    assert (REPOSITORY / "docs/cli.md").read_text(encoding="utf-8") == page()


def test_the_reference_names_every_option() -> None:
    """Of each command, with its words."""
    text = page()
    for name in COMMANDS:
        assert f"### dayfly {name}\n" in text
        for parameter in getattr(load(name), "params", []):
            assert all(option in text for option in parameter.opts if option.startswith("--"))
