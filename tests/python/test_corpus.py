"""Every program of the corpus answers in its sandbox as it does in CPython."""

import pytest

from tests.python.programs import Program
from tests.python.sandbox import Sandboxes

PROGRAMS = Program.corpus()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_answers_as_cpython_does(program: Program, sandboxes: Sandboxes) -> None:
    """Status, type and body, and what it prints; each request as if it were the first."""
    sandboxes.publish(program.name, program.source)
    answers = [sandboxes.ask(program.name, request) for request in program.requests]
    assert answers == program.answers


def test_the_corpus_is_wide() -> None:
    """One feature a program, at least a hundred and fifty of them."""
    assert len(PROGRAMS) >= 150
    assert len({program.feature for program in PROGRAMS}) == len(PROGRAMS)
