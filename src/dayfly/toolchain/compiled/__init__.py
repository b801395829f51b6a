"""The compiled tier: Python to C++ (Pythran) to WebAssembly (clang, from the ziglang wheel)."""

from pathlib import Path

from dayfly.toolchain.compiled.diagnostics import Diagnostic, Refused
from dayfly.toolchain.compiled.toolchain import Compiled, CompiledToolchain
from dayfly.toolchain.progress import shown

__all__ = ["Compiled", "CompiledToolchain", "Diagnostic", "Refused", "build"]


def build(source: Path, cache: Path) -> bytes:
    """Return the module of `app.py`. Raises BuildError. The first on a machine takes a minute."""
    with shown("the C++ runtime") as progress:
        return CompiledToolchain(cache / "compiled", progress=progress).build(source).wasm
