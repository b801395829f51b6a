"""Runs in a process of its own: `app.py` to C++. Started by path, so it imports nothing of dayfly.

Usage: pythran_job.py SOURCE NAME RESULT. Writes RESULT.cpp and RESULT.json; problems go to the latter.
"""

import json
import sys
from pathlib import Path
from typing import Any

import gast
from pythran import metadata
from pythran.backend import Cxx
from pythran.config import cfg
from pythran.toolchain import front_middle_end


def translate(source: str, name: str) -> tuple[str, list[str]]:
    """Return the C++ and the names of the module's globals in order."""
    manager, module, _ = front_middle_end(name, source)
    content = manager.dump(Cxx, module)
    names = [node.name for node in module.body if isinstance(node, gast.FunctionDef) and _is_global(node)]
    return str(content), names


def _is_global(node: gast.FunctionDef) -> bool:
    return bool(metadata.get(node.body[0], metadata.StaticReturn))


def main() -> None:
    """Translate; report what Pythran refuses."""
    source, name, result = sys.argv[1:]
    report: dict[str, Any] = {}
    try:
        code, report["globals"] = translate(Path(source).read_text(), name)
        Path(result + ".cpp").write_text(code)
    except SyntaxError as error:
        report["error"] = {"reason": error.args[0], "line": error.lineno or 0, "column": error.offset}
    Path(result + ".json").write_text(json.dumps(report))


if __name__ == "__main__":
    cfg.set("backend", "annotate", "false")
    main()
