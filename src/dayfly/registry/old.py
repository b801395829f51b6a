"""What a data directory of version 0.1.0 had instead of a database: one file a tenant, and one for its secrets.

tenants/NAME.json  {"tenant": {...}, "release": DIGEST, "origin": DIGEST}
secrets/NAME.json  {VARIABLE: VALUE}
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from dayfly import durable
from dayfly.config import Tenant
from dayfly.log import logger

_Old = TypeVar("_Old")


@dataclass(frozen=True)
class OldRelease:
    """The current release of a tenant."""

    file: Path
    tenant: Tenant
    digest: str
    origin: str


@dataclass(frozen=True)
class OldSecrets:
    """Values of the secrets of a tenant."""

    file: Path
    tenant: str
    values: dict[str, str]


def is_here(directory: Path) -> bool:
    """Tell whether a data directory has such files, or had them when a process was killed."""
    return any(place.is_dir() for place in _places(directory))


def releases(directory: Path) -> Iterator[OldRelease]:
    """Return the records; one that cannot be read is said, and left."""
    return _read(directory / "tenants", _release)


def secrets(directory: Path) -> Iterator[OldSecrets]:
    """Likewise."""
    return _read(directory / "secrets", _secrets)


def forget(directory: Path, files: list[Path]) -> None:
    """Delete what was taken over, and the directories when they are empty. Raises OSError."""
    for file in files:
        file.unlink()
    for place in _places(directory):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
    durable.sync_directory(directory)


def _places(directory: Path) -> tuple[Path, Path]:
    return directory / "tenants", directory / "secrets"


def _read(place: Path, parse: Callable[[Path], _Old]) -> Iterator[_Old]:
    for file in sorted(place.glob("[a-z0-9]*.json")):
        try:
            yield parse(file)
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            logger.error("%s: cannot be taken over (%s); deploy the tenant again, or set its secrets", file, error)


def _release(file: Path) -> OldRelease:
    record = json.loads(file.read_bytes())
    tenant = Tenant.model_validate_json(json.dumps(record["tenant"]))
    return OldRelease(file, tenant, str(record["release"]), str(record["origin"]))


def _secrets(file: Path) -> OldSecrets:
    values = json.loads(file.read_bytes())
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ValueError("not a table of texts")
    "".join([*values, *values.values()]).encode("utf-8")
    return OldSecrets(file, file.stem, values)
