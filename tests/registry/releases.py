"""Releases to record: small, and different when their words are."""

from pathlib import Path

from dayfly.config import Tenant
from dayfly.core import Snapshot
from dayfly.registry import Registry, Release
from dayfly.release import Made


def tenant(name: str = "hello", **config: object) -> Tenant:
    """Return a tenant of the `wasm` tier."""
    return Tenant.model_validate({"name": name, "hosts": [f"{name}.localhost"], "tier": "wasm", **config})


def made(words: str = "one", size: int = 0, parent: str | None = None) -> Made:
    """Return a release; its words decide its digest."""
    snapshot = Snapshot(code=b"code", image=words.encode() + bytes(size), layout={}, takes=0, fresh=None)
    return Made("wasm", snapshot, tenant().limits, b"source", parent)


def record(registry: Registry, words: str = "one", name: str = "hello", **more: object) -> Release:
    """Deploy a release; `more`: what `Registry.record` takes."""
    size = more.pop("size", 0)
    assert isinstance(size, int)
    config = more.pop("config", {})
    assert isinstance(config, dict)
    directory: Path = registry.write(made(words, size))
    return registry.record(tenant(name, **config), directory, f"origin of {words}", **more)  # type: ignore[arg-type]
