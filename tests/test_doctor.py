"""What the doctor finds on machines that lack something."""

import resource
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from dayfly import doctor, kernel
from dayfly.core import CoreOptions
from dayfly.doctor import Finding, Place, examine
from dayfly.errors import SystemRefused
from dayfly.kernel import Missing
from dayfly.registry import Registry

Examine = Callable[..., dict[str, Finding]]


@pytest.fixture
def findings(tmp_path: Path) -> Examine:
    """Return a function that looks at everything, and gives what it found by name."""

    def look(data_directory: Path | None = None, port: int = 0, host: str = "127.0.0.1") -> dict[str, Finding]:
        place = Place(data_directory or tmp_path / "data", host, port)
        return {finding.check: finding for finding in examine(place)}

    return look


def test_every_finding_that_is_not_ok_says_what_to_do(findings: Examine) -> None:
    """And none that is has anything to be done."""
    found = findings()
    assert all(finding.cure for finding in found.values() if finding.level != "ok")
    assert not any(finding.cure for finding in found.values() if finding.level == "ok")


def test_a_kernel_without_features_is_a_warning(findings: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told with its reason."""

    def missing() -> None:
        raise Missing("hidden")

    for name in ("write_protection", "pagemap_scan", "landlock_version", "seccomp_filters"):
        monkeypatch.setattr(kernel, name, missing)
    found = findings()
    for name in ("userfaultfd", "PAGEMAP_SCAN", "landlock", "seccomp"):
        assert (found[name].level, found[name].found) == ("warn", "hidden")


def test_an_engine_that_does_not_start_is_a_failure(findings: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own words."""

    def refuse(_: CoreOptions) -> None:
        raise SystemRefused("no address space; raise the limit")

    monkeypatch.setattr(doctor, "NativeCore", refuse)
    assert findings()["protection"] == Finding("protection", "fail", "no address space", "raise the limit")


@pytest.mark.parametrize(
    ("code", "level", "found"),
    [
        ("""print('{"missing": ["landlock"]}')""", "warn", "without landlock"),
        ("raise SystemExit('the kernel says no')", "fail", "the kernel says no"),
        ("raise SystemExit(1)", "fail", "it ended without a word"),
    ],
)
def test_a_process_that_cannot_be_confined_is_told(
    findings: Examine, monkeypatch: pytest.MonkeyPatch, code: str, level: str, found: str
) -> None:
    """With what is missing."""
    monkeypatch.setattr(doctor, "_CONFINE", code)
    confinement = findings()["confinement"]
    assert (confinement.level, confinement.found) == (level, found)


def test_low_limits_are_warnings(findings: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors, mappings, address space, strict accounting, memory."""
    settings = {"vm/max_map_count": "1000", "vm/overcommit_memory": "2"}
    monkeypatch.setattr(doctor, "_setting", lambda name: settings[name])
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    monkeypatch.setattr(doctor, "_memory_bytes", lambda: 1 << 20)
    found = findings()
    for name in ("descriptors", "max_map_count", "overcommit", "address space", "memory"):
        assert found[name].level == "warn", found[name]


def test_a_processor_without_features_is_a_warning(findings: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are named."""
    monkeypatch.setattr(doctor, "_processor_flags", lambda: set(doctor.CPU_FEATURES) - {"avx2"})
    assert findings()["processors"].found.endswith("without avx2")


@pytest.mark.parametrize(("free", "level"), [(1 << 40, "ok"), (1 << 30, "warn"), (1 << 20, "fail")])
def test_a_full_disk_fails(findings: Examine, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    """One that is nearly full is a warning."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    found = findings()
    assert {found["disk of data directory"].level, found["disk of cache"].level} == {level}


def test_a_data_directory_is_looked_at_and_left_alone(findings: Examine, tmp_path: Path) -> None:
    """One that does not exist is not made; one that is in use is named with its user."""
    assert findings()["data directory"].found == f"{tmp_path / 'data'} will be made"
    assert not (tmp_path / "data").exists()
    with Registry.open(tmp_path / "data"):
        assert "in use by process" in findings()["data directory"].found
    assert findings()["data directory"] == Finding("data directory", "ok", f"{tmp_path / 'data'}")
    (tmp_path / "file").touch()
    assert findings(tmp_path / "file")["data directory"].level == "fail"
    assert findings(tmp_path / "file/below")["data directory"].level == "fail"


def test_a_cache_that_others_may_write_to_fails(
    findings: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    monkeypatch.setenv("DAYFLY_CACHE_DIR", str(tmp_path / "cache"))
    found = findings()["cache"]
    assert (found.level, "chmod go-w" in found.cure) == ("fail", True)


def test_a_port_in_use_is_a_warning(findings: Examine) -> None:
    """It may be this server's own; an address that cannot be is a failure."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert findings(port=server.getsockname()[1])["port"].level == "warn"
    assert findings(host="192.0.2.1")["port"].level == "fail"


def test_tools_that_are_missing_are_told(findings: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Benchmarks want wrk; what the toolchain runs is needed."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(doctor, "TOOLS", ("no-such-package",))
    found = findings()
    assert (found["wrk"].level, found["no-such-package"].level) == ("warn", "fail")
