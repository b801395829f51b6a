"""The `wasm` tier: a module that the tenant built, as it is, or its text."""

from pathlib import Path

from dayfly import _core


def build(source: Path, cache: Path) -> bytes:  # noqa: ARG001 - nothing here is worth keeping
    """Return the octets of `app.wasm`, or of `app.wat` after translation. Raises BuildError."""
    binary, text = source / "app.wasm", source / "app.wat"
    if binary.exists():
        return binary.read_bytes()
    return _core.parse_wat(text.read_text(encoding="utf-8"), str(text))
