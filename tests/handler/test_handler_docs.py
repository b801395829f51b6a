"""The programs in docs/handler-api.md answer what is written below them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dayfly.handler.client import Client

DOCUMENT = Path(__file__).parents[2] / "docs/handler-api.md"
PROGRAM = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
LINE = re.compile(
    r"(?P<method>[A-Z]+) (?P<target>\S+)(?: (?P<type>\S+/\S+) (?P<body>.*))? -> (?P<status>\d+)(?: (?P<text>.*))?"
)


def programs() -> Iterator[object]:
    """Find them; the line is the test's name."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for match in PROGRAM.finditer(text):
        yield pytest.param(match[1], match[2], id=f"line {text.count(chr(10), 0, match.start()) + 1}")


@pytest.mark.parametrize(("source", "lines"), list(programs()))
def test_a_program_answers_as_written(source: str, lines: str | None, tmp_path: Path) -> None:
    """Each request; what is no program is run as a test."""
    if lines is None:
        names: dict[str, object] = {}
        exec(compile(source, "block", "exec"), names)  # noqa: S102 - our own document
        for name, test in names.items():
            if name.startswith("test_"):
                test(tmp_path)  # type: ignore[operator] # it is a function
        return
    file = tmp_path / "documented.py"
    file.write_text(source, encoding="utf-8")
    for line in lines.splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        with Client.load(file) as client:
            headers = {"Content-Type": match["type"]} if match["type"] else {}
            answer = client.request(match["method"], match["target"], headers=headers, body=match["body"] or "")
            assert (answer.status, answer.text.strip()) == (int(match["status"]), match["text"] or "")


def test_there_are_programs() -> None:
    """The pattern finds what it should."""
    assert len(list(programs())) >= 9
