"""The one-shot process in which a source becomes wasm: `python -m dayfly.toolchain ORDER`, a `BuildOrder` as JSON."""

import importlib
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from dayfly import durable
from dayfly.errors import BuildError, DayflyError, ExitCode, InternalError, SystemRefused
from dayfly.toolchain.children import end_with
from dayfly.toolchain.source import Source
from dayfly.toolchain.toolchain import BuildOrder


def main(order_json: str) -> int:
    """Build and write the module, or print the error as one JSON object."""
    order = BuildOrder(**json.loads(order_json))
    end_with(order.parent)
    _limit(order.cpu_seconds_max, order.memory_bytes_max)
    place = Path(order.bundle).with_name("source")
    try:
        Source.unpack(place, Path(order.bundle).read_bytes()).write(place)
        module = _builder(order.tier)(place, Path(order.cache))
        Path(order.output).write_bytes(module)
    except DayflyError as error:
        return _report(type(error)(str(error).replace(str(place), order.source)))
    except OSError as error:
        if error.errno not in durable.FULL:
            return _report(_failed(order, error))
        return _report(SystemRefused(durable.refusal("the directory for temporary files", error, "with TMPDIR")))
    except MemoryError:
        limit = order.memory_bytes_max >> 20
        return _report(BuildError(f"{order.source}: the build needs more than {limit} MiB of memory; make it smaller"))
    except Exception as error:  # noqa: BLE001 - whatever a hostile source provokes in a compiler is reported, not lost
        return _report(_failed(order, error))
    return ExitCode.DONE


def _failed(order: BuildOrder, error: Exception) -> InternalError:
    return InternalError(f"{order.source}: the toolchain failed: {type(error).__name__}: {error}")


def _limit(cpu_seconds_max: int, memory_bytes_max: int) -> None:
    """Limit this process before the source is looked at. Soft limits: a compiler that it starts may get others."""
    limits = {resource.RLIMIT_CPU: cpu_seconds_max, resource.RLIMIT_DATA: memory_bytes_max, resource.RLIMIT_CORE: 0}
    for which, most in limits.items():
        resource.setrlimit(which, (most, resource.getrlimit(which)[1]))


def _builder(tier: str) -> Callable[[Path, Path], bytes]:
    """Load only the tier that is asked for: the compiled one takes a second to import."""
    build: Callable[[Path, Path], bytes] = importlib.import_module(f"dayfly.toolchain.{tier}").build
    return build


def _report(error: DayflyError) -> int:
    json.dump({"kind": error.kind, "message": str(error)}, sys.stdout)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
