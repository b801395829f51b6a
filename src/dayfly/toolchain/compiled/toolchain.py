"""The compiled tier: app.py -> check -> C++ -> object -> module, each step kept by what it was made from."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dayfly.errors import BuildError, InternalError
from dayfly.toolchain.compiled import headers, messages, process, runtime, zig
from dayfly.toolchain.compiled.check import Handler, check, circle
from dayfly.toolchain.compiled.diagnostics import FILE, Diagnostic, Refused
from dayfly.toolchain.progress import Progress
from dayfly.toolchain.store import Store, digest

SOURCE_BYTES_MAX = 1 << 20
"""Of `app.py`: a generated table fits, a build in 60 s of CPU time does not get larger ones."""

_JOB = Path(__file__).with_name("pythran_job.py")
_TAKES = {"method": 1, "path": 2, "query": 4, "body": 16}  # DAYFLY_TAKES_* in cxx/dayfly/abi.h


def _no_progress(_what: str, _done: int, _steps: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Compiled:
    """What a build gives."""

    wasm: bytes
    """Not yet instrumented; imports only from `dayfly`."""
    timings_s: Mapping[str, float] = field(default_factory=dict)
    """Each step; those taken from the cache are absent."""


class CompiledToolchain:
    """Builds programs of the compiled tier.

    Args:
        cache_dir: what was built before; owner only. The C++ runtime of the machine stands there too.
        progress: told about the once-a-machine build of that runtime.
        allowance: for each command that reads the tenant's source.

    """

    def __init__(
        self,
        cache_dir: Path,
        *,
        progress: Progress = _no_progress,
        allowance: process.Allowance | None = None,
    ) -> None:
        self._store = Store(cache_dir)
        self._progress = progress
        self._allowance = allowance or process.Allowance()

    def prepare(self) -> None:
        """Build what all programs share: a minute on the first call on a machine, nothing later."""
        runtime.libraries(self._store, self._progress)
        headers.options(self._store)

    def build(self, source_dir: Path) -> Compiled:
        """Build `app.py`; raise `Refused` with the places and reasons if it cannot become a program."""
        path = source_dir / FILE
        if not path.is_file():
            raise BuildError(f"{source_dir}: there is no {FILE}; put the program there, or use another tier")
        return self.build_source(path.read_bytes())

    def build_source(self, source: bytes) -> Compiled:
        """Build the octets of an `app.py`."""
        if len(source) > SOURCE_BYTES_MAX:
            raise Refused(Diagnostic(0, 0, f"more than {SOURCE_BYTES_MAX >> 20} MiB; the compiled tier takes less"))
        timings_s: dict[str, float] = {}
        handler = check(source)
        code, module_globals = self._translated(source, timings_s)
        wasm = self._compiled(source, code, _main(handler, module_globals), timings_s)
        return Compiled(wasm, timings_s)

    def _translated(self, source: bytes, timings_s: dict[str, float]) -> tuple[str, list[str]]:
        """Return Pythran's C++ with wide ints, and the names of the module's globals."""

        def make(place: Path) -> None:
            began = time.monotonic()
            self._pythran(source, place)
            timings_s["translate"] = time.monotonic() - began

        place = self._store.entry("cxx", digest(source, headers.pythran_version(), _JOB, sys.version), make)
        report = _report(place)
        if "crash" in report and (found := circle(source)):
            raise Refused(found)
        if error := report.get("error"):
            raise Refused(messages.from_pythran(error["reason"], error["line"], error["column"]))
        return headers.widen((place / "app.cpp").read_text()), report["globals"]

    def _pythran(self, source: bytes, place: Path, *mode: str) -> None:
        (place / FILE).write_bytes(source)
        # -I: nothing of the directory, of the environment or of the user's site packages is imported.
        command: list[str | Path] = [sys.executable, "-I", _JOB, place / FILE, "app", place / "app", *mode]
        outcome = self._run(command, place)
        (place / "log").write_text(outcome.errors)
        if not (place / "app.json").exists():
            raise InternalError(f"{FILE}: Pythran ended with status {outcome.status} and no report: {outcome.errors}")

    def _compiled(self, source: bytes, code: str, main: str, timings_s: dict[str, float]) -> bytes:
        """Return the module of a program's C++."""
        libraries = runtime.libraries(self._store, self._progress)
        options = headers.options(self._store)
        key = digest(code, main, zig.recipe(), headers.key(), runtime.key())

        def make(place: Path) -> None:
            began = time.monotonic()
            (place / "app.cpp").write_text(code)
            (place / "main.cpp").write_text(main)
            outcome = self._run(zig.compile_cxx(place / "main.cpp", place / "main.o", *options), place)
            if outcome.status != 0:
                raise self._does_not_compile(source, key, outcome.errors)
            timings_s["compile"] = time.monotonic() - began
            linked = self._run(zig.link([place / "main.o", *libraries], place / "app.wasm"), place)
            if linked.status != 0:
                raise self._does_not_compile(source, key, linked.errors)
            timings_s["link"] = time.monotonic() - began - timings_s["compile"]
            (place / "main.o").unlink()

        return (self._store.entry("wasm", key, make) / "app.wasm").read_bytes()

    def _does_not_compile(self, source: bytes, key: str, errors: str) -> Refused:
        """Find the reason in Python terms: by Pythran's check of types, else in what the compiler says."""
        log = self._store.log(key, errors)
        found = messages.from_clang(errors, log)
        if found.line:
            return Refused(found)
        with self._store.scratch() as place:
            self._pythran(source, place, "--explain")
            error = _report(place).get("error")
        if error and error["line"]:
            return Refused(messages.from_pythran(error["reason"], error["line"], error["column"]))
        return Refused(found)

    def _run(self, command: Sequence[str | Path], directory: Path) -> process.Outcome:
        """Run a compiler; a limit that ends it refuses the program."""
        outcome = process.run(command, directory=directory, allowance=self._allowance)
        if "LLVM ERROR: out of memory" in outcome.errors:
            mebibytes = self._allowance.memory_bytes >> 20
            raise Refused(Diagnostic(0, 0, f"compiling takes more than {mebibytes} MiB", "make the program smaller"))
        if outcome.cause:
            most = {"cpu": f"{self._allowance.cpu_s} s of CPU time", "wall": f"{self._allowance.wall_s:.0f} s"}
            limit = most.get(outcome.cause, "the space there is for files")
            raise Refused(Diagnostic(0, 0, f"compiling takes more than {limit}", "make the program smaller"))
        return outcome


def _report(place: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((place / "app.json").read_text())
    return report


def _main(handler: Handler, module_globals: list[str]) -> str:
    takes = sum(_TAKES[name] for name in handler.parameters)
    start = [f"(void)app::{name}{{}}();" for name in module_globals]
    if handler.has_init:
        start.append("app::on_init{}();")
    arguments = ", ".join(f"dayfly::{name}(frame)" for name in handler.parameters)
    return f"""#include "app.cpp"
namespace app = __pythran_app;
namespace dayfly::program {{
constexpr int takes = {takes};
inline void start() {{ {" ".join(start)} }}
inline auto answer(dayfly_frame const &frame) {{ return app::on_client_request{{}}({arguments}); }}
}}
#include "dayfly/program.hpp"
"""
