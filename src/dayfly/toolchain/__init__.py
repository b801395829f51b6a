"""From a tenant's source to a program: one wasm module that speaks the guest ABI (docs/guest-abi.md).

`Toolchain.build` runs `python -m dayfly.toolchain`: one process for one build, with limits on CPU time, memory and
time, because a source is hostile until it has become wasm. There the tier's `build(source, cache) -> bytes` does it:

* `dayfly.toolchain.compiled`: `app.py` by way of C++
* `dayfly.toolchain.wasm`: a module that the tenant built, as `app.wasm` or `app.wat`
"""

from dayfly.toolchain.source import Source
from dayfly.toolchain.toolchain import Program, Toolchain, ToolchainOptions

__all__ = ["Program", "Source", "Toolchain", "ToolchainOptions"]
