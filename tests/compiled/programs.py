"""The corpus: programs of one feature each, their sample requests, and what CPython answers to these."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

CORPUS = Path(__file__).with_name("corpus")


@dataclass(frozen=True)
class Request:
    """One line of a program's head: `# METHOD TARGET [BODY]`."""

    method: str
    target: str
    body: str

    @property
    def parts(self) -> dict[str, str]:
        """What the handler may take by name; the path still encoded."""
        path, _, query = self.target.partition("?")
        return {"method": self.method, "path": path, "query": query, "body": self.body}


@dataclass(frozen=True)
class Answer:
    """What came of one request: a reply, or the last line of a traceback."""

    status: int = 0
    content_type: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    error: str = ""
    log: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Program:
    """A file of the corpus."""

    name: str
    feature: str
    source: bytes
    requests: tuple[Request, ...]
    messages_vary: bool
    """CPython's texts of exceptions differ between its versions; only their classes are compared."""
    differs: str
    """How it differs from CPython; empty if it should not."""

    @property
    def expected(self) -> str:
        """What should become of it: same, refused or differs."""
        return "refused" if self.feature.startswith("refused: ") else "differs" if self.differs else "same"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a program; the head is its docstring and the requests."""
        source = path.read_text(encoding="utf-8")
        feature = re.match(r'"""(.*?)"""', source)
        assert feature, f"{path}: no docstring"
        lines = re.findall(r"^# (GET|POST) (\S+)(?: (.*))?$", source, re.MULTILINE)
        requests = tuple(Request(*line) for line in lines)
        assert requests, f"{path}: no request"
        differs = re.search(r"^# differs: (.*)$", source, re.MULTILINE)
        vary = "\n# messages: " in source
        return cls(path.stem, feature[1], source.encode(), requests, vary, differs[1] if differs else "")

    @classmethod
    def corpus(cls) -> list[Self]:
        """All programs, by name."""
        return [cls.read(path) for path in sorted(CORPUS.glob("*.py"))]

    def in_cpython(self) -> tuple[tuple[str, ...], list[Answer]]:
        """Run in CPython, each request in a namespace of its own; return what the start-up printed, and the answers."""
        job = {"source": self.source.decode(), "requests": [request.parts for request in self.requests]}
        runner = Path(__file__).with_name("cpython_runner.py")
        done = subprocess.run(
            [sys.executable, runner], input=json.dumps(job), capture_output=True, text=True, check=True
        )
        result = json.loads(done.stdout)
        return tuple(result["log"]), [_answer(**answer) for answer in result["answers"]]


def _answer(log: list[str], headers: list[list[str]] | None = None, **parts: str) -> Answer:
    fields = tuple((name, value) for name, value in headers or [])
    return Answer(**parts, headers=fields, log=tuple(log))  # type: ignore[arg-type] # status is an int
