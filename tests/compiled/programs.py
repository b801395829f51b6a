"""The corpus: programs of one feature each, their sample requests, and what CPython answers to these."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
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
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """A file of the corpus."""

    name: str
    feature: str
    source: str
    requests: tuple[Request, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a program; the head is its docstring and the requests."""
        source = path.read_text(encoding="utf-8")
        feature = re.match(r'"""(.*?)"""', source)
        assert feature, f"{path}: no docstring"
        lines = re.findall(r"^# (GET|POST) (\S+)(?: (.*))?$", source.replace("?  spaces  ", "?%20"), re.MULTILINE)
        return cls(path.stem, feature[1], source, tuple(Request(*line) for line in lines))

    @classmethod
    def corpus(cls) -> list[Self]:
        """All programs, by name."""
        return [cls.read(path) for path in sorted(CORPUS.glob("*.py"))]

    def in_cpython(self) -> tuple[list[str], list[Answer]]:
        """Run in CPython, each request in a new interpreter state; return what the start-up printed, and the answers."""
        job = json.dumps({"source": self.source, "requests": [request.parts for request in self.requests]})
        runner = Path(__file__).with_name("cpython_runner.py")
        done = subprocess.run([sys.executable, runner], input=job, capture_output=True, text=True, check=True)
        result = json.loads(done.stdout)
        return result["log"], [Answer(**_frozen(answer)) for answer in result["answers"]]


def _frozen(answer: dict[str, object]) -> dict[str, object]:
    headers = answer.get("headers", [])
    log = answer.get("log", [])
    assert isinstance(headers, list)
    assert isinstance(log, list)
    return {**answer, "headers": tuple((name, value) for name, value in headers), "log": tuple(log)}
