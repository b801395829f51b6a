"""The native half of dayfly: the contract, written by hand and compared with the built module by stubtest.

Plain values cross: octets, text, and JSON where a value has parts; `dayfly.core` gives them their types. Every method
that can block releases the interpreter lock. Errors are those of `dayfly.errors`.
"""

from collections.abc import Callable
from typing import final

__all__ = ["Core", "bench_release", "bench_restore", "confine", "listen", "merge", "parse_wat", "run_worker"]

@final
class Core:
    """The data plane in this process. Methods may be called from any thread."""

    def __new__(cls, options: str, gate: Callable[[], str | None] | None = None) -> Core:
        """Start the engine. `options`: `dayfly.core.CoreOptions` as JSON; raises InvalidOption or SystemRefused.

        `gate` is asked before each request is routed, on the I/O thread, which waits for it: None lets it pass, a text
        is answered instead, with status 503.
        """

    def freeze(self, wasm: bytes, limits: str) -> tuple[bytes, bytes, str]:
        """Instrument, compile and run start-up and `on_init`; blocks up to the limits.

        `limits`: `dayfly.config.Limits` as JSON. Returns code, image, and the rest of `dayfly.core.Snapshot` as JSON.
        Raises ProgramRefused or InitFailed.
        """

    def freeze_on(self, parent: str, bundle: bytes, limits: str) -> tuple[bytes, str]:
        """Load a bundle into the release in a directory and run its start-up; blocks up to the limits.

        Returns what that has changed, as a delta on the parent's image, and the rest of the snapshot as JSON. Raises
        DamagedRelease, ProgramRefused or InitFailed.
        """

    def rehearse(self, release: str, samples: str, secrets: str) -> str:
        """Send sample requests to a release directory; blocks up to its limits for each. Raises DamagedRelease.

        `samples`: a list of `method`, `path`, `query`, `host`, `headers` (pairs) and `body` as JSON; `secrets`: values
        by name, likewise. Returns a list of `status`, `failure` and `log` as JSON.
        """

    def publish(self, tenant: str, release: str) -> None:
        """Make a release directory the one that answers for a tenant: name, hosts, paths, limits and secrets as JSON.

        Blocks while machine code is read or made. Raises DamagedRelease if a file does not have its digest.
        """

    def retire(self, name: str) -> None:
        """Take a tenant away; requests in flight are finished. Raises InvalidOption if there is none of that name."""

    def serve(self, options: str, on_ready: Callable[[str, int], object]) -> None:
        """Serve until `stop`; blocks. `options`: `dayfly.core.ServerOptions` as JSON.

        Calls `on_ready` with host and port once connections are answered; an exception there stops the server and is
        raised here. Raises AddressInUse or InvalidOption before.
        """

    def stop(self) -> None:
        """Stop accepting, finish what is in flight, and let `serve` return. Never blocks."""

    def stats(self) -> str:
        """Counters of all threads and tenants since the start, as JSON."""

    def logs(self) -> str:
        """Take the waiting log records, as JSON. Never blocks."""

    def accesses(self) -> str:
        """Take the waiting records of requests, as JSON; there are none without `access_log`. Never blocks."""

def bench_release(guest: str, release: str, code_cache: str, options: str) -> str:
    """Time requests of a recorded release, and the first one in a new slot; else as `bench_restore`."""

def bench_restore(guest: str, wasm: bytes, code_cache: str, options: str) -> str:
    """Time a request and its restore in process; blocks for about `seconds` of the options.

    `options`: `protection`, `rounds` and `seconds` as JSON. Returns the figures as JSON, named like `guest`.
    """

def confine(policy: str) -> str:
    """Confine this process for good; it must have one thread. Returns what holds from now on, as JSON.

    `policy`: `dayfly.confinement.Policy` as JSON; returned: `Confined` of the same module. Raises SystemRefused: then
    the process is half confined, and must end.
    """

def listen(core_options: str, server_options: str) -> str:
    """Bind what a server listens on, for workers to accept from.

    Returns JSON: `host` and `port`, `sockets` (descriptors, which the caller owns), and `files` of those in the file
    system: `path`, `device` and `inode`, by which the caller knows whether it may remove the file, and `lock`, a
    descriptor to be closed after that. Raises AddressInUse, InvalidOption or SystemRefused.
    """

def merge(component: bytes, side: bytes) -> bytes:
    """Make one core module out of a component and a side module (`dylink.0`). Takes half a second for CPython.

    The module exports what the side module exports; docs of `dayfly_wasm::merge` say how the two meet. Raises
    BuildError if a part has what merging does not support.
    """

def parse_wat(text: str, name: str) -> bytes:
    """Translate the text format of WebAssembly into a module. `name` stands in messages; raises BuildError."""

def run_worker(options: str) -> None:
    """Serve as the supervisor says whose socket is standard input; ends the process and never returns.

    `options`: `dayfly.core.CoreOptions` as JSON; raises InvalidOption if it is not.
    """
