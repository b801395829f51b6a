"""What programs log reaches their file whole and the operator's terminal harmless."""

import json
import logging
from pathlib import Path

import pytest

from dayfly.core import LogRecord
from dayfly.log import FILES_MAX, TenantLogs, logger, to_standard_error


@pytest.fixture
def operator_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """Return what the operator sees."""
    monkeypatch.setattr(logging.getLogger("dayfly"), "propagate", True)
    caplog.set_level(logging.INFO, "dayfly")
    return caplog


def test_a_line_stands_in_both_logs(tmp_path: Path, operator_log: pytest.LogCaptureFixture) -> None:
    """As JSON for the tenant, readable for the operator, and without control characters there."""
    logs = TenantLogs(tmp_path)
    logs.write(LogRecord(1.5, "shop", "f" * 64, "r1", 3, "red \x1b[31m\u202e\nline"))
    logs.close()
    (line,) = (tmp_path / "shop.log").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {
        "time": 1.5,
        "level": "error",
        "release": "f" * 12,
        "request": "r1",
        "text": "red \x1b[31m\u202e\nline",
    }
    assert operator_log.messages == [r"shop error: red \x1b[31m\u202e\nline"]


def test_few_log_files_are_open_at_a_time(tmp_path: Path) -> None:
    """However many tenants log in turn; every line reaches its file."""
    logs, before = TenantLogs(tmp_path), open_files(tmp_path)
    names = [f"tenant-{number}" for number in range(FILES_MAX + 10)]
    for text in ("first", "second"):
        for name in names:
            logs.write(LogRecord(1.5, name, "f" * 64, "r1", 1, text))
    assert open_files(tmp_path) - before == FILES_MAX
    logs.close()
    assert open_files(tmp_path) == before
    assert [[line.text for line in logs.tail(name, 9)] for name in names] == [["first", "second"]] * len(names)


def open_files(directory: Path) -> int:
    """Count the files in a directory that this process has open."""
    # The descriptor by which the list is read is gone when it is looked at.
    files = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(file.parent == directory for file in files)


def test_no_line_of_the_operators_log_is_obeyed_by_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a message is made of: names of modules, reasons of packages, texts of exceptions."""
    for name in ("handlers", "level", "propagate"):
        monkeypatch.setattr(logger, name, getattr(logger, name))
    monkeypatch.setattr(logger, "handlers", [])
    to_standard_error()
    logger.info("module `%s` cannot be imported: %s", "a\x1b]0;owned\x07", "no\n2026-01-01T00:00:00 INFO forged")
    logger.error("failed", exc_info=ValueError("\x1b[2J"))
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(r"INFO module `a\x1b]0;owned\x07` cannot be imported: no\n2026-01-01T00:00:00 INFO forged")
    assert second.endswith(r"ERROR failed\nValueError: \x1b[2J")


def test_the_log_of_the_start_is_kept(tmp_path: Path, operator_log: pytest.LogCaptureFixture) -> None:
    """`on_init` may print."""
    logs = TenantLogs(tmp_path)
    logs.write_init("hello", "f" * 64, ((1, "Hello from Python"),))
    logs.close()
    assert operator_log.messages == ["hello info: Hello from Python"]
    assert '"request": "init"' in (tmp_path / "hello.log").read_text(encoding="utf-8")
