"""What Schemathesis has to be told: what no pattern says of words, and that an archive is sent as it is."""

import re
from typing import Any

import schemathesis

_WORDS = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")


@schemathesis.serializer("application/x-tar")
def _octets(_context: object, value: Any) -> bytes:
    """Send what was drawn."""
    return bytes(value) if isinstance(value, (bytes, bytearray)) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.hook
def map_query(_context: object, query: Any) -> Any:
    """Have a reason that can be shown."""
    return _shown(query, "why")


@schemathesis.hook
def map_body(_context: object, body: Any) -> Any:
    """Have a note that can be shown."""
    return _shown(body, "note")


def _shown(values: Any, key: str) -> Any:
    """Replace words that are as the pattern says, but that no terminal could show: characters without a glyph."""
    words = values.get(key) if isinstance(values, dict) else None
    if isinstance(words, str) and _WORDS.fullmatch(words) and not words.isprintable():
        return {**values, key: "words"}
    return values
