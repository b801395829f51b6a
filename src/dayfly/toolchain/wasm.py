"""The `wasm` tier: a module that the tenant built, as it is, or its text."""

from pathlib import Path

from dayfly import _core
from dayfly.errors import BuildError


def build(source: Path, cache: Path) -> bytes:  # noqa: ARG001 - nothing here is worth keeping
    """Return the octets of `app.wasm`, or of `app.wat` after translation. Raises BuildError."""
    binary, text = source / "app.wasm", source / "app.wat"
    if binary.exists():
        return binary.read_bytes()
    if text.exists():
        return _core.parse_wat(text.read_text(encoding="utf-8"), str(text))
    raise BuildError(f"{source}: neither app.wasm nor app.wat is there; put the module there, or use another tier")
