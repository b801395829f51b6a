"""`os.environ`: plain variables are part of the release, secrets come from the host when a request asks for them."""

import os
from collections.abc import Iterator
from typing import Any

from . import host


class SecretNotReady(RuntimeError):
    """A secret was read before there was a request."""

    __module__ = "dayfly"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the secret `{name}` was read while the program is frozen, and no secret may become part of a release; "
            "read it in the function that answers, or in one that it calls"
        )


class Environment(os._Environ):  # type: ignore[type-arg] # the class of os.environ
    """The mapping of `os`, which knows the names of secrets but never their values."""

    secrets: tuple[str, ...] = ()

    def __getitem__(self, key: str) -> str:
        if key in self.secrets and self.encodekey(key) not in self._data:  # type: ignore[attr-defined] # of os
            if host.calls.freezing():
                raise SecretNotReady(key)
            value = host.calls.secret(key)
            if value is None:
                raise KeyError(key)
            text: str = value.decode("utf-8", "surrogateescape")
            return text
        plain: str = super().__getitem__(key)
        return plain

    def __contains__(self, key: object) -> bool:
        """Say whether there is such a variable; of a secret while freezing only that it was declared."""
        return (key in self.secrets and host.calls.freezing()) or super().__contains__(key)

    def __delitem__(self, key: str) -> None:
        """Take a variable away, from this request only; what is taken away while freezing may be a secret later."""
        if key in self.secrets and self.encodekey(key) not in self._data:  # type: ignore[attr-defined] # of os
            self[key]  # raises what is to be raised
        else:
            super().__delitem__(key)
        if not host.calls.freezing():
            self.secrets = tuple(name for name in self.secrets if name != key)

    def __iter__(self) -> Iterator[str]:
        """Leave secrets out that are not set, and while freezing all, so that a copy can be made of the rest."""
        yield from super().__iter__()
        if not host.calls.freezing():
            yield from [name for name in self.secrets if self._is_set(name)]

    def _is_set(self, secret: str) -> bool:
        return self.encodekey(secret) not in self._data and host.calls.secret(secret) is not None  # type: ignore[attr-defined] # of os

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        plain = {self.decodekey(key): self.decodevalue(value) for key, value in self._data.items()}  # type: ignore[attr-defined] # of os
        return f"environ({plain!r})"


def install() -> None:
    """Make `os.environ`, the object that everybody holds, one of these, and empty it."""
    environ: Any = os.environ
    for name in list(environ):
        del environ[name]
    environ.__class__ = Environment


def load(plain: dict[str, str], secrets: list[str]) -> None:
    """Set the variables of a release."""
    for name, value in plain.items():
        os.environ[name] = value
    os.environ.secrets = tuple(secrets)  # type: ignore[attr-defined] # it is an Environment
