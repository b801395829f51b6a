"""No child outlives the one that started it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = "import os; os.write(os.open('alive', os.O_WRONLY), b'1'); import time; time.sleep(600)"
BY_COMMAND = """
import pathlib
from dayfly.toolchain.compiled.process import Allowance, run
run([sys.executable, "-c", child], directory=pathlib.Path("."), allowance=Allowance())
"""
BY_ITSELF = """
import os, subprocess
start = f"from dayfly.toolchain.children import end_with; end_with({os.getpid()}); "
subprocess.run([sys.executable, "-c", start + child])
"""


@pytest.mark.parametrize("program", [BY_COMMAND, BY_ITSELF], ids=["command", "toolchain"])
def test_a_child_ends_with_its_parent(tmp_path: Path, program: str) -> None:
    """Even if that is killed: the pipe that only the child holds is closed."""
    os.mkfifo(tmp_path / "alive")
    command = [sys.executable, "-c", f"import sys; child = sys.argv[1]\n{program}", CHILD]
    with subprocess.Popen(command, cwd=tmp_path) as parent, (tmp_path / "alive").open("rb") as alive:
        assert alive.read(1) == b"1"
        parent.kill()
        assert alive.read() == b""


def test_a_child_whose_parent_is_gone_does_nothing() -> None:
    """It may have ended before the child could say what it wants."""
    program = "from dayfly.toolchain.children import end_with; end_with(1 << 30); print('still here')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
