"""Bad input: one line that says what and what to do, the right exit code, and nothing half-written."""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dayfly.registry import Registry
from tests.conftest import DAYFLY, HELLO, HELLO_WAT, REPOSITORY, Run

MakeTenant = Callable[..., Path]


def refused(run: Run, *words: object, code: int = 1, traceback: bool = False) -> str:
    """Run a command that must be refused; return its one line, below which there may be a traceback of the program."""
    done = run(*words)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    line, *more = done.stderr.splitlines()
    assert more == [] or (traceback and more[0].startswith(("Traceback", "  File")))
    assert line.startswith("dayfly: ")
    return line.removeprefix("dayfly: ")


@pytest.mark.parametrize("command", ["serve", "build", "check"])
def test_an_unknown_key_is_named(run: Run, make_tenant: MakeTenant, tmp_path: Path, command: str) -> None:
    """Before anything is written."""
    directory = make_tenant("hello", {"app.wat": HELLO_WAT, "dayfly.toml": "colour = 1"})
    assert refused(run, command, directory) == (
        f"{directory}/dayfly.toml: unknown key `colour`; allowed here: "
        "name, hosts, paths, tier, environment, secrets, sample_requests, limits"
    )
    assert not (tmp_path / ".dayfly").exists()


def test_a_missing_directory_is_named(run: Run) -> None:
    """With what should be there."""
    assert refused(run, "serve", "nothing") == "`nothing` is not a directory; name the directory that holds app.py"


SPINS = "while True:\n    pass\n"


@pytest.mark.parametrize(
    ("tier", "files", "message"),
    [
        ("compiled", {"note": ""}, "there is no app.py, where a program of tier `compiled` begins; add it or"),
        ("compiled", {"app.py": ""}, "app.py"),
        ("compiled", {"app.py": "def f(:\n"}, "app.py:1"),
        ("compiled", {"app.py": "def on_init():\n\tpass\n"}, "on_client_request"),
        ("compiled", {"app.py": "class A: pass\n\ndef on_client_request():\n\treturn 'a'\n"}, "app.py:1"),
        ("python", {"note": ""}, "DIR: there is no app.py, where a program of tier `python` begins; add it or"),
        ("python", {"app.py": ""}, "DIR: `app` has neither a function .*; define one of them in app.py$"),
        (
            "python",
            {"app.py": "def f(:\n"},
            "DIR: app.py:1: the program cannot be loaded: SyntaxError: .*; correct",
        ),
        ("python", {"app.py": "x = 1\n"}, "DIR: `app` has neither a function .*; define one of them in app.py$"),
        (
            "python",
            {"app.py": "\n1 / 0\n"},
            "DIR: app.py:2: the .* loaded: ZeroDivisionError: .*; correct",
        ),
        (
            "python",
            {"app.py": SPINS},
            "DIR: .* CPU time .* allows, 5 s; look for a loop .* or raise `limits.init_",
        ),
    ],
)
@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_bad_program_is_refused(
    run: Run, make_tenant: MakeTenant, tmp_path: Path, command: str, tier: str, files: dict[str, str], message: str
) -> None:
    """With directory or file, reason and what to do; no release is left behind."""
    directory = make_tenant("hello", {"dayfly.toml": f'tier = "{tier}"\n', **files})
    line = refused(run, command, directory, traceback=tier == "python")
    assert re.search(message.replace("DIR", f"^{directory}"), line), line
    if (tmp_path / ".dayfly").exists():
        with Registry.open(tmp_path / ".dayfly") as registry:
            assert registry.names() == []
    assert list(tmp_path.glob(".dayfly/scratch/*")) == []
    # A base stands there on its own.
    assert [file for file in tmp_path.glob(".dayfly/releases/*/manifest.json") if b"parent" in file.read_bytes()] == []


def test_a_memory_limit_below_what_cpython_takes_is_named(run: Run, make_tenant: MakeTenant) -> None:
    """With file, key, the least there is, which the documentation names too, and what to do."""
    directory = make_tenant("hello", {"app.py": HELLO, "dayfly.toml": '[limits]\nmemory_bytes_max = "1 MiB"\n'})
    line = refused(run, "check", directory)
    said = f"{directory}/dayfly.toml: `limits.memory_bytes_max` cannot be 1 MiB: CPython and the packages take"
    found = re.match(said + r" (\d+) MiB before the program begins; leave the key out, or .* 64 MiB at most$", line)
    assert found, line
    for page, words in {"limits": "the least is {} MiB", "configuration": "is from {} MiB"}.items():
        assert words.format(found[1]) in (REPOSITORY / f"docs/{page}.md").read_text(encoding="utf-8")


REFUSING = """
import errno, os, sys
number, places = getattr(errno, os.environ["REFUSED"]), os.environ["PLACES"].split(":")
def refuse(event, words):
    if event in {"open", "os.mkdir", "os.scandir", "os.rename"}:
        written = event != "open" or (words[2] or 0) & (os.O_WRONLY | os.O_RDWR)
        path = os.fspath(words[0]) if isinstance(words[0], (str, os.PathLike)) else ""
        if any(path.startswith(place) for place in places) and (written or number == errno.EACCES):
            raise OSError(number, os.strerror(number), path)
sys.addaudithook(refuse)
"""
"""A system that refuses to write below some places, or with EACCES to read: also to root, and without a full disk."""


@pytest.fixture
def refusing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes the system refuse."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(REFUSING, encoding="utf-8")

    def refuse(number: str, *places: str) -> None:
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
        monkeypatch.setenv("REFUSED", number)
        monkeypatch.setenv("PLACES", ":".join(places))

    return refuse


@pytest.mark.parametrize(
    ("number", "cure"), [("ENOSPC", "free space there"), ("EDQUOT", "free space there"), ("EROFS", "make it writable")]
)
@pytest.mark.parametrize("tier", ["python", "compiled", "wasm"])
def test_a_disk_that_takes_nothing_is_one_line(
    run: Run,
    make_tenant: MakeTenant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refusing: Callable[..., None],
    number: str,
    cure: str,
    tier: str,
) -> None:
    """The cache, the data directory, and the place for temporary files: which one, why, and what to do."""
    program = {"app.wat": HELLO_WAT} if tier == "wasm" else {"app.py": HELLO}
    directory = make_tenant("hello", {**program, "dayfly.toml": f'tier = "{tier}"'})
    cache, data = tmp_path / "cache", tmp_path / "data"
    with monkeypatch.context() as patch:
        patch.setenv("DAYFLY_CACHE_DIR", str(cache))
        refusing(number, str(cache))
        line = refused(run, "check", directory)
    assert re.match(rf"cache `{cache}.*` cannot be written: .*; {cure} or choose another with DAYFLY_CACHE_DIR$", line)
    for place in (data, data / "scratch"):
        refusing(number, f"{place}/" if place != data else str(place))
        line = refused(run, "build", directory, "--data-dir", data)
        assert re.match(rf"data directory `{data}` cannot be written: .*; {cure} or choose .* --data-dir$", line), line
    assert list(data.glob("releases/*")) == []
    if tier != "python":
        refusing(number, f"{tempfile.gettempdir()}/dayfly-build-")
        line = refused(run, "check", directory)
        assert re.match(rf"the directory for temporary .* cannot be written: .*; {cure} or .* TMPDIR$", line), line


@pytest.mark.parametrize("place", ["app.py", "dayfly.toml", "templates"])
@pytest.mark.parametrize("tier", ["python", "compiled"])
def test_a_source_that_cannot_be_read_is_one_line(
    run: Run, make_tenant: MakeTenant, refusing: Callable[..., None], tier: str, place: str
) -> None:
    """With the file or directory; nothing is left out of a release in silence."""
    directory = make_tenant("hello", {"app.py": HELLO, "dayfly.toml": f'tier = "{tier}"'})
    (directory / "templates").mkdir()
    refusing("EACCES", str(directory / place))
    line = refused(run, "check", directory)
    assert re.match(rf"{directory / place}: cannot be read: Permission denied; check ", line), line


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ('(module (import "env" "f" (func)) (memory (export "memory") 1))', "env"),
        ("(module)", "memory"),
        ('(module (memory (export "memory") 1) (func (export "dayfly_handle") (result i32) (i32.const 0)))', "handle"),
    ],
    ids=["import", "no-memory", "wrong-type"],
)
def test_a_module_that_no_sandbox_can_run_is_refused(
    run: Run, make_tenant: MakeTenant, module: str, message: str
) -> None:
    """The reason names what it asks for."""
    directory = make_tenant("hello", {"app.wat": module, "dayfly.toml": 'tier = "wasm"'})
    assert message in refused(run, "check", directory)


@pytest.mark.parametrize("directory", ["/dev/null/data", "/sys/dayfly", "/proc/dayfly"])
def test_a_read_only_data_directory_is_refused(run: Run, make_tenant: MakeTenant, directory: str) -> None:
    """Root meets these too: below a file, and in file systems that take no directories."""
    line = refused(run, "serve", make_tenant(), "--data-dir", directory)
    assert line.startswith(f"data directory `{directory}` cannot be written: ")
    assert line.endswith("; make it writable or choose another with --data-dir")


def test_two_directories_of_one_name_are_refused(run: Run, make_tenant: MakeTenant) -> None:
    """The message says where to set another."""
    one = make_tenant("one", {"app.wat": HELLO_WAT, "dayfly.toml": 'tier = "wasm"\nname = "two"'})
    assert "are both tenant `two`; set another `name`" in refused(run, "serve", one, make_tenant("two"), code=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--spin", "often"), "--spin cannot be `often`; allowed: auto, or microseconds of polling, 0 for none"),
        (("--listen", "tcp:1"), "--listen cannot be `tcp:1`; allowed: unix:PATH"),
        (("--trusted-proxy", "everybody"), "everybody"),
        (("--baseline-path", "plain"), "plain"),
        (("--host", "not an address"), "not an address"),
    ],
)
def test_an_option_with_a_wrong_value_is_a_usage_error(
    run: Run, make_tenant: MakeTenant, words: tuple[str, str], message: str
) -> None:
    """Exit code 2."""
    done = run("serve", make_tenant(), *words, "--port", "0")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        (b"\xff", 2, "dayfly: a secret must be text in UTF-8; encode other octets, in base64 for example\n"),
        (b"\n", 2, "dayfly: a secret cannot be empty, have a zero octet or more than 64 KiB\n"),
        (b"a\0b", 2, "dayfly: a secret cannot be empty, have a zero octet or more than 64 KiB\n"),
        (b"a" * 65537, 2, "dayfly: a secret cannot be empty, have a zero octet or more than 64 KiB\n"),
        (
            b"a" * 65536 + b"\n",
            0,
            "tenant `nobody` is not in this data directory yet; if the name is right, deploy it\n",
        ),
        ("\u20ac".encode(), 0, "tenant `nobody` is not in this data directory yet; if the name is right, deploy it\n"),
    ],
)
def test_a_secret_is_text(tmp_path: Path, value: bytes, code: int, message: str) -> None:
    """Read as octets, whatever the locale; for a tenant that is not there yet with a warning."""
    command = [str(DAYFLY), "secret", "set", "nobody", "KEY"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "LC_ALL": "C"}, input=value, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (code, b"")
    assert done.stderr.decode().endswith(message)
    with Registry.open(tmp_path / ".dayfly") as registry:
        assert registry.secret_names("nobody") == (["KEY"] if code == 0 else [])


@pytest.mark.parametrize("words", [("serve", "--port", "99999"), ("fly",), ("serve", "--what")])
def test_a_wrong_word_is_a_usage_error(run: Run, words: tuple[str, ...]) -> None:
    """Exit code 2, and where help is."""
    done = run(*words)
    assert done.returncode == 2
    assert "--help" in done.stderr


def test_a_bug_says_that_it_is_one(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 70, with what to report."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(
        "import dayfly.config as c\nc.Tenant.load = None\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    done = run("check", "x")
    assert done.returncode == 70
    assert "this is a bug in dayfly" in done.stderr.splitlines()[-1]
