"""Which release serves, whose a host is, and what the operator says: on both databases."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dayfly.errors import ConfigError, Conflict, NotFound, RouteTaken
from dayfly.registry import Actor, Registry
from tests.registry.conftest import Open
from tests.registry.releases import made, record, tenant

ANNA = Actor("token:anna")


def test_what_is_recorded_is_there_after_a_restart(open_registry: Open) -> None:
    """Tenant, release, revision and who did it."""
    with open_registry() as registry:
        first = record(registry, by=ANNA, why="the first", config={"paths": ["/z"]})
        assert (first.number, first.revision) == (1, 1)
    with open_registry() as registry:
        assert registry.names() == ["hello"]
        found = registry.current("hello")
        assert found == first
        assert found is not None
        assert (found.number, found.revision, found.tenant.paths) == (1, 1, ("/z",))
        assert registry.current("other") is None
        (event,) = registry.history("hello")
        assert (event.by, event.what, event.why, event.release) == ("token:anna", "deploy", "the first", first.digest)
        assert abs((datetime.now(UTC) - event.at).total_seconds()) < 3600


def test_a_rollback_goes_to_what_served_before(registry: Registry) -> None:
    """And on from there, never back to what was left; files are whole afterwards."""
    one, two = record(registry, "one"), record(registry, "two")
    assert registry.activate("hello", by=ANNA, why="two is bad").digest == one.digest
    three = record(registry, "three")
    assert registry.activate("hello").digest == one.digest
    with pytest.raises(NotFound, match=r"tenant `hello` has no release before its current one"):
        registry.activate("hello")
    assert registry.activate("hello", 3).digest == three.digest
    assert registry.activate("hello", two.digest[:8]).digest == two.digest
    assert [event.what for event in registry.history("hello", limit=4)] == [
        "activate",
        "activate",
        "activate",
        "deploy",
    ]
    assert [row.number for row in registry.releases_of("hello") if row.is_current] == [2]
    assert (two.directory / "image").read_bytes() == b"two"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (7, "tenant `hello` has no release `7`"),
        ("f" * 12, "has no release `ffffffffffff`; see dayfly releases hello"),
        ("abc", "`abc` is too short for a release"),
        ("%%%%%%", "has no release `%%%%%%`"),
    ],
)
def test_a_release_that_is_not_there_is_not_found(registry: Registry, wanted: str | int, message: str) -> None:
    """Whatever is asked for."""
    record(registry)
    with pytest.raises(NotFound, match=message):
        registry.activate("hello", wanted)
    with pytest.raises(NotFound, match=r"there is no tenant `other`; see dayfly ls"):
        registry.activate("other", wanted)


def test_the_same_release_has_one_number(registry: Registry) -> None:
    """Recorded again it is only activated; with another configuration it is another release."""
    first, second = record(registry, "one"), record(registry, "two")
    assert record(registry, "one").number == first.number
    assert registry.activate("hello").number == second.number
    assert record(registry, "one", config={"paths": ["/z"]}).number == 3
    assert registry.made_from("hello", "origin of two") == second
    assert registry.made_from("hello", "origin of three") is None


def test_a_host_has_one_owner(registry: Registry) -> None:
    """Until that one gives it up, is removed, or goes back to a release that did not have it."""
    record(registry, config={"paths": ["/z"]})
    for config in ({"hosts": ["hello.localhost"]}, {"paths": ["/a", "/z"]}):
        with pytest.raises(RouteTaken, match=r"tenant `other`: `.*` belongs to tenant `hello`; .*: dayfly rm hello"):
            registry.look(tenant("other", **config))
        with pytest.raises(RouteTaken):
            record(registry, "other", "other", config=config)
    assert registry.names() == ["hello"]
    record(registry, config={"hosts": ["new.localhost"]})
    record(registry, "other", "other", config={"hosts": ["hello.localhost"]})
    with pytest.raises(RouteTaken, match=r"tenant `hello`: `hello.localhost` belongs to tenant `other`"):
        registry.activate("hello")
    current = registry.current("hello")
    assert current is not None
    assert current.tenant.hosts == ("new.localhost",)
    registry.remove("other")
    registry.activate("hello")


def test_a_change_for_another_revision_is_refused(registry: Registry) -> None:
    """And says which one there is; 0 stands for a tenant that is not there."""
    first = record(registry, expected_revision=0)
    for stale in (0, first.revision + 1):
        with pytest.raises(
            Conflict, match=rf"tenant `hello` is at revision {first.revision}, .*; look at it and"
        ) as told:
            record(registry, "two", expected_revision=stale)
        assert told.value.revision == first.revision
    with pytest.raises(Conflict, match=r"tenant `gone` is not there any more"):
        record(registry, "two", "gone", expected_revision=3)
    second = record(registry, "two", expected_revision=first.revision)
    for change in (
        lambda: registry.activate("hello", expected_revision=first.revision),
        lambda: registry.remove("hello", expected_revision=first.revision),
        lambda: registry.set_secret("hello", "KEY", "value", expected_revision=first.revision),
        lambda: registry.override("hello", limits={}, expected_revision=first.revision),
        lambda: registry.set_canary("hello", 1, 0.5, expected_revision=first.revision),
    ):
        with pytest.raises(Conflict):
            change()
    assert registry.tenant("hello").revision == second.revision
    assert len(registry.history()) == 2


def test_a_revision_is_never_used_twice(registry: Registry) -> None:
    """Not even by another tenant of the same name."""
    first = record(registry)
    removed = registry.remove("hello", by=ANNA, why="moved")
    assert registry.names() == []
    with pytest.raises(NotFound):
        registry.tenant("hello")
    with pytest.raises(NotFound):
        registry.remove("hello")
    assert record(registry).revision > removed > first.revision
    assert [event.what for event in registry.history("hello")] == ["deploy", "remove", "deploy"]


def test_a_canary_serves_beside_the_current_release(open_registry: Open) -> None:
    """With its share, until it is promoted, aborted or overtaken."""
    with open_registry() as registry:
        with pytest.raises(Conflict, match=r"tenant `hello` has no release to compare a canary with"):
            record(registry, "one", canary=0.1)
        assert registry.names() == []
        one = record(registry, "one")
        two = record(registry, "two", canary=0.25)
    with open_registry() as registry:
        canary = registry.canary("hello")
        assert canary is not None
        assert (canary.release, canary.share) == (two, 0.25)
        assert registry.current("hello") == one
        assert registry.set_canary("hello", 2, 0.5).share == 0.5
        assert registry.promote("hello") == two
        assert registry.canary("hello") is None
        assert registry.activate("hello") == one
        registry.set_canary("hello", 2, 1)
        assert registry.abort("hello") == one
        for change in (registry.promote, registry.abort):
            with pytest.raises(Conflict, match=r"tenant `hello` has no canary"):
                change("hello")
        record(registry, "two", canary=0.1)
        assert record(registry, "three") == registry.current("hello")
        assert registry.canary("hello") is None
        assert [event.what for event in registry.history("hello", limit=7)] == [
            *("deploy", "deploy", "abort", "canary", "activate", "promote", "canary")
        ]


@pytest.mark.parametrize("share", [0, -0.1, 1.5, float("nan")])
def test_a_share_is_a_part_of_one(registry: Registry, share: float) -> None:
    """Nothing else is recorded."""
    one = record(registry, "one")
    with pytest.raises(ConfigError, match=r"the share of a canary cannot be .*; allowed: more than 0, at most 1"):
        record(registry, "two", canary=share)
    assert registry.tenant("hello").revision == one.revision
    with pytest.raises(Conflict, match=r"release 1 of tenant `hello` is the current one already"):
        registry.set_canary("hello", 1, 0.5)


def test_a_canary_keeps_the_hosts_of_both(registry: Registry) -> None:
    """Nobody takes one in between."""
    record(registry, "one", config={"hosts": ["old.localhost"]})
    record(registry, "two", config={"hosts": ["new.localhost"]}, canary=0.5)
    for host in ("old.localhost", "new.localhost"):
        with pytest.raises(RouteTaken):
            registry.look(tenant("other", hosts=[host]))
    registry.promote("hello")
    registry.look(tenant("other", hosts=["old.localhost"]))
    with pytest.raises(RouteTaken):
        registry.look(tenant("other", hosts=["new.localhost"]))


def test_the_operator_has_the_last_word(open_registry: Open) -> None:
    """Over limits and variables, also before the first deploy; what is not said stays as it was."""
    with open_registry() as registry:
        registry.override("hello", limits={"cpu_ns_max": "20 ms"}, environment={"STAGE": "live"}, by=ANNA)
        assert registry.names() == []
        assert [(one.name, one.current) for one in registry.tenants()] == [("hello", None)]
        plain = tenant(environment={}, tier="python", limits={"queue_max": 3})
        ruled = registry.effective(plain)
        assert (ruled.limits.cpu_ns_max, ruled.limits.queue_max) == (20_000_000, 3)
        assert ruled.environment == {"STAGE": "live"}
        assert registry.override("hello", limits={}).environment == {"STAGE": "live"}
        assert registry.effective(plain).limits == plain.limits
        assert registry.effective(tenant("other")) == tenant("other")
        assert registry.history("hello")[1].details == {"environment": ["STAGE"], "limits": {"cpu_ns_max": "20 ms"}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"limits": {"speed": 1}}, "unknown limit `speed`; allowed: memory_bytes_max, "),
        ({"limits": {"cpu_ns_max": "1 y"}}, "`cpu_ns_max` cannot be '1 y'; allowed: from"),
        ({"environment": {"A B": "x"}}, "`environment.A B` cannot be that; allowed: a table of at most"),
        ({"environment": {"A": "\0"}}, "`environment.A` cannot be that; allowed: a table of at most"),
        ({"limits": {}, "why": "a\nb"}, "`why` must be one line of at most 1000 printable characters"),
        ({"limits": {}, "why": "a" * 1001}, "`why` must be one line"),
    ],
)
def test_what_cannot_be_said_is_refused(registry: Registry, change: dict[str, object], message: str) -> None:
    """With what is allowed, and nothing is changed."""
    with pytest.raises(ConfigError, match=message):
        registry.override("hello", **change)  # type: ignore[arg-type]
    assert registry.tenants() == []


def test_releases_say_what_they_are(registry: Registry) -> None:
    """Newest first, with who made them, what they take and whether they are here."""
    record(registry, "one", by=ANNA, why="first")
    two = record(registry, "two")
    registry.tidy()
    rows = registry.releases_of("hello")
    assert [(row.number, row.is_current, row.is_packed, row.is_damaged) for row in rows] == [
        (2, True, False, False),
        (1, False, True, False),
    ]
    assert (rows[1].made_by, rows[1].why) == ("token:anna", "first")
    assert rows[0].bytes == sum(file.stat().st_size for file in two.directory.iterdir())
    for place in registry.directory.glob("packed/*"):
        place.unlink()
    registry.set_aside(two.digest)
    assert [row.is_damaged for row in registry.releases_of("hello")] == [True, True]
    with pytest.raises(NotFound):
        registry.releases_of("other")


def test_a_tenant_that_is_removed_leaves_no_secret(registry: Registry) -> None:
    """Nor a limit, for whoever has its name next."""
    record(registry)
    registry.set_secret("hello", "KEY", "value")
    registry.override("hello", limits={"queue_max": 1})
    registry.remove("hello")
    record(registry)
    assert registry.secrets("hello") == {}
    assert registry.tenant("hello").limits == {}


def test_a_write_without_a_manifest_is_not_recorded(registry: Registry, tmp_path: Path) -> None:
    """A directory that is no release cannot serve."""
    (tmp_path / "nothing").mkdir()
    with pytest.raises(Exception, match="release `nothing` is damaged"):
        registry.record(tenant(), tmp_path / "nothing", "origin")
    assert registry.write(made()).is_dir()
