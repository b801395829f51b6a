"""Runs a tier's build in a process of its own, under limits."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dayfly import durable
from dayfly.config import Tier
from dayfly.errors import BuildError, DayflyError, InternalError, SystemRefused, ToolMissing
from dayfly.toolchain.source import Source
from dayfly.toolchain.store import private

ENTRIES: dict[Tier, tuple[str, ...]] = {"compiled": ("app.py",), "wasm": ("app.wasm", "app.wat")}
"""Where the program of a tier that is compiled begins: one of these files."""


_KINDS: dict[str, type[DayflyError]] = {kind.kind: kind for kind in (BuildError, SystemRefused, ToolMissing)}


def default_cache() -> Path:
    """`DAYFLY_CACHE_DIR`, else `dayfly` in the user's cache directory; made for its owner only.

    Raises SystemRefused if it cannot be made or others may write to it.
    """
    if configured := os.environ.get("DAYFLY_CACHE_DIR"):
        return private(Path(configured).absolute())
    return private(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "dayfly")


def code_cache() -> Path:
    """Where machine code is kept: all data directories of a machine share it, as they share the base."""
    return default_cache() / "code"


@dataclass(frozen=True)
class ToolchainOptions:
    """What one build may use.

    The CPU and memory limits hold for each process: the compiler is one of its own, and the first build on a machine
    starts many of them to make the C++ runtime library.
    """

    cache: Path = field(default_factory=default_cache)
    """Where steps are kept by the digest of what went into them; any of it may be deleted at any time."""
    cpu_seconds_max: int = 60
    memory_bytes_max: int = 2 << 30
    wall_seconds_max: int = 900


@dataclass(frozen=True)
class BuildOrder:
    """What the one-shot process is told."""

    tier: str
    source: str
    """The tenant directory, to be named in messages: the process never looks into it."""
    bundle: str
    """File with what was read of it."""
    cache: str
    output: str
    cpu_seconds_max: int
    memory_bytes_max: int
    parent: int
    """Process that waits for it: when that is gone, it ends."""


@dataclass(frozen=True)
class Program:
    """A source after the toolchain."""

    tier: Tier
    source: Source
    wasm: bytes
    """A core wasm module that speaks the guest ABI."""


class Toolchain:
    """Builds programs; keeps what it has built in its cache."""

    def __init__(self, options: ToolchainOptions | None = None) -> None:
        self.options = options or ToolchainOptions()

    def build(self, source: Source, tier: Tier) -> Program:
        """Turn a source into a program, whatever happens to its directory meanwhile.

        Blocks; raises BuildError with file, line and reason, or SystemRefused.
        """
        entries = ENTRIES[tier]
        if not any(name in source.files for name in entries):
            raise BuildError(
                f"{source.directory}: there is no {' or '.join(entries)}, where a program of tier `{tier}` begins; "
                "add it or set another `tier` in dayfly.toml"
            )
        try:
            with tempfile.TemporaryDirectory(prefix="dayfly-build-") as scratch:
                return Program(tier, source, self._run(source, tier, Path(scratch)))
        except OSError as error:
            if error.errno not in durable.FULL | {errno.EROFS, errno.EACCES, errno.ENOENT}:
                raise
            what = "the directory for temporary files"
            raise SystemRefused(durable.refusal(what, error, "with TMPDIR")) from None

    def _run(self, source: Source, tier: Tier, scratch: Path) -> bytes:
        """Run the one-shot process. It prints nothing, or the error as one JSON object."""
        options, directory = self.options, source.directory
        bundle, output = scratch / "source.tar", scratch / "program.wasm"
        bundle.write_bytes(source.bundle)
        order = BuildOrder(
            tier=tier,
            source=str(directory),
            bundle=str(bundle),
            cache=str(options.cache),
            output=str(output),
            cpu_seconds_max=options.cpu_seconds_max,
            memory_bytes_max=options.memory_bytes_max,
            parent=os.getpid(),
        )
        # -P: no module is ever taken from the current directory.
        command = [sys.executable, "-P", "-m", "dayfly.toolchain", json.dumps(asdict(order))]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=options.wall_seconds_max,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BuildError(
                f"{directory}: the build took more than {self.options.wall_seconds_max} s; make the program smaller"
            ) from None
        if done.returncode:
            raise self._error(directory, done.returncode, done.stdout)
        return output.read_bytes()

    def _error(self, directory: Path, status: int, output: bytes) -> DayflyError:
        """Turn the way the process ended into the error it stands for."""
        if status == -signal.SIGXCPU:
            return BuildError(
                f"{directory}: the build used more than {self.options.cpu_seconds_max} s of CPU time; "
                "make the program smaller"
            )
        try:
            report = json.loads(output)
            kind = _KINDS.get(report["kind"], InternalError)
            return kind(report["message"])
        except (ValueError, KeyError):
            return InternalError(f"{directory}: the toolchain ended with status {status} and no report")
