"""What each program of the corpus does on the compiled tier and in CPython, and the page that says so.

`python -m tests.compiled.differences` writes docs/compiled-differences.md again.
"""

import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dayfly.toolchain import ToolchainOptions
from dayfly.toolchain.compiled import CompiledToolchain, Refused
from tests.compiled.programs import Answer, Program
from tests.compiled.sandbox import Sandboxes

PAGE = Path(__file__).parents[2] / "docs/compiled-differences.md"

_HEAD = """# The compiled tier beside CPython

Every row is a program of `tests/compiled/corpus`, run in its sandbox and in CPython with the same requests. This page
is made from the results by `make differences`; a test compares it with them.
"""
_PARTS = {
    "differs": (
        "Different",
        "These programs are built, and answer some request otherwise than CPython.",
        "| feature | on the compiled tier |\n|---|---|",
    ),
    "refused": (
        "Refused",
        "These programs are not built. The message names the place and what to do.",
        "| feature | message |\n|---|---|",
    ),
    "same": (
        "The same",
        "Every reply, every line printed and every exception of these programs is the one of CPython.",
        "| feature |\n|---|",
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What became of a program."""

    kind: str
    """same, refused or differs."""
    text: str = ""
    """The message of a refusal, or how the program differs."""
    detail: str = ""
    """The answers that are not the same."""


def build(program: Program, toolchain: CompiledToolchain) -> bytes | Refused:
    """Return the module, or why there is none."""
    try:
        return toolchain.build_source(program.source).wasm
    except Refused as refusal:
        return refusal


def outcome(program: Program, built: bytes | Refused, sandboxes: Sandboxes) -> Outcome:
    """Run a program on both sides."""
    if isinstance(built, Refused):
        # The log's name is a digest of everything; the rest is for the tenant.
        message = re.sub(r"; what the compiler said is in \S+", "", str(built).splitlines()[0])
        return Outcome("refused", message)
    started, expected = program.in_cpython()
    lines = sandboxes.publish(program.name, built)
    answers = [sandboxes.ask(program.name, request) for request in program.requests]
    different = [
        f"{request.target} {request.body}: {ours} instead of {theirs}"
        for request, ours, theirs in zip(program.requests, answers, expected, strict=True)
        if not _equal(ours, theirs, messages_vary=program.messages_vary)
    ]
    if lines != started:
        different.append(f"on_init: {lines} instead of {started}")
    return Outcome("differs", program.differs, "\n".join(different)) if different else Outcome("same")


def _equal(ours: Answer, theirs: Answer, *, messages_vary: bool) -> bool:
    if messages_vary and ours.error:
        return ours.error.partition(":")[0] == theirs.error.partition(":")[0]
    return ours == theirs


def row(program: Program, found: Outcome) -> str:
    """Return a program's line of the page."""
    cells = [program.feature.removeprefix("refused: "), *filter(None, [found.text])]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page(outcomes: dict[Program, Outcome]) -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for kind, (title, introduction, heading) in _PARTS.items():
        rows = [row(program, found) for program, found in outcomes.items() if found.kind == kind]
        parts.append("\n".join([f"## {title} ({len(rows)})", "", introduction, "", heading, *rows, ""]))
    return "\n".join(parts)


def main() -> None:
    """Write the page."""
    toolchain = CompiledToolchain(ToolchainOptions().cache / "compiled")
    toolchain.prepare()
    programs = Program.corpus()
    with ThreadPoolExecutor() as pool, tempfile.TemporaryDirectory() as scratch, Sandboxes(Path(scratch)) as sandboxes:
        built = pool.map(lambda program: build(program, toolchain), programs)
        outcomes = {
            program: outcome(program, result, sandboxes) for program, result in zip(programs, built, strict=True)
        }
    for program, found in outcomes.items():
        if found.kind != program.expected:
            sys.stderr.write(f"{program.name}: {found.kind}, not {program.expected}\n{found.text}\n{found.detail}\n")
    PAGE.write_text(page(outcomes), encoding="utf-8")


if __name__ == "__main__":
    main()
