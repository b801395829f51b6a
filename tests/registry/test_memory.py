"""What is remembered of all tenants is what is recorded."""

from contextlib import AbstractContextManager

import pytest

from dayfly.registry import Recorded, Registry
from dayfly.registry.memory import Memory
from dayfly.registry.tenants import Tenants
from tests.registry.releases import record, tenant


def test_a_change_is_seen_at_once(registry: Registry) -> None:
    """By whoever asks after it, for one tenant or for all."""
    assert registry.tenants() == []
    one = record(registry)
    for _ in range(2):
        assert registry.current("hello") == one
        assert [found.current for found in registry.tenants()] == [one]
    registry.override("hello", limits={"queue_max": 7})
    registry.tenants()
    assert registry.effective(tenant()).limits.queue_max == 7
    two = record(registry, "two")
    registry.tenants()
    assert registry.current("hello") == two
    registry.tenants()
    registry.remove("hello")
    assert registry.tenants() == []
    assert registry.current("hello") is None


def test_all_tenants_are_read_once(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody else can write; PostgreSQL is asked each time."""
    one = record(registry)
    registry.tenants()
    reads = []
    read = registry._read  # noqa: SLF001 - what is counted

    def read_and_count() -> AbstractContextManager[Tenants]:
        reads.append(1)
        return read()

    monkeypatch.setattr(registry, "_read", read_and_count)
    assert registry.current("hello") == one
    assert registry.canary("hello") is None
    assert registry.effective(one.tenant) == one.tenant
    assert len(reads) == (3 if registry._database.is_shared else 0)  # noqa: SLF001


def test_what_was_read_before_a_change_is_not_remembered() -> None:
    """A reader may have begun before the change and come back after it."""
    memory = Memory(is_used=True)

    def read_while_somebody_writes() -> list[Recorded]:
        memory.forget()
        return []

    assert memory.all(read_while_somebody_writes) == []
    assert memory.known() is None
    assert memory.all(list) == []
    assert memory.known() == {}
    memory.forget()
    assert memory.known() is None
