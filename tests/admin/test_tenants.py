"""What is asked of the admin API about tenants, and what becomes of it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from dayfly.config import Limits, Tenant
from dayfly.core import Canary, Rehearsed, Snapshot
from dayfly.errors import DamagedRelease, InitFailed
from dayfly.operator import WAITING_MAX
from dayfly.watch import Report
from tests.admin.conftest import TAR, House, bundle, problem


def test_a_deploy_serves_and_is_told(house: House) -> None:
    """With steps and times; what is recorded is published before the answer."""
    answer = house.deploy()
    assert answer.status_code == 201, answer.text
    report = answer.json()
    assert report["tenant"] == "shop"
    assert report["release"]["number"] == 1
    assert not report["unchanged"]
    assert {"build", "freeze", "write", "record", "publish"} <= set(report["steps_ms"])
    assert answer.headers["ETag"] == f'"{report["revision"]}"'
    assert house.core.published["shop"][1].name == report["release"]["digest"]
    assert house.deploy().json()["unchanged"]


def test_a_tenant_is_shown(shop: House) -> None:
    """In a list and alone, with its tag."""
    state = shop.ask("GET", "/v1/tenants/shop")
    assert shop.ask("GET", "/v1/tenants").json() == [state.json()]
    assert state.json()["hosts"] == ["shop.localhost"]
    assert state.json()["limits"]["cpu_ns_max"] == 50_000_000
    assert state.headers["ETag"] == f'"{state.json()["revision"]}"'


def test_watched_directories_are_told(shop: House) -> None:
    """With the reason why one is not live; a server without any has none."""
    assert shop.ask("GET", "/v1/directories").json() == []
    shop.operator.watch_with(lambda: [Report(Path("/srv/shop"), "shop", "app.py:1: refused")])
    assert shop.ask("GET", "/v1/directories").json() == [
        {"directory": "/srv/shop", "tenant": "shop", "problem": "app.py:1: refused"}
    ]


def test_a_list_says_what_each_tenant_says(shop: House) -> None:
    """Also of one that has secrets and limits before its first release."""
    for name in ("shop", "later"):
        assert shop.ask("PUT", f"/v1/tenants/{name}/secrets/KEY", json={"value": "x"}).status_code == 204
        answer = shop.ask("PUT", f"/v1/tenants/{name}/limits", json={"queue_max": 2}, headers=shop.tag(name))
        assert answer.status_code == 200
    tenants = shop.ask("GET", "/v1/tenants").json()
    assert [one["name"] for one in tenants] == ["later", "shop"]
    assert tenants == [shop.ask("GET", f"/v1/tenants/{one['name']}").json() for one in tenants]
    later, first = tenants
    assert (later["release"], later["secrets"], later["failure"]) == (None, {"KEY": True}, "")
    assert first["limits"]["queue_max"] == 2
    shop.deploy("later")
    assert shop.core.published["later"][0].limits.queue_max == 2


def test_a_release_can_be_gone_back_to(shop: House) -> None:
    """To the one before, by number and by digest; the program that answers is that one."""
    first = shop.core.published["shop"][1].name
    second = shop.deploy(text="2").json()["release"]["digest"]
    assert shop.core.published["shop"][1].name == second
    answer = shop.ask("POST", "/v1/tenants/shop/rollback", params={"why": "it was better"})
    assert answer.json()["release"] == {"digest": first, "number": 1}
    assert shop.core.published["shop"][1].name == first
    for wanted in (2, second, second[:12]):
        shop.ask("POST", "/v1/tenants/shop/activate", json={"release": 1})
        assert shop.ask("POST", "/v1/tenants/shop/activate", json={"release": wanted}).status_code == 200
        assert shop.core.published["shop"][1].name == second
    rows = shop.ask("GET", "/v1/tenants/shop/releases").json()
    assert [(row["number"], row["is_current"]) for row in rows] == [(2, True), (1, False)]
    history = shop.ask("GET", "/v1/tenants/shop/history", params={"limit": 8}).json()
    assert history[-1]["what"] == "deploy"
    assert ("it was better", "local") in [(event["why"], event["by"]) for event in history]
    problem(shop.ask("POST", "/v1/tenants/shop/activate", json={"release": 9}), 404, "not_found", "release")


def test_a_tenant_is_taken_away(shop: House) -> None:
    """With its secrets; then there is none, and nothing answers."""
    problem(shop.ask("DELETE", "/v1/tenants/shop"), 428, "precondition", "If-Match")
    assert shop.ask("DELETE", "/v1/tenants/shop", headers=shop.tag()).status_code == 204
    assert shop.core.published == {}
    problem(shop.ask("GET", "/v1/tenants/shop"), 404, "not_found", "tenant")
    problem(shop.ask("DELETE", "/v1/tenants/shop", headers={"If-Match": "*"}), 404, "not_found", "tenant")


def test_limits_hold_over_the_configuration(shop: House) -> None:
    """Of the running program too; those that are left out are as dayfly.toml says."""
    answer = shop.ask("PUT", "/v1/tenants/shop/limits", json={"cpu_ns_max": "20 ms"}, headers=shop.tag())
    assert answer.json()["limits"]["cpu_ns_max"] == 20_000_000
    assert shop.core.published["shop"][0].limits.cpu_ns_max == 20_000_000
    assert shop.ask("GET", "/v1/tenants/shop/limits").json() == {"cpu_ns_max": 20_000_000}
    shop.deploy(text="2")
    assert shop.core.published["shop"][0].limits.cpu_ns_max == 20_000_000
    shop.ask("PUT", "/v1/tenants/shop/limits", json={}, headers=shop.tag())
    assert shop.core.published["shop"][0].limits.cpu_ns_max == 50_000_000


def test_limits_do_not_end_a_canary(shop: House) -> None:
    """They are refused as long as it runs."""
    shop.deploy(text="2", params={"canary": "0.5"})
    for what, body in (("limits", {"queue_max": 2}), ("environment", {})):
        answer = shop.ask("PUT", f"/v1/tenants/shop/{what}", json=body, headers=shop.tag())
        problem(answer, 412, "conflict", "If-Match")
    state = shop.ask("GET", "/v1/tenants/shop").json()
    assert (state["canary"]["share"], state["limits"]["queue_max"]) == (0.5, 128)


def test_limits_hold_for_a_release_that_is_gone_back_to(shop: House) -> None:
    """It is made again with them; without any it is the one that it was."""
    first = shop.ask("GET", "/v1/tenants/shop").json()["release"]
    shop.deploy(text="2")
    shop.ask("PUT", "/v1/tenants/shop/limits", json={"memory_bytes_max": "1 MiB"}, headers=shop.tag())
    state = shop.ask("POST", "/v1/tenants/shop/rollback").json()
    back = shop.ask("POST", "/v1/tenants/shop/activate", json={"release": 1}).json()
    manifest = json.loads((shop.registry.releases / back["release"]["digest"] / "manifest.json").read_bytes())
    assert back["limits"]["memory_bytes_max"] == manifest["limits"]["memory_bytes_max"] == 1 << 20
    assert state["release"] != first != back["release"]
    assert shop.core.frozen[-1].memory_bytes_max == 1 << 20
    assert shop.registry.releases_of("shop")[0].why == ""
    shop.ask("PUT", "/v1/tenants/shop/limits", json={}, headers=shop.tag())
    assert shop.ask("POST", "/v1/tenants/shop/activate", json={"release": 1}).json()["release"] == first
    assert len(shop.core.frozen) == 4


def test_a_source_that_cannot_be_read_changes_nothing(shop: House) -> None:
    """What the operator had said holds on, and the release serves on."""
    source = shop.registry.tenant("shop").current.directory / "source.tar"  # type: ignore[union-attr]
    source.unlink()
    answer = shop.ask("PUT", "/v1/tenants/shop/limits", json={"queue_max": 2}, headers=shop.tag())
    assert "source.tar" in problem(answer, 409, "damaged")["detail"]
    assert shop.ask("GET", "/v1/tenants/shop").json()["limits"]["queue_max"] == 128


def test_what_cannot_be_made_is_not_said(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no release can be made with new limits, the old ones hold, and the old release serves."""
    before = shop.core.published["shop"]

    def fail(*_: object) -> Snapshot:
        raise InitFailed("on_init raised MemoryError")

    monkeypatch.setattr(shop.core, "freeze", fail)
    answer = shop.ask("PUT", "/v1/tenants/shop/limits", json={"memory_bytes_max": 65536}, headers=shop.tag())
    problem(answer, 422, "init")
    assert shop.ask("GET", "/v1/tenants/shop/limits").json() == {}
    assert shop.core.published["shop"] == before
    answer = shop.ask("PUT", "/v1/tenants/shop/environment", json={"A": "1"}, headers=shop.tag())
    assert "`environment` is for tier `python`" in problem(answer, 422, "config")["detail"]
    assert shop.ask("GET", "/v1/tenants/shop/environment").json() == {}


def test_a_secret_is_never_answered(shop: House) -> None:
    """It is given, listed by name, used, and taken away."""
    value = "hunter2-" * 5
    assert shop.ask("PUT", "/v1/tenants/shop/secrets/API_KEY", json={"value": value}).status_code == 204
    for path in ("", "/secrets", "/history", "/releases"):
        answer = shop.ask("GET", f"/v1/tenants/shop{path}")
        assert answer.status_code == 200
        assert value not in answer.text
    assert shop.ask("GET", "/v1/tenants/shop/secrets").json() == {"API_KEY": True}
    assert shop.registry.secrets("shop") == {"API_KEY": value}
    assert shop.ask("DELETE", "/v1/tenants/shop/secrets/API_KEY").status_code == 204
    problem(shop.ask("DELETE", "/v1/tenants/shop/secrets/API_KEY"), 404, "not_found", "variable")


def test_a_canary_is_promoted_or_not(shop: House) -> None:
    """It is recorded beside the current release, and becomes it or goes away."""
    first = shop.ask("GET", "/v1/tenants/shop").json()["release"]
    problem(shop.ask("PUT", "/v1/tenants/shop/canary", json={"share": 0.5}), 409, "conflict")
    report = shop.deploy(text="2", params={"canary": "0.1"}).json()
    assert report["canary"] == 0.1
    state = shop.ask("GET", "/v1/tenants/shop").json()
    assert state["release"] == first
    assert state["canary"] == {**report["release"], "share": 0.1, "failure": ""}
    assert shop.ask("PUT", "/v1/tenants/shop/canary", json={"share": 0.5}).json()["canary"]["share"] == 0.5
    assert shop.ask("DELETE", "/v1/tenants/shop/canary").json()["canary"] is None
    problem(shop.ask("POST", "/v1/tenants/shop/canary/promote"), 409, "conflict")
    shop.deploy(text="3", params={"canary": "1"})
    promoted = shop.ask("POST", "/v1/tenants/shop/canary/promote").json()
    assert (promoted["release"]["number"], promoted["canary"]) == (3, None)
    assert shop.core.published["shop"][1].name == promoted["release"]["digest"]


def test_a_damaged_canary_is_told_and_not_promoted(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current release serves on, alone."""
    first = shop.ask("GET", "/v1/tenants/shop").json()["release"]
    canary = shop.deploy(text="2", params={"canary": "0.5"}).json()["release"]
    (shop.registry.releases / canary["digest"] / "image").write_bytes(b"damage")
    publish = shop.core.publish

    def check(tenant: Tenant, release: Path, secrets: Any = None, canary: Canary | None = None) -> None:
        if canary:
            raise DamagedRelease(f"release `{canary.release.name}` is damaged")
        publish(tenant, release, secrets)

    monkeypatch.setattr(shop.core, "publish", check)
    shop.operator.resume()
    state = shop.ask("GET", "/v1/tenants/shop").json()
    assert (state["release"], state["failure"]) == (first, "")
    assert state["canary"]["failure"] == f"release `{canary['digest']}` is damaged"
    problem(shop.ask("POST", "/v1/tenants/shop/canary/promote"), 409, "damaged")
    assert shop.ask("GET", "/v1/tenants/shop").json()["release"] == first
    assert shop.ask("DELETE", "/v1/tenants/shop/canary").json()["canary"] is None


CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("PUT", "limits", {"json": {"queue_max": 2}}),
    ("PUT", "environment", {"json": {}}),
    ("POST", "activate", {"json": {"release": 1}}),
    ("POST", "rollback", {}),
    ("PUT", "secrets/KEY", {"json": {"value": "x"}}),
    ("POST", "deploys", {"content": bundle("shop", "3"), "headers": TAR}),
    ("DELETE", "", {}),
]


@pytest.mark.parametrize(("method", "path", "options"), CHANGES, ids=[f"{change[0]} {change[1]}" for change in CHANGES])
def test_a_change_that_comes_too_late_changes_nothing(
    shop: House, method: str, path: str, options: dict[str, Any]
) -> None:
    """Somebody else was faster: 412, and all is as they left it. With the tag of now it works."""
    stale = shop.tag()
    shop.deploy(text="2")
    before = (shop.ask("GET", "/v1/tenants/shop").json(), shop.core.published["shop"])
    place = f"/v1/tenants/shop/{path}".rstrip("/")
    headers = options.get("headers", {})
    answer = shop.ask(method, place, **{**options, "headers": {**headers, **stale}})
    problem(answer, 412, "conflict", "If-Match")
    assert (shop.ask("GET", "/v1/tenants/shop").json(), shop.core.published["shop"]) == before
    problem(shop.ask(method, place, **{**options, "headers": {**headers, "If-Match": "yesterday"}}), 412, "conflict")
    assert shop.ask(method, place, **{**options, "headers": {**headers, **shop.tag()}}).is_success


@pytest.mark.parametrize(
    ("options", "kind", "status"),
    [
        ({"content": bundle("shop", "2", 'tier = "wasm"\nhosts = ["a..b"]\n')}, "config", 422),
        ({"content": bundle("shop", "2", "tier = ")}, "config", 422),
        ({"content": bundle("shop", "2", 'tier = "wasm"\nnew = 1\n')}, "config", 422),
        ({"content": bundle("other", "2", 'tier = "wasm"\nname = "other"\n')}, "config", 422),
        ({"content": bundle("shop", "2")[:700]}, "archive", 422),
        ({"content": b""}, "archive", 422),
        ({"content": bundle("shop"), "headers": {"Content-Type": "application/gzip"}}, "media_type", 415),
        ({"content": bundle("shop"), "headers": {**TAR, "Content-Encoding": "gzip"}}, "media_type", 415),
        ({"content": bundle("shop", "2"), "params": {"canary": "0"}}, "request", 422),
        ({"content": bundle("shop", "2"), "params": {"canary": "nan"}}, "request", 422),
        ({"content": bundle("shop", "2"), "params": {"why": "a\nb"}}, "request", 422),
    ],
)
def test_a_deploy_that_is_refused_leaves_the_old_release(
    shop: House, options: dict[str, Any], kind: str, status: int
) -> None:
    """Whatever is wrong with it; the refusal says what and where."""
    before = (shop.ask("GET", "/v1/tenants/shop").json(), shop.core.published["shop"])
    options = {"headers": TAR, **options}
    content = problem(shop.ask("POST", "/v1/tenants/shop/deploys", **options), status, kind)
    assert content["field"]
    assert content["detail"]
    assert (shop.ask("GET", "/v1/tenants/shop").json(), shop.core.published["shop"]) == before


def test_a_host_has_one_owner(shop: House) -> None:
    """Who comes second is told who came first."""
    content = bundle("rival", "2", 'tier = "wasm"\nhosts = ["shop.localhost"]\n')
    answer = shop.ask("POST", "/v1/tenants/rival/deploys", content=content, headers=TAR)
    assert "tenant `shop`" in problem(answer, 409, "route_taken", "hosts")["detail"]
    problem(shop.ask("GET", "/v1/tenants/rival"), 404, "not_found")


def test_a_rehearsal_that_fails_is_told(shop: House) -> None:
    """Nothing of the release is recorded."""
    shop.core.answers["/broken"] = Rehearsed(500, "ZeroDivisionError")
    config = 'tier = "wasm"\n[[sample_requests]]\npath = "/broken"\n'
    answer = shop.ask("POST", "/v1/tenants/shop/deploys", content=bundle("shop", "2", config), headers=TAR)
    assert "ZeroDivisionError" in problem(answer, 422, "rehearsal")["detail"]
    assert len(shop.ask("GET", "/v1/tenants/shop/releases").json()) == 1


def test_many_change_one_tenant_at_once(shop: House) -> None:
    """What is published in the end is what is recorded in the end."""

    async def story(client: httpx.AsyncClient) -> list[int]:
        async def deploy(number: int) -> int:
            path = "/v1/tenants/shop/deploys"
            return (await client.post(path, content=bundle("shop", str(number)), headers=TAR)).status_code

        async def roll_back() -> int:
            return (await client.post("/v1/tenants/shop/rollback")).status_code

        return await asyncio.gather(*(deploy(number) for number in range(10, 30)), *(roll_back() for _ in range(10)))

    statuses = shop.run(story)
    assert statuses[:20] == [201] * 20
    assert set(statuses[20:]) <= {200, 404}
    current = shop.registry.current("shop")
    assert current is not None
    assert shop.core.published["shop"][1] == current.directory


@dataclass
class Deploying:
    """A deploy that stays in the middle until it may go on."""

    thread: threading.Thread = field(default_factory=threading.Thread)
    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    answers: list[httpx.Response] = field(default_factory=list)


@pytest.fixture
def deploying(shop: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploying]:
    """Return a deploy of `shop` that has begun."""
    freeze, deploying = shop.core.freeze, Deploying()

    def slowly(wasm: bytes, limits: Limits) -> Snapshot:
        deploying.begun.set()
        assert deploying.go_on.wait(30)
        return freeze(wasm, limits)

    monkeypatch.setattr(shop.core, "freeze", slowly)
    deploying.thread = threading.Thread(target=lambda: deploying.answers.append(shop.deploy(text="2")))
    deploying.thread.start()
    assert deploying.begun.wait(30)
    yield deploying
    deploying.go_on.set()
    deploying.thread.join()


def test_a_server_about_to_stop_finishes_what_it_has_begun(shop: House, deploying: Deploying) -> None:
    """It is recorded and published; nothing new begins, and load balancers are told at once."""
    shop.operator.say_ready()
    finishing = threading.Thread(target=shop.operator.finish)
    finishing.start()
    while shop.ask("GET", "/ready").status_code == 200:
        pass
    while shop.ask("PUT", "/v1/tenants/other/secrets/KEY", json={"value": "x"}).status_code == 204:
        pass
    problem(shop.deploy("later"), 503, "not_ready")
    deploying.go_on.set()
    finishing.join()
    assert shop.core.published["shop"][1].name == shop.registry.tenant("shop").current.digest  # type: ignore[union-attr]
    assert [row.number for row in shop.registry.releases_of("shop")] == [2, 1]
    assert "later" not in shop.registry.names()


def test_what_takes_too_long_at_the_end_is_not_recorded(shop: House, deploying: Deploying) -> None:
    """Whoever waits for it is told so."""
    shop.operator.finish(0)
    deploying.go_on.set()
    deploying.thread.join()
    problem(deploying.answers[0], 503, "registry")
    assert [row.number for row in shop.registry.releases_of("shop")] == [1]


def test_who_waits_for_a_busy_tenant_holds_up_nobody(shop: House, deploying: Deploying) -> None:
    """So many wait; one more is told to come back, and others are answered meanwhile."""

    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        async def change() -> httpx.Response:
            return await client.put("/v1/tenants/shop/secrets/KEY", json={"value": "x"})

        changes = [asyncio.create_task(change()) for _ in range(WAITING_MAX + 1)]
        done, waiting = await asyncio.wait(changes, return_when=asyncio.FIRST_COMPLETED)
        refused = [task.result() for task in done]
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/v1/tenants")).status_code == 200
        assert (await client.put("/v1/tenants/other/secrets/KEY", json={"value": "x"})).status_code == 204
        deploying.go_on.set()
        return refused + [await task for task in waiting]

    refused, *others = shop.run(story)
    problem(refused, 503, "overload")
    assert refused.headers["Retry-After"] == "10"
    assert [answer.status_code for answer in others] == [204] * WAITING_MAX
