"""`dayfly.toml`: defaults, and one line that names file, key and allowed values."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dayfly.config import Limits, SampleRequest, Tenant
from dayfly.errors import ConfigError


def test_a_directory_without_a_file_has_defaults(make_tenant: Callable[..., Path]) -> None:
    """The name is the directory's, and the host follows from it."""
    tenant = Tenant.load(make_tenant("shop", {"app.py": ""}))
    assert tenant == Tenant(
        name="shop", hosts=("shop.localhost",), paths=(), tier="python", limits=Limits(memory_bytes_max=64 << 20)
    )


def test_a_file_may_set_everything(make_tenant: Callable[..., Path]) -> None:
    """Sizes and times may be numbers or text with a unit."""
    text = """
        name = "a-1"
        hosts = ["shop.example", "localhost"]
        paths = ["/z", "/a/b"]
        tier = "wasm"
        [limits]
        memory_bytes_max = "32 MiB"
        cpu_ns_max = "20 ms"
        queue_max = 3
        [[sample_requests]]
        path = "/health"
        status = 204
    """
    tenant = Tenant.load(make_tenant("x", {"dayfly.toml": text}))
    assert tenant.hosts == ("shop.example", "localhost")
    assert tenant.paths == ("/z", "/a/b")
    assert tenant.limits == Limits(memory_bytes_max=32 << 20, cpu_ns_max=20_000_000, queue_max=3)
    assert tenant.sample_requests == (SampleRequest(path="/health", status=204),)


def test_variables_and_secrets_are_for_the_python_tier(make_tenant: Callable[..., Path]) -> None:
    """Variables have values here, secrets only names."""
    text = 'secrets = ["API_KEY"]\n[environment]\nSTAGE = "test"\n'
    tenant = Tenant.load(make_tenant("x", {"dayfly.toml": text}))
    assert tenant.tier == "python"
    assert (tenant.environment, tenant.secrets) == ({"STAGE": "test"}, ("API_KEY",))


def test_the_tier_decides_the_memory(make_tenant: Callable[..., Path]) -> None:
    """CPython has 64 MiB, everything else 16 MiB, and what is said counts."""
    for text, mib in {"": 64, 'tier = "wasm"': 16, '[limits]\nmemory_bytes_max = "48 MiB"': 48}.items():
        assert Tenant.load(make_tenant("x", {"dayfly.toml": text})).limits.memory_bytes_max == mib << 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hostz = 1", "unknown key `hostz`; allowed here: name, hosts, paths, tier, environment, "),
        ("[limits]\nmemory = 1", "unknown key `limits.memory`; allowed here: memory_bytes_max, cpu_ns_max"),
        ('tier = "perl"', "`tier` cannot be 'perl'; allowed: `python` or `compiled` or `wasm`"),
        (
            '[limits]\nmemory_bytes_max = "65 MiB"',
            "`limits.memory_bytes_max` cannot be more than 64 MiB on tier `python`",
        ),
        (
            "[environment]\nA = 1",
            "`environment` cannot be 1; allowed: a table of at most 200 texts, each with the name",
        ),
        ('[environment]\n"a-b" = "c"', "`environment` cannot be 'a-b'; allowed: a table of at most 200 texts"),
        ('[environment]\nA = "\\u0000"', "`environment` cannot be '\\x00'; allowed: a table"),
        ('secrets = ["A B"]', "`secrets` cannot be 'A B'; allowed: a list of at most 200 names of variables"),
        ('secrets = ["A"]\n[environment]\nA = "b"', "`A` is a plain variable and a secret; take it out of"),
        ('tier = "wasm"\nsecrets = ["A"]', "`secrets` is for tier `python`, and this is tier `wasm`; take it out"),
        ("sample_requests = [1]", "`sample_requests` cannot be 1; allowed: a list of at most 100 tables"),
        (
            '[[sample_requests]]\npath = "z"',
            "`sample_requests.path` cannot be 'z'; allowed: a path like \"/item/1\"",
        ),
        (
            "[[sample_requests]]\nstatus = 99",
            "`sample_requests.status` cannot be 99; allowed: the status of the answer",
        ),
        (
            "[[sample_requests]]\nurl = 1",
            "unknown key `sample_requests.url`; allowed here: method, path, query, headers",
        ),
        *[
            (
                f"[[sample_requests]]\nheaders = {{ {pair} }}",
                f"`sample_requests.headers` cannot be {said}; allowed: a table",
            )
            for pair, said in [
                ('"X A" = "1"', "'X A'"),
                ('"" = "1"', "''"),
                ('"A:" = "1"', "'A:'"),
                ('A = "1\\r\\nB: 2"', "'1\\r\\nB: 2'"),
                ('A = "1\\n"', "'1\\n'"),
                ('A = "\\u0000"', "'\\x00'"),
            ]
        ],
        ('name = "A b"', "`name` cannot be 'A b'; allowed: up to 63 of a-z, 0-9 and -"),
        ('hosts = ["a:80"]', "`hosts` cannot be 'a:80'; allowed: a list of host names in lower case, without port"),
        ('paths = ["/z/"]', "`paths` cannot be '/z/'; allowed: a list of path prefixes like \"/z\""),
        ('paths = ["/a/../b"]', "`paths` cannot be '/a/../b'; allowed: a list of path prefixes like \"/z\""),
        ("limits = 3", "`limits` cannot be 3; allowed: a table"),
        (
            "[limits]\nmemory_bytes_max = 1000",
            "`limits.memory_bytes_max` cannot be 1000; allowed: a multiple of 64 KiB",
        ),
        ('[limits]\ncpu_ns_max = "5 min"', '`limits.cpu_ns_max` cannot be \'5 min\'; allowed: from "1 ms" to "60 s"'),
        ("[limits]\nqueue_max = true", "`limits.queue_max` cannot be True; allowed: from 1 to 1000000"),
        ("name =", "not valid TOML: Invalid value"),
        ("a" + ".a" * 100_000 + " = 1", "not valid TOML: more than 200 dots (at line 1)"),
        ("a = " + "[" * 100_000, "not valid TOML: nested too deeply"),
    ],
)
def test_a_mistake_is_named(make_tenant: Callable[..., Path], text: str, message: str) -> None:
    """The message is one line: file, key, value, what is allowed."""
    directory = make_tenant("x", {"dayfly.toml": text})
    with pytest.raises(ConfigError) as caught:
        Tenant.load(directory)
    assert str(caught.value).startswith(f"{directory / 'dayfly.toml'}: {message}")
    assert "\n" not in str(caught.value)


def test_a_directory_name_must_be_a_tenant_name(make_tenant: Callable[..., Path]) -> None:
    """The message says where to set another name."""
    with pytest.raises(ConfigError, match=r"directory name `My App` cannot be a tenant's name; set `name` in"):
        Tenant.load(make_tenant("My App", {"app.py": ""}))


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """So is what should be there."""
    with pytest.raises(ConfigError, match=r"is not a directory; name the directory that holds"):
        Tenant.load(tmp_path / "nothing")
