"""Commands that read a tenant's source get little, and not for long."""

import errno
import sys
from pathlib import Path

import pytest

from dayfly.toolchain.compiled import process
from dayfly.toolchain.compiled.process import Allowance, run


def python(code: str, directory: Path, allowance: Allowance | None = None) -> tuple[int, str, str]:
    """Run a line of Python under an allowance."""
    command = [sys.executable, "-I", "-c", code]
    outcome = run(command, directory=directory, allowance=allowance or Allowance())
    return outcome.status, outcome.output, outcome.cause


def test_nothing_of_our_environment_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches and temporary files stay in the directory."""
    monkeypatch.setenv("SECRET", "known")
    code = "import os; print(os.environ.get('SECRET'), os.environ['HOME'] == os.getcwd(), sorted(os.environ)[0])"
    status, output, cause = python(code, tmp_path)
    assert (status, cause) == (0, "")
    assert output.split()[:2] == ["None", "True"]


def test_a_command_that_computes_too_long_is_ended(tmp_path: Path) -> None:
    """By its CPU time."""
    assert python("while True: pass", tmp_path, Allowance(cpu_s=1))[2] == "cpu"


def test_a_command_that_waits_too_long_is_ended(tmp_path: Path) -> None:
    """With everything that it started."""
    assert python("import time; time.sleep(60)", tmp_path, Allowance(wall_s=0.2))[2] == "wall"


def test_a_command_gets_no_more_memory(tmp_path: Path) -> None:
    """It sees a MemoryError, as any program does."""
    code = "try: bytes(1 << 30)\nexcept MemoryError: print('refused')"
    status, output, _ = python(code, tmp_path, Allowance(memory_bytes=1 << 28))
    assert (status, output) == (0, "refused\n")


def test_a_command_writes_no_large_file(tmp_path: Path) -> None:
    """The directory lies on the disk of the cache."""
    code = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL); open('x', 'wb').write(bytes(1 << 20))"
    assert python(code, tmp_path, Allowance(file_bytes=1 << 16))[2] == "size"


def test_a_full_disk_is_not_the_sources_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that failed there is an error of the system; one that did not need the space is not."""
    monkeypatch.setattr(process, "DISK_BYTES_MIN", 1 << 62)
    assert python("print(1)", tmp_path)[:2] == (0, "1\n")
    with pytest.raises(OSError, match="No space left") as caught:
        python("raise SystemExit(1)", tmp_path)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path))


def test_words_alone_are_no_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be the source's; where little is free, they count."""
    code = "import sys; sys.exit('No space left on device')"
    monkeypatch.setattr(process, "DISK_BYTES_ENOUGH", 0)
    assert python(code, tmp_path)[0] == 1
    monkeypatch.setattr(process, "DISK_BYTES_ENOUGH", 1 << 62)
    with pytest.raises(OSError, match="No space left"):
        python(code, tmp_path)
    assert python("raise SystemExit(1)", tmp_path)[0] == 1
