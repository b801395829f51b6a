"""The native half of dayfly: the contract, written by hand and compared with the built module by stubtest.

Every blocking method releases the interpreter lock. Errors are those of `dayfly.errors`.
"""

__all__ = ["parse_wat"]

def parse_wat(text: str, name: str) -> bytes:
    """Translate the text format of WebAssembly into a module. `name` stands in messages; raises BuildError."""
