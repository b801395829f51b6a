"""Children that change a registry and can be killed at any system call: `python -m tests.registry.crashing PLACE`.

It loads everything once. For each line on standard input, `SCENARIO DATA_DIR`, it forks a child, which stops itself
until somebody traces it and has it go on; the child's process id is printed, and then what became of it.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from ctypes import CDLL, c_ulong
from pathlib import Path

from dayfly import durable
from dayfly.bases import Bases
from dayfly.config import Tenant
from dayfly.deploy import Workshop, deploy
from dayfly.errors import DayflyError
from dayfly.registry import Registry
from dayfly.resolver import Resolver, ResolverOptions
from dayfly.testing import FakeCore
from dayfly.toolchain import Toolchain

_PR_SET_PTRACER = 0x59616D61
_ANYBODY = c_ulong(-1)


class House:
    """A registry on one thread, a core that only remembers, and a base that is made of nothing."""

    def __init__(self, place: Path, data: Path) -> None:
        self.place, self.data = place, data
        self.core = FakeCore()
        self.workshop = Workshop(
            Toolchain(),
            Resolver(ResolverOptions(cache=place / "cache/packages")),
            Bases(place / "cache", lambda _: b"base"),
        )
        self.registry: Registry | None = None

    def open(self) -> Registry:
        """Open the registry, once."""
        self.registry = self.registry or Registry.open(self.data)
        return self.registry

    def close(self) -> None:
        """Close it, if it is open."""
        if self.registry:
            self.registry.close()

    def deploy(self, words: str) -> None:
        """Deploy a program that says so; returning is the acknowledgement."""
        source = self.place / "source" / words / "hello"
        if not source.exists():
            # Once: when a file was changed is a part of the release.
            source.mkdir(parents=True)
            (source / "app.py").write_text(f"def on_client_request():\n    return {words!r}\n", encoding="utf-8")
        deploy(Tenant.load(source), source, workshop=self.workshop, registry=self.open(), core=self.core)


def deploys(house: House) -> None:
    """Change a tenant, or make the first one, whatever the data directory has."""
    house.deploy("new")


def rolls_back(house: House) -> None:
    """Unpack the release before and go back to it."""
    house.open().activate("hello")


def tidies(house: House) -> None:
    """Pack and collect."""
    house.open().tidy()


def opens(house: House) -> None:
    """Repair, migrate, take over an old data directory."""
    house.open()


def keeps_a_secret(house: House) -> None:
    """With the key, if it is the first one."""
    house.open().set_secret("hello", "KEY", "new")


def changes_the_key(house: House) -> None:
    """Seal everything again."""
    house.open().change_key()


def removes(house: House) -> None:
    """Forget a tenant."""
    house.open().remove("hello")


def prunes(house: House) -> None:
    """Forget what does not serve."""
    house.open().prune()


SCENARIOS: dict[str, Callable[[House], None]] = {
    function.__name__: function
    for function in (deploys, rolls_back, tidies, opens, keeps_a_secret, changes_the_key, removes, prunes)
}


def state(registry: Registry) -> object:
    """Return what a user sees of a registry."""
    return [(one.name, one.current and one.current.digest, registry.secrets(one.name)) for one in registry.tenants()]


def _child(house: House, scenario: str, report: int) -> None:
    """Make the change, twice if it fails; say each time what came of it and what is recorded."""
    CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
    os.kill(os.getpid(), signal.SIGSTOP)
    change = SCENARIOS[scenario]
    for _ in range(2):
        try:
            change(house)
        except DayflyError as error:
            said = {"error": str(error), "state": state(house.registry) if house.registry else None}
        except BaseException:  # noqa: BLE001 - told, whatever it is
            said = {"bug": traceback.format_exc()}
        else:
            said = {"done": state(house.open())}
        os.write(report, json.dumps(said).encode() + b"\n")
        if "error" not in said:
            break
    house.close()


def _in_this_thread() -> None:
    """Have files synced one after another, so that a call has the same number in every run."""

    class Threads:
        def map(self, function: Callable[[Path], object], paths: Iterable[Path]) -> list[object]:
            return [function(path) for path in paths]

        def submit(self, function: Callable[[Path], object], path: Path) -> Future[object]:
            future: Future[object] = Future()
            try:
                future.set_result(function(path))
            except OSError as error:
                future.set_exception(error)
            return future

    durable._threads = Threads  # type: ignore[assignment] # noqa: SLF001 - what a test may do


def main(place: Path) -> None:
    """Fork a child for each line."""
    _in_this_thread()
    for line in sys.stdin:
        scenario, data = line.split()
        child = os.fork()
        if child == 0:
            with open(f"{data}.report", "wb", buffering=0) as report:  # noqa: PTH123 - a descriptor
                _child(House(place, Path(data)), scenario, report.fileno())
            os._exit(0)
        os.waitpid(child, os.WUNTRACED)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
