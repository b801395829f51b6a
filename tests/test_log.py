"""What programs log reaches their file whole and the operator's terminal harmless."""

import json
import logging
from pathlib import Path

import pytest

from dayfly.core import LogRecord
from dayfly.log import TenantLogs


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


def test_the_log_of_the_start_is_kept(tmp_path: Path, operator_log: pytest.LogCaptureFixture) -> None:
    """`on_init` may print."""
    logs = TenantLogs(tmp_path)
    logs.write_init("hello", "f" * 64, ((1, "Hello from Python"),))
    logs.close()
    assert operator_log.messages == ["hello info: Hello from Python"]
    assert '"request": "init"' in (tmp_path / "hello.log").read_text(encoding="utf-8")
