"""What is said to the tenant about a place in the source."""

from dataclasses import dataclass

from dayfly.errors import BuildError

FILE = "app.py"


@dataclass(frozen=True, order=True)
class Diagnostic:
    """One thing about one place, in Python terms."""

    line: int
    """1 is the first; 0 when no line can be named."""
    column: int
    """1 is the first; 0 when no column can be named."""
    reason: str
    hint: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        numbers = [self.line, self.column] if self.line else []
        place = ":".join([FILE, *(str(number) for number in numbers if number)])
        return f"{place}: {self.reason}" + (f"; {self.hint}" if self.hint else "")


class Refused(BuildError):
    """The source does not become a program: one line a reason."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("\n".join(str(diagnostic) for diagnostic in sorted(diagnostics)))
        self.diagnostics = diagnostics
