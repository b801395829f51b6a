"""What the tests share: tenant directories, a data directory, and the command line as a process."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
HELLO = (REPOSITORY / "examples/hello/app.py").read_text(encoding="utf-8")
HELLO_WAT = """(module
  (memory (export "memory") 1)
  (data (i32.const 1024) "hello")
  (data (i32.const 2048) "\\c8")
  (data (i32.const 2069) "\\04\\00\\00\\05")
  (func (export "dayfly_handle") (param i32) (result i32) (i32.const 2048)))
"""
"""The smallest tenant of the `wasm` tier: status 200 and the body `hello`."""

DAYFLY = Path(sys.executable).with_name("dayfly")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def make_tenant(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a tenant directory of the given files."""

    def make(name: str = "hello", files: dict[str, str] | None = None) -> Path:
        directory = tmp_path / "tenants" / name
        directory.mkdir(parents=True, exist_ok=True)
        for file, content in (files or {"app.wat": HELLO_WAT, "dayfly.toml": 'tier = "wasm"\n'}).items():
            (directory / file).write_text(content, encoding="utf-8")
        return directory

    return make


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs the command line to its end, in a directory of its own."""

    def run_command(*words: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [DAYFLY, *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run_command
