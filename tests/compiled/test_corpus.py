"""Every program of the corpus does what its head says: the same as CPython, or what the page of differences says."""

from collections.abc import Callable

import pytest

from dayfly.toolchain.compiled import Refused
from tests.compiled.differences import PAGE, outcome, row
from tests.compiled.programs import Program
from tests.compiled.sandbox import Sandboxes

FAST = {
    *("int_overflow", "int_zero_division", "float_text", "list_index_error", "dict_key_error", "str_no_aliasing"),
    *("exceptions", "reply_branches", "print_log", "request_parts", "classes", "two_types"),
}
"""One for each promise; the others are marked slow: two seconds of compiler each."""

PROGRAMS = Program.corpus()


def _parameters() -> list[object]:
    return [
        pytest.param(program, id=program.name, marks=[] if program.name in FAST else [pytest.mark.slow])
        for program in PROGRAMS
    ]


@pytest.mark.parametrize("program", _parameters())
def test_a_program_does_what_the_page_says(
    program: Program, built: Callable[[Program], bytes | Refused], sandboxes: Sandboxes
) -> None:
    """Its row stands in docs/compiled-differences.md, which `make differences` writes."""
    found = outcome(program, built(program), sandboxes)
    assert (found.kind, found.detail if program.expected == "same" else "") == (program.expected, "")
    assert row(program, found) in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_has_a_row_for_each_program_and_no_other() -> None:
    """A program that is gone leaves no row behind."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| feature")]
    assert len(rows) == len(PROGRAMS)


def test_the_corpus_is_wide() -> None:
    """One feature a program, at least forty of them."""
    assert len(PROGRAMS) >= 40
    assert len({program.feature for program in PROGRAMS}) == len(PROGRAMS)
