"""A resolved set of packages: names, versions, files and digests; where they come from is not part of it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Self


@dataclass(frozen=True)
class Locked:
    """One package of a lock."""

    name: str
    version: str
    file: str
    """Name of the wheel."""
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Lock:
    """A resolved set, sorted by name."""

    packages: tuple[Locked, ...]

    @classmethod
    def of(cls, text: str | bytes) -> Self:
        """Read what `text` wrote. Raises ValueError, KeyError or TypeError."""
        return cls(tuple(Locked(**package) for package in json.loads(text)["packages"]))

    @cached_property
    def text(self) -> str:
        """As JSON, always in the same way."""
        return json.dumps({"packages": [asdict(package) for package in self.packages]}, indent=1, sort_keys=True) + "\n"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()
