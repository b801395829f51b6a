"""What clients send in JSON: nothing unknown is accepted, and nothing is guessed from another type."""

import re
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, RootModel, model_validator

from dayfly.config import NAME, SECRET_BYTES_MAX, VARIABLE, Limits

VARIABLES_MAX = 200

_SCOPE = rf"(admin|read|deploy:{NAME})"
_WORDS = r"[^\x00-\x1f\x7f-\x9f]*"

TenantName = Annotated[
    str,
    Path(pattern=rf"^{NAME}$", max_length=63, description="up to 63 of a-z, 0-9 and -, a letter or digit at both ends"),
]
VariableName = Annotated[str, Path(pattern=rf"^{VARIABLE}$", max_length=255, description="the name of a variable")]
TokenId = Annotated[str, Path(pattern=r"^[0-9a-z]{1,32}$", description="a token's name, which is no secret")]
Why = Annotated[
    str, Query(pattern=rf"^{_WORDS}$", max_length=500, description="why it is done, for the history: one line")
]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, description="a share of the requests, up to 1")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _whole(value: object) -> object:
    """Return 1 for 1.0: JSON has one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Whole = BeforeValidator(_whole)


class Activation(_Body):
    """Which release is to be the current one."""

    release: Annotated[
        Annotated[int, Field(ge=1, le=1 << 31), _Whole] | Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")],
        Field(description="its number, or eight or more digits of its digest"),
    ]


class CanaryShare(_Body):
    """How much a canary gets."""

    share: Annotated[Share, Field(strict=False)]


class LimitOverrides(Limits):
    """Limits that hold whatever dayfly.toml says; those that are left out are as it says."""

    @model_validator(mode="before")
    @classmethod
    def _whole_numbers(cls, values: object) -> object:
        return {key: _whole(value) for key, value in values.items()} if isinstance(values, dict) else values


class Environment(RootModel[dict[str, str]]):
    """Plain variables, by name."""

    model_config = ConfigDict(frozen=True, strict=True, json_schema_extra={"additionalProperties": False})

    root: Annotated[
        dict[
            Annotated[str, Field(pattern=rf"^{VARIABLE}$", max_length=255)],
            Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=32 << 10)],
        ],
        Field(max_length=VARIABLES_MAX),
    ]


def _in_octets(value: str) -> str:
    if len(value.encode("utf-8")) > SECRET_BYTES_MAX:
        raise ValueError(f"has more than {SECRET_BYTES_MAX >> 10} KiB in UTF-8")
    return value


class SecretValue(_Body):
    """The value of a secret."""

    value: Annotated[
        str,
        AfterValidator(_in_octets),
        Field(
            pattern=r"^[^\x00]+$",
            min_length=1,
            max_length=SECRET_BYTES_MAX,
            description="text without a zero octet",
            repr=False,
        ),
    ]


class TokenOrder(_Body):
    """What a token is to allow."""

    scopes: Annotated[
        list[Annotated[str, Field(pattern=rf"^{_SCOPE}$", max_length=80)]],
        Field(min_length=1, max_length=20, description="`admin`, `read` or `deploy:TENANT`"),
    ]
    note: Annotated[str, Field(pattern=rf"^{_WORDS}$", max_length=200, description="whose it is, or what for")] = ""
    expires_s: Annotated[
        Annotated[int, Field(ge=1, le=10 * 366 * 86_400), _Whole] | None,
        Field(description="seconds until it is invalid; without it, it never is"),
    ] = None


def is_name(name: str) -> bool:
    """Tell whether a tenant can have a name."""
    return re.fullmatch(NAME, name) is not None
