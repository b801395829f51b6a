"""The base of the python tier: CPython 3.14 with dayfly's runtime in it, as one module that speaks the guest ABI.

Four steps, each kept by what went into it: the guest's sources become a component whose interpreter has started and
has imported them (`componentize-py`), the glue becomes a side module (clang from the `ziglang` wheel), and both are
merged. The hash seed of the interpreter is drawn in the first step and stays: it is the cache's secret.
"""

import importlib.metadata
import shutil
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from dayfly import _core
from dayfly.toolchain.compiled import process, zig
from dayfly.toolchain.progress import Progress
from dayfly.toolchain.store import Store, digest

GLUE = Path(__file__).with_name("glue")
_PACKAGE = Path(__file__).parents[2]
_APP = "dayfly.guest"
_STEPS = 3

# As little of a wheel's surroundings as possible decides what comes out.
_COMPONENTIZE = "import sys, componentize_py; sys.exit(componentize_py.script())"
_ALLOWANCE = process.Allowance(cpu_s=300, wall_s=900, memory_bytes=1 << 40)  # the engine in it reserves address space
_COMPILE = [
    "--no-default-config",
    "-target",
    "wasm32-wasip1",
    "-mcpu=mvp",
    "-mmutable-globals",
    "-mnontrapping-fptoint",
    "-msign-ext",
    "-O2",
    "-g0",
    "-std=c17",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffreestanding",
    "-fno-ident",
    "-fno-stack-protector",
    "-fPIC",
    "-fvisibility=hidden",
    "-nostdinc",
]
# A side module of the convention for dynamic linking: what is undefined is the interpreter's.
_LINK = [
    "-shared",
    "--experimental-pic",
    "--unresolved-symbols=import-dynamic",
    "--gc-sections",
    "--strip-all",
    "--build-id=none",
    "-O2",
]


def build(cache: Path, progress: Progress, guest: Mapping[str, Path] | None = None) -> bytes:
    """Return the module of the base. The first call on a machine takes some ten seconds, later ones read a file."""
    files = sources() if guest is None else guest
    store = Store(cache)
    component_key, glue_key = _component_key(files), _glue_key()

    def make(place: Path) -> None:
        progress("starting CPython", 0, _STEPS)
        component = store.entry("component", component_key, lambda directory: _make_component(directory, files))
        progress("compiling the glue", 1, _STEPS)
        glue = store.entry("glue", glue_key, _make_glue)
        progress("merging", 2, _STEPS)
        merged = _core.merge((component / "component.wasm").read_bytes(), (glue / "glue.wasm").read_bytes())
        (place / "base.wasm").write_bytes(merged)
        progress("merged", _STEPS, _STEPS)

    # The native half does the merging.
    place = store.entry("base", digest(component_key, glue_key, _native_digest()), make)
    return (place / "base.wasm").read_bytes()


def sources() -> dict[str, Path]:
    """Return the files of the guest, by their names in it: the runtime, the handler API, and the package's face."""
    files = {"dayfly/__init__.py": _PACKAGE / "__init__.py"}
    for name, directory in {"dayfly/handler": _PACKAGE / "handler", "dayfly/guest": GLUE.with_name("guest")}.items():
        files |= {f"{name}/{file.relative_to(directory).as_posix()}": file for file in directory.rglob("*.py")}
    return dict(sorted(files.items()))


@cache
def _native_digest() -> str:
    return digest(Path(_core.__file__))


def _component_key(files: Mapping[str, Path]) -> str:
    versions = [importlib.metadata.version(name) for name in ("componentize-py", "dayfly")]
    contents = [part for name, file in files.items() for part in (name, file)]
    return digest(*versions, Path(__file__), GLUE / "world.wit", *contents)


def _make_component(place: Path, files: Mapping[str, Path]) -> None:
    guest, packages = place / "guest", place / "environment/lib/python3.14/site-packages"
    for name, file in files.items():
        (guest / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, guest / name)
    version = importlib.metadata.version("dayfly")
    metadata = guest / f"dayfly-{version}.dist-info/METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: dayfly\nVersion: {version}\n")
    # Without an environment of its own it would take in the packages of this one.
    packages.mkdir(parents=True)
    interpreter: list[str | Path] = [sys.executable, "-P", "-c", _COMPONENTIZE]
    world: list[str | Path] = ["--wit-path", GLUE / "world.wit", "--world", "guest"]
    from_and_to: list[str | Path] = ["--python-path", guest, "--output", place / "component.wasm"]
    _run([*interpreter, *world, "componentize", _APP, *from_and_to], place, VIRTUAL_ENV=str(place / "environment"))
    shutil.rmtree(guest)
    shutil.rmtree(place / "environment")


def _glue_key() -> str:
    return digest(zig.version(), Path(__file__), *sorted(GLUE.glob("*.[ch]")))


def _make_glue(place: Path) -> None:
    headers: list[str | Path] = ["-isystem", zig.root() / "lib/include", f"-I{GLUE}"]
    objects = [place / f"{source.stem}.o" for source in sorted(GLUE.glob("*.c"))]
    for result in objects:
        source = GLUE / f"{result.stem}.c"
        _run([*zig.tool("clang"), *_COMPILE, *headers, "-c", source, "-o", result], place)
    _run([*zig.tool("wasm-ld"), *_LINK, *objects, "-o", place / "glue.wasm"], place)
    for result in objects:
        result.unlink()


def _run(command: list[str | Path], place: Path, **extra: str) -> None:
    outcome = process.run(command, directory=place, allowance=_ALLOWANCE, **extra)
    if outcome.status != 0:
        words = " ".join(map(str, command))
        raise RuntimeError(f"the base does not build: {words}\n{outcome.output}{outcome.errors}{outcome.cause}")
