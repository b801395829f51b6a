"""clang and wasm-ld out of the ziglang wheel, called directly: no search paths, no caches, no system compiler."""

import importlib.metadata
import importlib.util
from functools import cache
from pathlib import Path

CXX = Path(__file__).parent / "cxx"

# `mvp` and each feature by name: what a module may contain is decided here. Exceptions use the encoding with exnref,
# the only one that Wasmtime runs. No bulk memory: libc's memcpy loops over short blocks, a memory.copy is a call.
_TARGET = [
    "--no-default-config",
    "-target",
    "wasm32-wasip1",
    "-mcpu=mvp",
    "-mexception-handling",
    "-mextended-const",
    "-mmultivalue",
    "-mmutable-globals",
    "-mnontrapping-fptoint",
    "-mreference-types",
    "-msign-ext",
    "-mllvm",
    "-wasm-enable-eh",
    "-mllvm",
    "-wasm-use-legacy-eh=false",
]
# What zig passes for this target; the headers and the library must agree about it.
_LIBCXX = [
    "-D_LIBCPP_ABI_VERSION=1",
    "-D_LIBCPP_ABI_NAMESPACE=__1",
    "-D_LIBCPP_HAS_THREADS=0",
    "-D_LIBCPP_HAS_MONOTONIC_CLOCK",
    "-D_LIBCPP_HAS_TERMINAL",
    "-D_LIBCPP_HAS_MUSL_LIBC=1",
    "-D_LIBCXXABI_DISABLE_VISIBILITY_ANNOTATIONS",
    "-D_LIBCPP_DISABLE_VISIBILITY_ANNOTATIONS",
    "-D_LIBCPP_HAS_VENDOR_AVAILABILITY_ANNOTATIONS=0",
    "-D_LIBCPP_HAS_FILESYSTEM=0",
    "-D_LIBCPP_HAS_RANDOM_DEVICE",
    "-D_LIBCPP_HAS_LOCALIZATION",
    "-D_LIBCPP_HAS_UNICODE",
    "-D_LIBCPP_HAS_WIDE_CHARACTERS",
    "-D_LIBCPP_HAS_NO_STD_MODULES",
    "-D_LIBCPP_PSTL_BACKEND_SERIAL",
    # A misuse of the library traps: our own checks come first, this is the net under them.
    "-D_LIBCPP_HARDENING_MODE=_LIBCPP_HARDENING_MODE_FAST",
    "-D_LIBCPP_ASSERTION_SEMANTIC_DEFAULT=_LIBCPP_ASSERTION_SEMANTIC_QUICK_ENFORCE",
]
_CODE = [
    "-O2",
    "-g0",
    "-w",
    "-fhosted",
    "-fno-stack-protector",
    "-fno-ident",
    "-fno-crash-diagnostics",
    "-fvisibility=hidden",
    "-ffunction-sections",
    "-fdata-sections",
    "-DNDEBUG",
    "-nostdinc",
]
STACK_BYTES = 256 << 10  # in the guest's memory; Wasmtime limits the depth of calls by its own stack


@cache
def root() -> Path:
    """Return the directory of the ziglang package; it is found, never imported."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the compiled tier needs the package `ziglang`", name="ziglang")
    return Path(spec.origin).parent


@cache
def version() -> str:
    """Return the version of the compiler."""
    return importlib.metadata.version("ziglang")


def tool(name: str) -> list[str | Path]:
    """Return the command of one tool: clang, wasm-ld, ar, cc."""
    return [root() / "zig", name]


def _headers(*names: str) -> list[str]:
    return [word for name in names for word in ("-isystem", str(root() / "lib" / name))]


_LIBC_HEADERS = (
    "include",
    "libc/include/wasm-wasi-musl",
    "libc/include/generic-musl",
    "libc/include/wasm32-wasi-any",
    "libc/include/any-wasi-any",
)


def _no_paths(*directories: Path) -> list[str]:
    """Keep the building machine's paths out of the object."""
    return [f"-ffile-prefix-map={directory}=." for directory in (*directories, root())]


def compile_c(source: Path, result: Path) -> list[str | Path]:
    """Return the command that compiles C or assembly."""
    return [
        *tool("clang"), *_TARGET, *_CODE, *_no_paths(source.parent), *_headers(*_LIBC_HEADERS), "-std=c17",
        f"-I{CXX}", "-c", source, "-o", result,
    ]  # fmt: skip


def _cxx() -> list[str | Path]:
    return [
        *tool("clang"), *_TARGET, *_CODE, *_LIBCXX, "-fwasm-exceptions", "-fvisibility-inlines-hidden", "-nostdinc++",
        *_headers("libcxx/include", "libcxxabi/include", *_LIBC_HEADERS),
    ]  # fmt: skip


def compile_cxx(source: Path, result: Path, *extra: str | Path) -> list[str | Path]:
    """Return the command that compiles C++ with exceptions."""
    return [*_cxx(), *_no_paths(source.parent), *extra, "-c", source, "-o", result]


def precompile(header: Path, result: Path, *extra: str | Path) -> list[str | Path]:
    """Return the command that precompiles a header for `-include-pch`."""
    return [*_cxx(), *extra, "-Xclang", "-fno-pch-timestamp", "-x", "c++-header", header, "-o", result]


def link(objects: list[Path], result: Path) -> list[str | Path]:
    """Return the command that links a program; the stack comes first, so that its overflow traps."""
    return [
        *tool("wasm-ld"), "--no-entry", "--stack-first", "-z", f"stack-size={STACK_BYTES}", "--export-memory",
        "--strip-all", "--build-id=none", "--fatal-warnings", "-O2", *objects, "-o", result,
    ]  # fmt: skip


def recipe() -> str:
    """Return everything here that decides what comes out, for digests."""
    return "\n".join([version(), *_TARGET, *_LIBCXX, *_CODE, str(STACK_BYTES), Path(__file__).read_text()])
