"""The corpus: programs of one feature each, their requests, and what CPython answers to these."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

CORPUS = Path(__file__).with_name("corpus")


@dataclass(frozen=True)
class Request:
    """One line at the end of a program: `# METHOD TARGET [BODY]`."""

    method: str
    target: str
    body: str


@dataclass(frozen=True)
class Answer:
    """What came of a request."""

    status: int
    text: str = ""
    """The body; if the program failed, the last line of its traceback."""
    content_type: str | None = None
    log: tuple[str, ...] = ()
    """The lines that it printed."""


@dataclass(frozen=True)
class Program:
    """A file of the corpus."""

    name: str
    feature: str
    source: str
    requests: tuple[Request, ...]
    expected: str | None
    """The answer by the language reference, where this CPython is too old or a sandbox is not a machine."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a program: its docstring names the feature, its last lines are requests and what to expect."""
        source = path.read_text(encoding="utf-8")
        feature = re.match(r'"""(.*?)"""', source)
        requests = re.findall(r"^# (GET|POST) (\S+)(?: (.*))?$", source, re.MULTILINE)
        expected = re.search(r"^# expect: (.*)$", source, re.MULTILINE)
        assert feature, path
        assert requests, path
        text = expected[1].replace("\\n", "\n") if expected else None
        return cls(path.stem, feature[1], source, tuple(Request(*line) for line in requests), text)

    @classmethod
    @cache
    def corpus(cls) -> tuple[Self, ...]:
        """All programs, by name."""
        return tuple(cls.read(path) for path in sorted(CORPUS.glob("*.py")))

    @property
    def answers(self) -> list[Answer]:
        """What each request should be answered with."""
        if self.expected is not None:
            return [Answer(200, self.expected, "text/plain; charset=utf-8")] * len(self.requests)
        return in_cpython()[self.name]


@cache
def in_cpython() -> dict[str, list[Answer]]:
    """Run all programs that have no answer of their own in this CPython."""
    programs = [program for program in Program.corpus() if program.expected is None]
    jobs = [
        {"source": program.source, "requests": [[line.method, line.target, line.body] for line in program.requests]}
        for program in programs
    ]
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("cpython_runner.py")],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    results = json.loads(done.stdout)
    return {
        program.name: [Answer(**{**answer, "log": tuple(answer["log"])}) for answer in answers]
        for program, answers in zip(programs, results, strict=True)
    }
