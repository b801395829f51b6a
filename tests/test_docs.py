"""Every code block in the documentation is checked against what it talks about.

| language | check |
|---|---|
| `python`, `py` | is Python; with `def on_client_request` it is a tenant that the toolchain's rules accept |
| `toml` | is TOML; with a tenant's key it is a valid dayfly.toml |
| `sh`, `console` | every `dayfly` command line has commands and options that exist; every `make` target exists |
| `rust` | every line stands in a source file of the workspace |
| `wat` | is WebAssembly text |
| `c` | compiles for WebAssembly without a warning |
| `json` | is JSON |
| `text` | nothing |
"""

import ast
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from dayfly import _core
from dayfly.cli import COMMANDS, app, load
from dayfly.config import Tenant

REPOSITORY = Path(__file__).parents[1]
DOCUMENTS = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("examples/**/*.md")]
DOCUMENTS += REPOSITORY.glob("src/dayfly/templates/**/*.md")
BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks() -> Iterator[object]:
    """Find all code blocks; file and line are the test's name."""
    for document in sorted(DOCUMENTS):
        text = document.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield pytest.param(
                match["language"].strip(), match["code"], id=f"{document.relative_to(REPOSITORY)}:{line}"
            )


def check_python(code: str) -> None:
    """Parse it."""
    ast.parse(code)


def check_toml(code: str, make_tenant: Callable[..., Path]) -> None:
    """Parse it; what looks like a dayfly.toml must be accepted."""
    if set(tomllib.loads(code)) & set(Tenant.model_fields):
        Tenant.load(make_tenant("example", {"dayfly.toml": code}))


def check_shell(code: str) -> None:
    """Look up every command of ours."""
    for raw in code.replace("\\\n", " ").splitlines():
        line = raw.strip().removeprefix("$ ")
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"\w+=\S*", words[0]):
            words.pop(0)
        if words and words[0].endswith("dayfly"):
            check_command(words[1:])
        if words and words[0] == "make":
            targets = [word for word in words[1:] if "=" not in word]
            assert set(targets) <= make_targets(), line


def check_command(words: list[str]) -> None:
    """Walk from the group to the command, then look at each option."""
    command = load(words.pop(0)) if words and words[0] in COMMANDS else typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            break
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in options, word


@cache
def make_targets() -> set[str]:
    """Return the targets that the Makefile has."""
    return set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@cache
def rust_lines() -> set[str]:
    """Return every line of the workspace, without indentation."""
    files = REPOSITORY.glob("crates/*/src/**/*.rs")
    return {line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()}


def check_rust(code: str) -> None:
    """Compare with the sources, so that an excerpt cannot grow old; comments and `...` are the document's own."""
    for raw in code.splitlines():
        line = raw.split(" // ")[0].strip()
        if line and line != "..." and not line.startswith("//"):
            assert any(source.split(" // ")[0].strip() == line for source in rust_lines()), line


def check_c(code: str, directory: Path) -> None:
    """Build it as the guest ABI says, with every warning an error."""
    (directory / "block.c").write_text(code, encoding="utf-8")
    options = "-target wasm32-freestanding -O2 -Wall -Wextra -Werror -nostdlib -Wl,--no-entry -o block.wasm block.c"
    command = [sys.executable, "-m", "ziglang", "cc", *options.split()]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("language", "code"), list(blocks()))
def test_code_block(language: str, code: str, make_tenant: Callable[..., Path], tmp_path: Path) -> None:
    """What a reader copies works."""
    checks: dict[str, Callable[[], object]] = {
        "python": lambda: check_python(code),
        "py": lambda: check_python(code),
        "toml": lambda: check_toml(code, make_tenant),
        "sh": lambda: check_shell(code),
        "console": lambda: check_shell(code),
        "rust": lambda: check_rust(code),
        "wat": lambda: _core.parse_wat(code, "example"),
        "c": lambda: check_c(code, tmp_path),
        "json": lambda: json.loads(code),
        "text": lambda: None,
    }
    assert language in checks, f"`{language}` is not a language that blocks are checked for"
    checks[language]()


def test_every_link_between_documents_leads_somewhere() -> None:
    """Relative links name files that exist."""
    missing = [
        f"{document.relative_to(REPOSITORY)}: {target}"
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert missing == []


def test_the_readme_shows_every_difference_from_python() -> None:
    """The rows of the generated page, to the letter."""
    page = (REPOSITORY / "docs/compiled-differences.md").read_text(encoding="utf-8")
    different = page.partition("## Different")[2].partition("## Refused")[0]
    rows = [line for line in different.splitlines() if line.startswith("| ")]
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()
    assert rows
    assert [row for row in rows if row not in readme] == []
