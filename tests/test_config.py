"""`dayfly.toml`: defaults, and one line that names file, key and allowed values."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dayfly.config import Limits, Tenant
from dayfly.errors import ConfigError


def test_a_directory_without_a_file_has_defaults(make_tenant: Callable[..., Path]) -> None:
    """The name is the directory's, and the host follows from it."""
    tenant = Tenant.load(make_tenant("shop", {"app.py": ""}))
    assert tenant == Tenant(name="shop", hosts=("shop.localhost",), paths=(), tier="compiled", limits=Limits())


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
    """
    tenant = Tenant.load(make_tenant("x", {"dayfly.toml": text}))
    assert tenant.hosts == ("shop.example", "localhost")
    assert tenant.paths == ("/z", "/a/b")
    assert tenant.limits == Limits(memory_bytes_max=32 << 20, cpu_ns_max=20_000_000, queue_max=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hostz = 1", "unknown key `hostz`; allowed here: name, hosts, paths, tier, limits"),
        ("[limits]\nmemory = 1", "unknown key `limits.memory`; allowed here: memory_bytes_max, cpu_ns_max"),
        ('tier = "python"', "tier `python` (full CPython) is not part of this version; allowed: `compiled` or `wasm`"),
        ('tier = "perl"', "`tier` cannot be 'perl'; allowed: `compiled` or `wasm`"),
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
