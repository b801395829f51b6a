"""Commands that need no server."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from dayfly.choices import Template
from dayfly.registry import Key, Registry
from tests.conftest import HELLO_WAT, Run

TEMPLATES = get_args(Template)
SAMPLES = """tier = "wasm"
[[sample_requests]]
path = "/"
status = 200
[[sample_requests]]
method = "POST"
path = "/a"
query = "b=c"
status = 404
"""
TRAPS = HELLO_WAT.replace("(i32.const 2048)))", "unreachable))")


def scaffolded(run: Run, tmp_path: Path, template: str) -> Path:
    """Make a directory from a template."""
    done = run("new", template, "--template", template)
    assert done.returncode == 0, done.stderr
    assert f"cd {template} && dayfly dev" in done.stdout
    return tmp_path / template


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_a_tenant_with_a_readme_and_sample_requests(run: Run, tmp_path: Path, template: str) -> None:
    """Named after its directory."""
    directory = scaffolded(run, tmp_path, template)
    assert {"README.md", "app.py", "dayfly.toml"} <= {file.name for file in directory.iterdir()}
    assert (directory / "README.md").read_text(encoding="utf-8").startswith(f"# {template}\n")
    assert (directory / "dayfly.toml").read_text(encoding="utf-8").count("[[sample_requests]]") >= 2


@pytest.mark.parametrize("template", [name for name in TEMPLATES if name != "flask"])
def test_a_template_passes_its_own_samples(run: Run, tmp_path: Path, template: str) -> None:
    """In the sandbox, as a deploy would send them."""
    scaffolded(run, tmp_path, template)
    done = run("test", template)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{template}: " in done.stdout
    assert "passed, 0 failed" in done.stdout


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    """A file, a directory with something in it, or a name that cannot be: one line, and nothing is made."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "app.py").write_text("mine", encoding="utf-8")
    for name, said in (("file", "no directory"), ("full", "not empty: there is `app.py`"), ("No_Name", "cannot be")):
        done = run("new", name)
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["app.py", "file", "full"]
    assert (tmp_path / "full" / "app.py").read_text(encoding="utf-8") == "mine"


def test_an_empty_directory_will_do(run: Run, tmp_path: Path) -> None:
    """Also the one that one stands in."""
    (tmp_path / "shop").mkdir()
    made = json.loads(run("new", "shop", "--json").stdout)
    assert made == {"tenant": "shop", "directory": "shop", "files": ["README.md", "app.py", "dayfly.toml"]}


def test_samples_are_a_table(run: Run, make_tenant: Callable[..., Path]) -> None:
    """A line each, with status and cost; one that is not answered as it must be is a failure."""
    directory = make_tenant("hello", {"app.wat": HELLO_WAT, "dayfly.toml": SAMPLES})
    done = run("test", directory)
    assert done.returncode == 1
    heading, passed, failed, why, total = done.stdout.splitlines()
    assert heading.split() == ["request", "status", "CPU", "pages"]
    assert passed.split()[:4] == ["pass", "GET", "/", "200"]
    assert failed.split()[:4] == ["fail", "POST", "/a?b=c", "200"]
    assert why == "POST /a?b=c: answered 200, and `sample_requests` expects 404"
    assert total == "hello: 1 passed, 1 failed"


def test_samples_tell_why_a_program_failed(run: Run, make_tenant: Callable[..., Path]) -> None:
    """As its log would, and for programs."""
    directory = make_tenant("hello", {"app.wat": TRAPS, "dayfly.toml": SAMPLES})
    assert "unreachable" in run("test", directory).stdout
    facts = json.loads(run("test", directory, "--json").stdout)
    assert [fact["passed"] for fact in facts] == [False, False]
    assert "unreachable" in facts[0]["failure"]


def test_no_samples_are_no_success(run: Run, make_tenant: Callable[..., Path]) -> None:
    """Nothing was tested."""
    done = run("test", make_tenant())
    assert done.returncode == 1
    assert "there are no `sample_requests` to send; add some" in done.stderr


def test_results_are_there_for_programs(run: Run, make_tenant: Callable[..., Path]) -> None:
    """Each local command has `--json`."""
    directory = make_tenant()
    checked = json.loads(run("check", directory, "--json").stdout)
    assert (checked["tenant"], checked["tier"], checked["notes"]) == ("hello", "wasm", [])
    built = json.loads(run("build", directory, "--json").stdout)
    assert (built["tenant"], built["unchanged"], len(built["release"])) == ("hello", False, 64)
    assert json.loads(run("build", directory, "--json").stdout)["unchanged"]
    assert json.loads(run("prune", "--json").stdout) == []
    assert json.loads(run("secret", "list", "hello", "--json").stdout) == {}


def test_the_doctor_says_how_the_machine_stands(run: Run, tmp_path: Path) -> None:
    """A line each, and an exit code."""
    done = run("doctor", "--port", 0)
    findings = json.loads(run("doctor", "--port", 0, "--json").stdout)
    assert {"kernel", "userfaultfd", "PAGEMAP_SCAN", "landlock", "seccomp", "protection", "port", "cache", "wrk"} <= {
        finding["check"] for finding in findings
    }
    assert len(done.stdout.splitlines()) == len(findings)
    assert done.returncode == any(finding["level"] == "fail" for finding in findings)
    assert not (tmp_path / ".dayfly").exists()


def test_the_doctor_fails_what_cannot_work(run: Run, tmp_path: Path) -> None:
    """With what to do."""
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o777)
    done = run("doctor", "--port", 0, "--data-dir", data)
    assert done.returncode == 1
    assert f"{data} may be written to by others; chmod go-w {data}" in done.stdout
    data.chmod(stat.S_IRWXU)
    assert "may be written to" not in run("doctor", "--port", 0, "--data-dir", data).stdout
    assert os.path.lexists(data)


def test_the_key_can_be_changed_and_the_history_checked(run: Run, tmp_path: Path) -> None:
    """While no server runs there; to a key that is made, or to one that stands elsewhere."""
    data = tmp_path / "data"
    with Registry.open(data) as registry:
        registry.set_secret("hello", "KEY", "value")
    first = Key.find(data, {})
    changed = run("key", "change", "--data-dir", data, "--why", "it was seen")
    assert (changed.returncode, changed.stdout) == (0, f"sealed with {data}/key\n"), changed.stderr
    assert Key.find(data, {}) != first
    with Registry.open(data) as registry:
        assert registry.secrets("hello") == {"KEY": "value"}
        number, digest = registry.verify_audit()
    assert run("audit", "--data-dir", data).stdout == f"{number} {digest}\n"
    other = Key.make(data, data / "scratch", name="elsewhere")
    assert run("key", "change", "--data-dir", data, "--to", data / "elsewhere").returncode == 0
    with Registry.open(data, key=other) as registry:
        assert registry.secrets("hello") == {"KEY": "value"}


def test_a_question_makes_no_data_directory(run: Run, tmp_path: Path) -> None:
    """Where there is none and no server answers, that is what is said."""
    asked = run("secret", "list", "hello")
    assert (asked.returncode, "no server answers" in asked.stderr) == (3, True), asked.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--disk", "much"], 2, "--disk cannot be `much`; allowed: octets, or a number with KiB, MiB or GiB"),
        (["--tenant-disk", "1 TiB"], 2, "--tenant-disk cannot be `1 TiB`"),
        (["--database", "mysql://db/dayfly"], 1, "allowed: postgresql://USER@HOST/DATABASE"),
    ],
)
def test_what_a_server_cannot_keep_to_is_refused(run: Run, words: list[str], code: int, message: str) -> None:
    """Before anything is made."""
    refused = run("serve", *words)
    assert (refused.returncode, message in refused.stderr) == (code, True), refused.stderr
