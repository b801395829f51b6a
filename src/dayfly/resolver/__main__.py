"""The process that asks the package index: `python -m dayfly.resolver`, with a `ResolveOrder` as JSON to read.

No other connects to anything; so it is written, and nothing enforces it. It is told names, versions, markers and
digests, or a lock; it never sees the tenant's files. It leaves a lock and the unpacked packages, or prints the error as
one JSON object.
"""

import json
import resource
import sys
import traceback
from pathlib import Path

from dayfly.errors import DayflyError, ExitCode, InternalError, PackagesRefused
from dayfly.resolver.index import File, Index
from dayfly.resolver.lock import Lock, Locked
from dayfly.resolver.requirements import Wanted
from dayfly.resolver.resolve import resolve
from dayfly.resolver.resolver import FILES_NAME, LOCK_NAME, ResolveOrder, wanted_of
from dayfly.resolver.wheel import Tree
from dayfly.toolchain.source import Source


def main(order_json: bytes) -> int:
    """Resolve, download, unpack."""
    order = ResolveOrder(**json.loads(order_json))
    _limit(order)
    try:
        index = Index(order.index, order.transfer_bytes_max)
        wanted: list[Wanted] = [wanted_of(entry) for entry in order.wanted]
        lock = Lock.of(order.lock) if order.lock else resolve(wanted, index, order.bytes_max)
        files = _unpacked(lock, index, order.bytes_max)
        output = Path(order.output)
        (output / FILES_NAME).write_bytes(Source(output, files).bundle)
        (output / LOCK_NAME).write_text(lock.text, encoding="utf-8")
    except DayflyError as error:
        return _report(error)
    except MemoryError:
        return _report(PackagesRefused("the packages need too much memory to be resolved; take some out"))
    except Exception as error:  # noqa: BLE001 - whatever a hostile wheel provokes is reported, not lost
        # Not in its own words, which may quote an address with a password.
        *_, at = traceback.walk_tb(error.__traceback__)
        place = f"{Path(at[0].f_code.co_filename).name}:{at[1]}"
        return _report(InternalError(f"the resolver failed: {type(error).__name__} at {place}"))
    return ExitCode.DONE


def _limit(order: ResolveOrder) -> None:
    limits = {
        resource.RLIMIT_CPU: order.cpu_seconds_max,
        resource.RLIMIT_DATA: order.memory_bytes_max,
        resource.RLIMIT_CORE: 0,
    }
    for which, most in limits.items():
        resource.setrlimit(which, (most, resource.getrlimit(which)[1]))


def _unpacked(lock: Lock, index: Index, bytes_max: int) -> dict[str, bytes]:
    """Download what is locked, within the limit of all packages together, packed and unpacked."""
    tree, left = Tree(bytes_max), bytes_max
    for package in lock.packages:
        wheel = index.download(_located(package, index), left)
        left -= len(wheel)
        tree.add(wheel, package.file)
    return dict(sorted(tree.files.items()))


def _located(package: Locked, index: Index) -> File:
    """Find a locked wheel; its name and digest must be those of the lock."""
    for file in index.project(package.name) or ():
        if (file.name, file.sha256) == (package.file, package.sha256):
            return file
    raise PackagesRefused(f"the index has no {package.file} with the digest of the lock any more; pin another version")


def _report(error: DayflyError) -> int:
    json.dump({"kind": error.kind, "message": str(error)}, sys.stdout)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer.read()))
