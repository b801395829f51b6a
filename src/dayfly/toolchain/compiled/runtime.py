"""The C and C++ runtime of compiled programs: built once a machine from the sources in the ziglang wheel.

The wheel's own libc++abi knows no exceptions, so libc++, libc++abi and the unwinder are compiled again with them. libc
comes from zig, which builds it on demand.
"""

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dayfly.toolchain.compiled import process, zig
from dayfly.toolchain.progress import Progress
from dayfly.toolchain.store import Store, digest

_ABI = """abort_message cxa_aux_runtime cxa_default_handlers cxa_exception cxa_exception_storage cxa_guard cxa_handlers
    cxa_personality cxa_vector cxa_virtual fallback_malloc private_typeinfo stdlib_exception stdlib_new_delete
    stdlib_stdexcept stdlib_typeinfo cxa_demangle"""
_CXX = """algorithm any bind call_once chrono error_category exception expected functional hash ios
    ios.instantiations iostream locale memory memory_resource new new_handler new_helpers optional ostream random
    random_shuffle regex stdexcept string strstream system_error typeinfo valarray variant vector verbose_abort"""
_OURS = ("heap.c", "log.c", "strings.cpp", "text.cpp", "wasi.c", "start.s")
_DEFINES = [
    "-D_LIBCPP_BUILDING_LIBRARY",
    "-D_LIBCXXABI_BUILDING_LIBRARY",
    "-DLIBCXX_BUILDING_LIBCXXABI",
    "-D_LIBCPP_DISABLE_DEPRECATION_WARNINGS",
    "-D_LIBCXXABI_HAS_NO_THREADS",
    "-D_LIBUNWIND_HAS_NO_THREADS",
    "-D_LIBUNWIND_HIDE_SYMBOLS",
]
_INCLUDES = ("libcxxabi/include", "libcxx/src", "libcxxabi/src", "libcxx", "libcxx/libc", "libunwind/include")
_LIBC_NAMES = ("libc.a", "libzigc.a", "libcompiler_rt.a")
# Compiling libc takes zig about twenty steps' time.
_LIBC_STEPS = 20


def key() -> str:
    """Return what the runtime is made from, digested."""
    ours = [zig.CXX / name for name in _OURS] + sorted((zig.CXX / "dayfly").glob("*.h"))
    return digest(zig.recipe(), _ABI, _CXX, *_DEFINES, *_INCLUDES, Path(__file__), *ours)


def libraries(store: Store, progress: Progress) -> list[Path]:
    """Return the archives to link with, in order; the first call on a machine builds them (a minute)."""
    place = store.entry("runtime", key(), lambda directory: _Build(directory, progress).run())
    return [place / "start.o", *(place / name for name in ("libguest.a", *_LIBC_NAMES))]


class _Build:
    def __init__(self, directory: Path, progress: Progress) -> None:
        self._directory = directory
        self._progress = progress
        self._done = 0
        self._sources = self._cxx_sources()
        self._steps = len(self._sources) + len(_OURS) + _LIBC_STEPS

    def run(self) -> None:
        scratch = self._directory / "scratch"
        scratch.mkdir()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            libc = pool.submit(self._libc, scratch)
            library = list(pool.map(lambda source: self._compile(source, scratch), self._sources))
            ours = list(pool.map(lambda name: self._compile(zig.CXX / name, scratch), _OURS))
            libc.result()
        start = ours[_OURS.index("start.s")]
        shutil.copy(start, self._directory / "start.o")
        archive = self._directory / "libguest.a"
        self._run([*zig.tool("ar"), "rcsD", archive, *ours, *library], scratch)
        shutil.rmtree(scratch)

    def _cxx_sources(self) -> list[Path]:
        lib = zig.root() / "lib"
        abi = [lib / f"libcxxabi/src/{name}.cpp" for name in _ABI.split()]
        cxx = [lib / f"libcxx/src/{name}.cpp" for name in _CXX.split()]
        return [*abi, *cxx, lib / "libunwind/src/Unwind-wasm.c"]

    def _compile(self, source: Path, scratch: Path) -> Path:
        place = source.relative_to(zig.root()) if source.is_relative_to(zig.root()) else source.relative_to(zig.CXX)
        result = scratch / (str(place).replace("/", "-") + ".o")
        includes = [f"-I{zig.root() / 'lib' / name}" for name in _INCLUDES]
        if source.suffix == ".cpp":
            command = zig.compile_cxx(source, result, "-std=c++23", *_DEFINES, *includes)
        else:
            command = [*zig.compile_c(source, result), *_DEFINES, *includes]
        self._run(command, scratch)
        self._step(source.stem)
        return result

    def _libc(self, scratch: Path) -> None:
        """Let zig link an empty program and keep the archives that it names on its linker's command line."""
        source = scratch / "empty.c"
        source.write_text("int main(void) { return 0; }\n")
        command = [*zig.tool("cc"), "-target", "wasm32-wasi", "-O2", "-g0", source, "-o", scratch / "empty.wasm"]
        linker = self._run(command, scratch, ZIG_VERBOSE_LINK="1")
        for name in _LIBC_NAMES:
            found = re.search(rf"(\S+/{re.escape(name)})(?:\s|$)", linker)
            if found is None:
                raise RuntimeError(f"zig {zig.version()} did not link `{name}`")
            shutil.copy(scratch / found[1], self._directory / name)
        self._step("libc", _LIBC_STEPS)

    def _run(self, command: list[str | Path], scratch: Path, **extra: str) -> str:
        outcome = process.run(command, directory=scratch, allowance=process.Allowance(cpu_s=600, wall_s=1200), **extra)
        if outcome.status != 0:
            raise RuntimeError(f"the C++ runtime does not build: {' '.join(map(str, command))}\n{outcome.errors}")
        return outcome.errors

    def _step(self, what: str, steps: int = 1) -> None:
        self._done += steps
        self._progress(what, self._done, self._steps)
