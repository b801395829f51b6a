"""The compiled tier: app.py -> check -> C++ -> object -> module, each step kept by what it was made from."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dayfly.toolchain.compiled import headers, process, runtime, zig
from dayfly.toolchain.compiled.check import Handler, check
from dayfly.toolchain.compiled.diagnostics import FILE, Diagnostic, Refused
from dayfly.toolchain.compiled.store import Store, digest

_JOB = Path(__file__).with_name("pythran_job.py")
_TAKES = {"method": 1, "path": 2, "query": 4, "body": 16}  # DAYFLY_TAKES_* in cxx/dayfly/abi.h


def _no_progress(_what: str, _done: int, _steps: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Compiled:
    """What a build gives."""

    wasm: bytes
    """Not yet instrumented; imports only from `dayfly`."""
    notes: tuple[Diagnostic, ...] = ()
    """What the tenant should know although it was built."""
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
        progress: runtime.Progress = _no_progress,
        allowance: process.Allowance | None = None,
    ) -> None:
        self._store = Store(cache_dir)
        self._progress = progress
        self._allowance = allowance or process.Allowance()

    def build(self, source_dir: Path) -> Compiled:
        """Build `app.py`; raise `Refused` with the places and reasons if it cannot become a program."""
        return self.build_source((source_dir / FILE).read_text())

    def build_source(self, source: str) -> Compiled:
        """Build the text of an `app.py`."""
        timings_s: dict[str, float] = {}
        handler = check(source)
        code, report = self._translated(source, timings_s)
        wasm = self._compiled(code, _main(handler, report["globals"]), timings_s)
        return Compiled(wasm, (), timings_s)

    def _translated(self, source: str, timings_s: dict[str, float]) -> tuple[str, dict[str, Any]]:
        """Return Pythran's C++ with wide ints, and what its job reports beside it."""

        def make(place: Path) -> None:
            began = time.monotonic()
            (place / FILE).write_text(source)
            self._run([sys.executable, "-I", _JOB, place / FILE, "app", place / "app"], place)
            timings_s["translate"] = time.monotonic() - began

        place = self._store.entry("cxx", digest(source, headers.pythran_version(), _JOB, sys.version), make)
        report = json.loads((place / "app.json").read_text())
        if error := report.get("error"):
            raise Refused(Diagnostic(error["line"], error["column"], error["reason"]))
        return headers.widen((place / "app.cpp").read_text()), report

    def _compiled(self, code: str, main: str, timings_s: dict[str, float]) -> bytes:
        """Return the module of a program's C++."""
        libraries = runtime.libraries(self._store, self._progress)
        options = headers.options(self._store)

        def make(place: Path) -> None:
            began = time.monotonic()
            (place / "app.cpp").write_text(code)
            (place / "main.cpp").write_text(main)
            self._run(zig.compile_cxx(place / "main.cpp", place / "main.o", *options), place)
            timings_s["compile"] = time.monotonic() - began
            self._run(zig.link([place / "main.o", *libraries], place / "app.wasm"), place)
            timings_s["link"] = time.monotonic() - began - timings_s["compile"]

        key = digest(code, main, zig.recipe(), headers.key(), runtime.key())
        return (self._store.entry("wasm", key, make) / "app.wasm").read_bytes()

    def _run(self, command: Sequence[str | Path], directory: Path) -> None:
        outcome = process.run(command, directory=directory, allowance=self._allowance)
        if outcome.status != 0:
            raise RuntimeError(outcome.errors)


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
