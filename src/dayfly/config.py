"""What a tenant directory says about itself: `dayfly.toml`, its defaults and its messages."""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from dayfly.errors import ConfigError

CONFIG_NAME = "dayfly.toml"
TOML_BYTES_MAX = 256 << 10
"""Of a file that a tenant wrote."""

_DOTS_MAX = 200
"""Of a line: the parser's time grows with the square of the parts of a key, to 7 s for 32 KiB of them."""

Tier = Literal["python", "compiled", "wasm"]
"""How a program is made; see `dayfly.toolchain`."""

PYTHON_MEMORY_BYTES = 64 << 20
"""Memory of a program of tier `python`: its default, and what the base has, so nobody can have more."""

# One label of a host name (RFC 1035 section 2.3.1, digits allowed in front), so that `<name>.localhost` is a host.
NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"{NAME}(\.{NAME})*"
_PATH = r"/|(/[A-Za-z0-9._~-]+)+"
VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"

SECRET_BYTES_MAX = 64 << 10
"""Octets of a secret's value in UTF-8."""

# RFC 9110 section 5.1 and 5.5: a token, and what no line can end.
_FIELD_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
_FIELD_VALUE = r"^[^\x00-\x08\x0a-\x1f\x7f]*$"

_UNITS = {
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
}
_BYTE_UNITS = ("B", "KiB", "MiB", "GiB")
_TIME_UNITS = ("ns", "us", "ms", "s")


def byte_count(text: str) -> int:
    """Return a number of octets that is written like `16 MiB`. Raises ValueError."""
    return int(text) if text.isascii() and text.isdigit() else int(str(_quantity(text, _BYTE_UNITS)))


def _quantity(value: object, units: tuple[str, ...]) -> object:
    """Turn `"16 MiB"` into its number; leave numbers as they are and everything else to pydantic."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+) ?([A-Za-z]+)", value)
    if not match or match[2] not in units:
        raise ValueError
    return int(match[1]) * _UNITS[match[2]]


def _path_prefix(value: str) -> str:
    """Refuse what a client would never send: clients resolve dot segments (RFC 3986 section 5.2.4)."""
    if not re.fullmatch(_PATH, value) or {".", ".."}.intersection(value.split("/")):
        raise ValueError
    return value


def _bytes(value: object) -> object:
    return _quantity(value, _BYTE_UNITS)


def _ns(value: object) -> object:
    return _quantity(value, _TIME_UNITS)


_ByteCount = BeforeValidator(_bytes)
_Duration = BeforeValidator(_ns)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Limits(_Model):
    """What one request of a tenant may use. The same names and defaults as `dayfly_core::limits`, checked by a test."""

    memory_bytes_max: Annotated[
        int,
        _ByteCount,
        Field(ge=64 << 10, le=1 << 30, multiple_of=64 << 10, description='a multiple of 64 KiB up to "1 GiB"'),
    ] = 16 << 20
    cpu_ns_max: Annotated[
        int, _Duration, Field(ge=1_000_000, le=60_000_000_000, description='from "1 ms" to "60 s"')
    ] = 50_000_000
    wall_ns_max: Annotated[
        int, _Duration, Field(ge=1_000_000, le=600_000_000_000, description='from "1 ms" to "600 s"')
    ] = 10_000_000_000
    response_body_bytes_max: Annotated[int, _ByteCount, Field(ge=0, le=1 << 30, description='from 0 to "1 GiB"')] = (
        8 << 20
    )
    response_header_bytes_max: Annotated[int, _ByteCount, Field(ge=0, le=1 << 20, description='from 0 to "1 MiB"')] = (
        64 << 10
    )
    response_fields_max: Annotated[int, Field(ge=0, le=1000, description="from 0 to 1000")] = 100
    request_body_bytes_max: Annotated[int, _ByteCount, Field(ge=0, le=1 << 30, description='from 0 to "1 GiB"')] = (
        1 << 20
    )
    queue_max: Annotated[int, Field(ge=1, le=1_000_000, description="from 1 to 1000000")] = 128
    log_bytes_max: Annotated[int, _ByteCount, Field(ge=0, le=1 << 20, description='from 0 to "1 MiB"')] = 8 << 10
    log_lines_max: Annotated[int, Field(ge=0, le=10_000, description="from 0 to 10000")] = 64
    init_cpu_ns_max: Annotated[
        int, _Duration, Field(ge=1_000_000, le=60_000_000_000, description='from "1 ms" to "60 s"')
    ] = 5_000_000_000


class SampleRequest(_Model):
    """A request that a new release must answer before it is published."""

    method: Annotated[str, Field(pattern=r"^[A-Z]{1,20}$", description='a method like "GET"')] = "GET"
    path: Annotated[str, Field(pattern=r"^/[!-~]*$", max_length=1 << 14, description='a path like "/item/1"')] = "/"
    query: Annotated[str, Field(pattern=r"^[!-~]*$", max_length=1 << 14, description='text like "a=1&b=2"')] = ""
    headers: Annotated[
        dict[Annotated[str, Field(pattern=_FIELD_NAME)], Annotated[str, Field(pattern=_FIELD_VALUE)]],
        Field(max_length=100, description="a table of texts without line ends, each with the name of a header field"),
    ] = {}
    body: Annotated[str, Field(max_length=64 << 10, description="a text of at most 64 KiB")] = ""
    status: Annotated[
        int | None,
        Field(ge=200, le=599, description="the status of the answer, from 200 to 599; without it, any below 500"),
    ] = None


class Tenant(_Model):
    """Who: a name, where its requests come from, how its program is made and what a request may use."""

    name: Annotated[
        str,
        Field(
            pattern=rf"^{NAME}$",
            description="up to 63 of a-z, 0-9 and -, with a letter or digit at both ends",
        ),
    ]
    hosts: Annotated[
        tuple[Annotated[str, Field(pattern=rf"^{_HOST}$", max_length=253)], ...],
        Field(strict=False, description="a list of host names in lower case, without port"),
    ]
    paths: Annotated[
        tuple[Annotated[str, AfterValidator(_path_prefix), Field(max_length=255)], ...],
        Field(
            strict=False, description='a list of path prefixes like "/z", without a slash at the end; "/" is every path'
        ),
    ] = ()
    tier: Annotated[Tier, Field(description=" or ".join(f"`{tier}`" for tier in get_args(Tier)))] = "python"
    environment: Annotated[
        dict[
            Annotated[str, Field(pattern=rf"^{VARIABLE}$", max_length=255)],
            Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=32 << 10)],
        ],
        Field(max_length=200, description="a table of at most 200 texts, each with the name of a variable"),
    ] = {}
    secrets: Annotated[
        tuple[Annotated[str, Field(pattern=rf"^{VARIABLE}$", max_length=255)], ...],
        Field(strict=False, max_length=200, description="a list of at most 200 names of variables"),
    ] = ()
    sample_requests: Annotated[
        tuple[SampleRequest, ...],
        Field(strict=False, max_length=100, description="a list of at most 100 tables"),
    ] = ()
    limits: Annotated[Limits, Field(description="a table")] = Limits()

    @model_validator(mode="before")
    @classmethod
    def _memory_of_the_tier(cls, values: object) -> object:
        """Give a program of tier `python` the memory that CPython needs, if nothing is said about it."""
        if not isinstance(values, dict) or values.get("tier", "python") != "python":
            return values
        limits = values.get("limits", {})
        if not isinstance(limits, dict):
            return values
        return {**values, "limits": {"memory_bytes_max": PYTHON_MEMORY_BYTES, **limits}}

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a tenant directory's `dayfly.toml`; without one, everything has its default.

        Raises ConfigError, which names the file, the key and what is allowed.
        """
        if not os.path.isdir(directory):  # noqa: PTH112 - pathlib raises where a parent may not be entered
            raise ConfigError(f"`{directory}` is not a directory; name the directory that holds app.py")
        return cls.of(_read(directory / CONFIG_NAME), directory)

    @classmethod
    def of(cls, content: bytes, directory: Path) -> Self:
        """Read the `dayfly.toml` of a tenant directory, as octets; without any, everything has its default.

        `directory`: its last part is the default name, and messages call it that; it need not be there. Raises
        ConfigError.
        """
        file = directory / CONFIG_NAME
        values = _values(content, file)
        if "name" not in values:
            values["name"] = _name_of(directory)
        values.setdefault("hosts", [f"{values['name']}.localhost"])
        try:
            tenant = cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(_message(file, first), field=_dotted([str(part) for part in first["loc"]])) from None
        if reason := contradiction(tenant):
            raise ConfigError(f"{file}: {reason}")
        return tenant


def parse_toml(content: bytes) -> dict[str, Any]:
    """Read what a tenant wrote, in bounded time. Raises ValueError, which says what is wrong."""
    if len(content) > TOML_BYTES_MAX:
        raise ValueError(f"more than {TOML_BYTES_MAX >> 10} KiB")
    text = content.decode("utf-8")
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _DOTS_MAX:
            raise ValueError(f"more than {_DOTS_MAX} dots (at line {number})")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _values(content: bytes, file: Path) -> dict[str, Any]:
    try:
        return parse_toml(content)
    except ValueError as error:
        raise ConfigError(
            f"{file}: not valid TOML: {error}; correct it, see https://toml.io", field=CONFIG_NAME
        ) from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}; check its owner and mode") from None


def _name_of(directory: Path) -> str:
    name = directory.resolve().name
    if not re.fullmatch(NAME, name):
        raise ConfigError(
            f"the directory name `{name}` cannot be a tenant's name; "
            f"set `name` in {directory / CONFIG_NAME}: {Tenant.model_fields['name'].description}"
        )
    return name


def contradiction(tenant: Tenant) -> str:
    """Say which values do not go together; empty if all do."""
    if both := sorted(set(tenant.secrets) & set(tenant.environment)):
        return f"`{both[0]}` is a plain variable and a secret; take it out of `environment` or of `secrets`"
    if tenant.tier == "python":
        most = PYTHON_MEMORY_BYTES
        if tenant.limits.memory_bytes_max > most:
            return f"`limits.memory_bytes_max` cannot be more than {most >> 20} MiB on tier `python`; make it smaller"
        return ""
    for key in ("environment", "secrets"):
        if getattr(tenant, key):
            return f"`{key}` is for tier `python`, and this is tier `{tenant.tier}`; take it out"
    return ""


def _message(file: Path, error: ErrorDetails) -> str:
    """Say in one line which key of which file is wrong, and what is allowed there."""
    path = [str(part) for part in error["loc"]]
    model, depth = _model_of(path)
    if error["type"] == "extra_forbidden":
        return f"{file}: unknown key `{_dotted(path)}`; allowed here: {', '.join(model.model_fields)}"
    allowed = model.model_fields[path[depth]].description
    return f"{file}: `{_dotted(path[: depth + 1])}` cannot be {error['input']!r}; allowed: {allowed}"


def _model_of(path: list[str]) -> tuple[type[BaseModel], int]:
    """Return the model that a key belongs to, and where in the path the key stands."""
    if path[0] == "limits" and len(path) > 1:
        return Limits, 1
    if path[0] == "sample_requests" and len(path) > 2:  # noqa: PLR2004 - list, number, key
        return SampleRequest, 2
    return Tenant, 0


def _dotted(path: list[str]) -> str:
    return ".".join(part for part in path if not part.isdigit())
