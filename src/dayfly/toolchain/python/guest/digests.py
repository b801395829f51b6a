"""What `hashlib` takes from a library that this interpreter is built without."""

import hashlib
import hmac
from typing import Any


def pbkdf2_hmac(hash_name: str, password: Any, salt: Any, iterations: int, dklen: int | None = None) -> bytes:
    """Derive a key from a password (RFC 8018, section 5.2)."""
    if iterations < 1:
        raise ValueError("iteration value must be greater than 0.")
    if dklen is not None and dklen < 1:
        raise ValueError("key length must be greater than 0.")
    size = hashlib.new(hash_name).digest_size
    length = size if dklen is None else dklen
    key, begin = bytes(password), bytes(salt)
    blocks = range(1, -(-length // size) + 1)
    return b"".join(_block(hash_name, key, begin + number.to_bytes(4, "big"), iterations) for number in blocks)[:length]


def _block(name: str, key: bytes, message: bytes, iterations: int) -> bytes:
    """Chain the digests of one block together."""
    digest = hmac.digest(key, message, name)
    total = int.from_bytes(digest, "big")
    for _ in range(iterations - 1):
        digest = hmac.digest(key, digest, name)
        total ^= int.from_bytes(digest, "big")
    return total.to_bytes(len(digest), "big")


def install() -> None:
    """Put into `hashlib` what is missing there."""
    if not hasattr(hashlib, "pbkdf2_hmac"):
        hashlib.pbkdf2_hmac = pbkdf2_hmac
