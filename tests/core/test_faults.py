"""Faults: ours are handled, others die with their report, whoever else wants to see them."""

import signal
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, faulthandler, pathlib, sys, tempfile
from dayfly import _core
from dayfly.config import Limits
from dayfly.core import CoreOptions, NativeCore
from dayfly.errors import InitFailed

def freeze(address):
    text = f'''(module (memory (export "memory") 1)
        (func (export "dayfly_init") (i32.store (i32.const {address}) (i32.const 1)))
        (func (export "dayfly_handle") (param i32) (result i32) i32.const 0))'''
    core.freeze(_core.parse_wat(text, "test"), Limits())

steps = sys.argv[1].split()
if "before" in steps:
    faulthandler.enable()
with tempfile.TemporaryDirectory() as directory:
    core = NativeCore(CoreOptions(code_cache=pathlib.Path(directory, "code"), threads=1, overflow_threads=1))
    freeze(100)
    if "after" in steps:
        faulthandler.enable()
    freeze(5000)
    try:
        freeze(-8)
    except InitFailed as error:
        print(error)
sys.stdout.flush()
ctypes.memset(0, 1, 1)
"""


@pytest.mark.parametrize(("steps", "reports"), [("", 0), ("before", 1), ("after", 1), ("before after", 1)])
def test_a_null_write_dies_with_its_report(steps: str, reports: int) -> None:
    """With `faulthandler` before us, after us or both, guests trap and the process dies of its own faults."""
    script = [sys.executable, "-c", SCRIPT, steps]
    ended = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)

    assert "out of bounds memory access" in ended.stdout
    assert reports == ended.stderr.count("Fatal Python error: Segmentation fault")
    assert ended.returncode == -signal.SIGSEGV
