"""Tenants of tier `python` from the command line to the answer. The first on a machine makes the base."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dayfly import release
from dayfly.bases import Bases
from dayfly.registry import Registry
from tests.conftest import DAYFLY, HELLO, Run
from tests.e2e.conftest import Serve
from tests.resolver.index import LocalIndex, serving

MakeTenant = Callable[..., Path]

FLASK = """
import os
from flask import Flask, render_template, session

app = Flask(__name__)
app.secret_key = "not a secret here"

@app.get("/")
def page():
    return render_template("page.html", name="<dayfly>", stage=os.environ["STAGE"])
"""


def test_the_seed_program_answers_on_the_default_tier(serve: Serve, make_tenant: MakeTenant) -> None:
    """Unmodified, and again after a restart without being made again."""
    tenant = make_tenant("seed", {"app.py": HELLO})
    with serve(tenant) as server:
        answer = server.get(host="seed.localhost")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.body.startswith(b"\tthis is a very")
        assert "tier `python`" in server.log
    with serve(tenant) as server:
        assert server.get(host="seed.localhost").body == answer.body
        assert "unchanged, tier `python`" in server.log


@pytest.mark.usefixtures("flask_index")
def test_a_flask_application_stands_on_a_layer(serve: Serve, make_tenant: MakeTenant, tmp_path: Path) -> None:
    """Resolved, locked and frozen once; MarkupSafe without its native file, templates and variables as they are."""
    files = {
        "app.py": FLASK,
        "requirements.txt": "Flask\n",
        "dayfly.toml": '[[sample_requests]]\n[[sample_requests]]\npath = "/x"\nstatus = 404\n'
        '[environment]\nSTAGE = "test"\n',
    }
    tenants = [make_tenant(name, files) for name in ("one", "two")]
    for tenant in tenants:
        (tenant / "templates").mkdir()
        (tenant / "templates/page.html").write_text("<p>{{ name }} {{ stage }}</p>", encoding="utf-8")
    with serve(*tenants) as server:
        for name in ("one", "two"):
            assert server.get(host=f"{name}.localhost").body == b"<p>&lt;dayfly&gt; test</p>"
        assert server.get("/x", host="one.localhost").status == 404
    releases = tmp_path / ".dayfly/releases"
    with Registry.open(tmp_path / ".dayfly") as registry:
        tenant_of = [tenant.current.digest for tenant in registry.tenants() if tenant.current]
    parents = {json.loads((releases / digest / "manifest.json").read_bytes())["parent"] for digest in tenant_of}
    assert len(parents) == 1


@pytest.mark.usefixtures("flask_index")
@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"app.py": "x = 1\n\ndef f(:\n"}, 'app.py", line 3'),
        ({"app.py": "import nowhere\n"}, "ModuleNotFoundError: No module named 'nowhere'"),
        ({"app.py": "x = 1\n"}, "on_client_request"),
        ({"app.py": "while True:\n    pass\n"}, "CPU"),
        ({"app.py": "x = bytearray(1 << 30)\n"}, "MemoryError"),
        ({"app.py": "def f():\n    f()\nf()\n"}, "RecursionError"),
        ({"app.py": "def on_init():\n    raise ValueError('not today')\n"}, "ValueError: not today"),
        ({"app.py": "import os\nos.environ['KEY']\n", "dayfly.toml": 'secrets = ["KEY"]\n'}, "secret `KEY`"),
        ({"app.py": HELLO, "requirements.txt": "numpy\n"}, "requirements.txt:1: numpy 2.0 is native code; use plain"),
        ({"app.py": HELLO, "requirements.txt": "\n--index-url http://x/\n"}, "requirements.txt:2: `--index-url`: pack"),
        ({"app.py": HELLO, "requirements.txt": "-r /etc/passwd\n"}, "requirements.txt:1: `-r`: no other file is read"),
        ({"app.py": HELLO, "requirements.txt": "git+https://x/y\n"}, "requirements.txt:1: `git+https://x/y` is an add"),
        ({"app.py": HELLO, "requirements.txt": "x @ file:///etc\n"}, "requirements.txt:1: `x @ file:///etc` is an add"),
    ],
)
def test_what_cannot_be_served_is_refused(
    run: Run, make_tenant: MakeTenant, files: dict[str, str], message: str
) -> None:
    """Exit code 1, and what Python would say or the line that is wrong."""
    done = run("check", make_tenant("bad", files))
    assert done.returncode == 1, done.stderr
    assert message in done.stderr
    assert "bug" not in done.stderr


def test_what_is_captured_at_import_is_reported(run: Run, make_tenant: MakeTenant) -> None:
    """By file and line; the program is accepted."""
    source = f"import random\nimport time\n{HELLO}\nSEED = random.random()\n\nSTARTED = time.time()\n"
    done = run("check", make_tenant("hello", {"app.py": source}))
    assert done.returncode == 0, done.stderr
    last = len(source.splitlines())
    assert f"hello: app.py:{last - 2}: randomness taken while the program is loaded" in done.stdout
    assert f"hello: app.py:{last}: the time taken while the program is loaded" in done.stdout
    assert "hello: accepted, tier `python`" in done.stdout


def test_a_secret_is_there_when_a_request_is(serve: Serve, run: Run, make_tenant: MakeTenant, tmp_path: Path) -> None:
    """Read by name while it is answered; no file has its value."""
    source = "import os\n\ndef on_client_request():\n    return os.environ['KEY'] + os.environ['STAGE']\n"
    text = 'secrets = ["KEY"]\n[environment]\nSTAGE = " test"\n'
    tenant = make_tenant("hello", {"app.py": source, "dayfly.toml": text})
    secret = subprocess.run(
        [DAYFLY, "secret", "set", "hello", "KEY"], cwd=tmp_path, input="canary-8d1f\n", text=True, check=False
    )
    assert secret.returncode == 0
    assert run("secret", "list", "hello").stdout == "KEY\n"
    with serve(tenant) as server:
        assert server.get().body == b"canary-8d1f test"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"canary-8d1f" in path.read_bytes()] == []
    assert run("secret", "remove", "hello", "KEY").returncode == 0
    with serve(tenant) as server:
        assert server.get().status == 500
        assert "tenant hello: secret `KEY` has no value" in server.log


def test_a_failed_deploy_leaves_the_old_release(serve: Serve, run: Run, make_tenant: MakeTenant) -> None:
    """It serves at the next start."""
    tenant = make_tenant("hello", {"app.py": "def on_client_request():\n    return 'old'\n"})
    assert run("build", tenant).returncode == 0
    (tenant / "app.py").write_text("def on_client_request(:\n", encoding="utf-8")
    assert run("build", tenant).returncode == 1
    with serve(make_tenant("other")) as server:
        assert server.get(host="hello.localhost").body == b"old"


def test_the_base_can_be_made_ahead(run: Run) -> None:
    """Made once: a second command finds it."""
    built = run("base", "build")
    assert built.returncode == 0, built.stderr
    again = run("base", "build")
    assert again.stdout == built.stdout == run("base", "info").stdout
    assert "made" not in again.stderr


def test_an_index_that_does_not_answer_is_exit_code_3(run: Run, make_tenant: MakeTenant) -> None:
    """So that a script may try again."""
    with serving(LocalIndex()) as gone:
        url = gone.url
    tenant = make_tenant("hello", {"app.py": HELLO, "requirements.txt": "flask\n"})
    done = run("check", tenant, "--index", url)
    assert done.returncode == 3, done.stderr
    assert "package index: " in done.stderr


@pytest.mark.parametrize("where", [("data",), ("cache",), ("data", "cache")], ids="+".join)
def test_one_damaged_octet_of_the_base_stops_nobody(
    serve: Serve, make_tenant: MakeTenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: tuple[str, ...]
) -> None:
    """The copy in the data directory and the one in the cache are two; without a good one a release is made again."""
    base = Bases().known()
    assert base is not None
    cache = tmp_path / "cache"
    shutil.copytree(base.parents[1] / "base", cache / "python/base")
    release.adopt(base, make_directory(cache / "python/releases"), scratch=cache)
    monkeypatch.setenv("DAYFLY_CACHE_DIR", str(cache))
    with serve(make_tenant("one", {"app.py": HELLO}), make_tenant("two", {"app.py": HELLO})) as server:
        assert server.stop() == 0
    places = {"data": tmp_path / ".dayfly/releases" / base.name, "cache": cache / "python/releases" / base.name}
    for place in (places[name] for name in where):
        content = bytearray((place / "image").read_bytes())
        content[len(content) // 2] ^= 1
        (place / "image").write_bytes(content)
    with serve(make_tenant("three")) as server:
        for name in ("one", "two"):
            assert server.get(host=f"{name}.localhost").body.startswith(b"\tthis is a very")
        made_again = server.log.count("is made again from the source that it holds")
    assert made_again == (2 if len(where) == 2 else 0)
    assert all(release.is_sound(place) for name, place in places.items() if len(where) == 1 and name == "data")


def make_directory(path: Path) -> Path:
    """Make a directory for its owner only."""
    path.mkdir(mode=0o700, parents=True)
    return path


def test_checks_of_one_directory_do_not_break_each_other(make_tenant: MakeTenant, tmp_path: Path) -> None:
    """As processes side by side, with a rehearsal each."""
    directory = make_tenant("one", {"app.py": HELLO, "dayfly.toml": "[[sample_requests]]\n" * 20})
    done = [
        subprocess.Popen([DAYFLY, "check", directory], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    results = [(*process.communicate(timeout=120), process.returncode) for process in done]
    assert [(errors, code) for _, errors, code in results] == [(b"", 0)] * 4
