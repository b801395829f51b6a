"""Secrets at rest: AES-256-GCM under one key, each value bound to the tenant and the variable that it belongs to.

A value that is moved to another tenant or variable does not open there. The key stands in the data directory, readable
for its owner only, unless the environment has it or names another file.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dayfly import durable
from dayfly.errors import RegistryError
from dayfly.release import canonical

FILE = "key"
NEXT_FILE = "key.next"
"""The new key, while it is being changed."""
KEY_VARIABLE = "DAYFLY_KEY"
FILE_VARIABLE = "DAYFLY_KEY_FILE"

_KEY_BYTES = 32
_NONCE_BYTES = 12
"""Drawn for each value: two of 2³² values share one with a chance of 2⁻³²."""

_HOW = "32 octets in base64, as `openssl rand -base64 32` prints them"


@dataclass(frozen=True)
class Key:
    """What secrets are sealed with."""

    octets: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """Read a key. Raises RegistryError, which names where it stands and never the key."""
        try:
            octets = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            octets = b""
        if len(octets) != _KEY_BYTES:
            raise RegistryError(f"{where}: not a key; it must be {_HOW}")
        return cls(octets)

    @classmethod
    def find(cls, directory: Path, environment: Mapping[str, str] = os.environ) -> Self | None:
        """Return the key of a data directory, None if it has none yet. Raises RegistryError if it cannot be read."""
        if text := environment.get(KEY_VARIABLE):
            return cls.parse(text, KEY_VARIABLE)
        named = environment.get(FILE_VARIABLE)
        return cls.read(Path(named)) if named else cls._own(directory / FILE)

    @staticmethod
    def is_elsewhere(environment: Mapping[str, str] = os.environ) -> bool:
        """Tell whether the environment has the key, or names its file."""
        return bool(environment.get(KEY_VARIABLE) or environment.get(FILE_VARIABLE))

    @classmethod
    def _own(cls, file: Path) -> Self | None:
        return cls.read(file) if file.exists() else None

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file that only its owner may. Raises RegistryError."""
        try:
            with file.open("r", encoding="ascii") as content:
                if os.fstat(content.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise RegistryError(f"{file}: others than its owner have access to the key; chmod 600 {file}")
                return cls.parse(content.read(1 << 10), str(file))
        except UnicodeDecodeError:
            raise RegistryError(f"{file}: not a key; it must be {_HOW}") from None
        except OSError as error:
            raise RegistryError(f"{file}: the key cannot be read: {error.strerror}; check its owner and mode") from None

    @classmethod
    def make(cls, directory: Path, scratch: Path, *, name: str = FILE) -> Self:
        """Make a key and leave it in the data directory, durable before anything is sealed with it. Raises OSError."""
        key = cls(secrets.token_bytes(_KEY_BYTES))
        durable.write_file(directory / name, base64.b64encode(key.octets) + b"\n", scratch=scratch)
        return key

    @classmethod
    def settle(cls, directory: Path, fingerprint: str | None) -> None:
        """End a change of the data directory's key: the new one stays if the secrets are sealed with it.

        Raises OSError, or RegistryError if it cannot be read.
        """
        new = directory / NEXT_FILE
        if not new.exists():
            return
        if cls.read(new).fingerprint == fingerprint:
            new.replace(directory / FILE)
        else:
            new.unlink()
        durable.sync_directory(directory)

    @property
    def fingerprint(self) -> str:
        """What tells two keys apart and says nothing about either."""
        return hmac.digest(self.octets, b"dayfly: which key", hashlib.sha256).hex()[:32]

    def seal(self, tenant: str, variable: str, value: str) -> bytes:
        """Encrypt a value: the nonce, and what AES-GCM makes of it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self.octets).encrypt(nonce, value.encode("utf-8"), _bound(tenant, variable))

    def open(self, tenant: str, variable: str, sealed: bytes) -> str:
        """Return a value. Raises RegistryError if it was changed, or belongs elsewhere."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return AESGCM(self.octets).decrypt(nonce, rest, _bound(tenant, variable)).decode("utf-8")
        except (InvalidTag, ValueError):
            raise RegistryError(
                f"secret `{variable}` of tenant `{tenant}` is damaged; "
                f"set it again: dayfly secret set {tenant} {variable}"
            ) from None


def _bound(tenant: str, variable: str) -> bytes:
    return canonical(["dayfly secret", 1, tenant, variable])
