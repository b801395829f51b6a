"""What the tests of the compiled tier share: one toolchain and one server for all of them."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from dayfly.toolchain import ToolchainOptions
from dayfly.toolchain.compiled import Compiled, CompiledToolchain, Refused
from tests.compiled.differences import build
from tests.compiled.programs import Program
from tests.compiled.sandbox import Sandboxes

Compile = Callable[[str], Compiled]


@pytest.fixture(scope="session")
def toolchain() -> CompiledToolchain:
    """Return a toolchain on the cache that everybody uses: the C++ runtime is built once a machine."""
    toolchain = CompiledToolchain(ToolchainOptions().cache / "compiled")
    toolchain.prepare()
    return toolchain


@pytest.fixture(scope="session")
def compiled(toolchain: CompiledToolchain) -> Compile:
    """Return a function that builds the text of an `app.py`."""
    return lambda source: toolchain.build_source(source.encode())


@pytest.fixture(scope="session")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    """Return a server to publish programs on."""
    with Sandboxes(tmp_path_factory.mktemp("sandboxes")) as sandboxes:
        yield sandboxes


@pytest.fixture(scope="session")
def built(
    request: pytest.FixtureRequest, toolchain: CompiledToolchain
) -> Iterator[Callable[[Program], bytes | Refused]]:
    """Return a function that waits for a program of the corpus: those that will be asked for are built meanwhile."""
    wanted = {program for item in request.session.items if (program := _program(item))}
    with ThreadPoolExecutor() as pool:
        coming: dict[Program, Future[bytes | Refused]] = {
            program: pool.submit(build, program, toolchain) for program in sorted(wanted, key=lambda each: each.name)
        }
        yield lambda program: coming[program].result()
        for future in coming.values():
            future.cancel()


def _program(item: pytest.Item) -> Program | None:
    callspec = getattr(item, "callspec", None)
    program = callspec.params.get("program") if callspec else None
    return program if isinstance(program, Program) else None


@pytest.fixture(scope="session")
def hello(toolchain: CompiledToolchain) -> bytes:
    """Return the module of the seed program."""
    return toolchain.build(Path(__file__).parents[2] / "examples/hello").wasm
