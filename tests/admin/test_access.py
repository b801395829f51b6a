"""Who may ask what: every route, every scope, every kind of token; and what no token helps with."""

import itertools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute

from dayfly.admin import deploys, logs, tenants, tokens
from dayfly.admin.app import document, routes, service
from dayfly.admin.caller import FAILURE_SECONDS, FAILURES_MAX, PEERS_MAX, Failures, Need, Peer
from dayfly.admin.guard import BODY_BYTES_MAX
from dayfly.admin.route import NEED
from tests.admin.conftest import OWNER, STRANGER, TAR, House, bundle, problem

NONSENSE = "nonsense"
SCOPES = ("admin", "read", "deploy:shop", "deploy:other")
BODIES: dict[str, dict[str, Any]] = {
    "/v1/tenants/{tenant}/activate": {"json": {"release": 1}},
    "/v1/tenants/{tenant}/canary": {"json": {"share": 0.5}},
    "/v1/tenants/{tenant}/limits": {"json": {}},
    "/v1/tenants/{tenant}/environment": {"json": {}},
    "/v1/tenants/{tenant}/secrets/{variable}": {"json": {"value": "x"}},
    "/v1/tenants/{tenant}/deploys": {"content": bundle("shop"), "headers": TAR},
    "/v1/tokens": {"json": {"scopes": ["read"]}},
}


def operations() -> Iterator[tuple[str, str, Need]]:
    """Give method, path and need of every operation that the document has."""
    for path, methods in document(routes())["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, Need(operation[NEED])


OPERATIONS = list(operations())
IDS = [f"{method} {path}" for method, path, _ in OPERATIONS]


def allowed(need: Need, path: str, scope: str) -> bool:
    """Say again, in other words than the product's, what a scope is for."""
    if need is Need.NOTHING or scope == "admin":
        return True
    if scope == "read":
        return need is Need.READ
    return scope == "deploy:shop" and "{tenant}" in path and need in {Need.READ, Need.DEPLOY}


def send(house: House, method: str, path: str, **options: Any) -> Any:
    """Send what would be right but for who sends it."""
    place = path.format(tenant="shop", variable="KEY", token_id="0" * 8)
    body = BODIES.get(path, {}) if method in {"POST", "PUT"} else {}
    headers = {**body.get("headers", {}), **options.pop("headers", {})}
    return house.ask(method, place, **{"peer": STRANGER, **body, **options, "headers": headers})


def test_every_route_is_in_the_document() -> None:
    """So the matrix below is whole: what is not described is only the description."""
    listed = {(method, path) for method, path, _ in OPERATIONS}
    known = {
        (method, route.path)
        for part in (service, tenants.router, deploys.router, logs.router, tokens.router)
        for route in part.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert known == listed


@pytest.mark.parametrize(("method", "path", "need"), OPERATIONS, ids=IDS)
@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_is_for_what_it_says(shop: House, method: str, path: str, need: Need, scope: str) -> None:
    """And for nothing else: 403, and nothing is changed."""
    before = (shop.registry.tenants(), shop.registry.history())
    token = shop.token(scope)
    history = len(shop.registry.history())
    answer = send(shop, method, path, token=token)
    if allowed(need, path, scope):
        assert answer.status_code not in {401, 403, 429}, answer.text
    else:
        problem(answer, 403, "forbidden", "Authorization")
        assert shop.registry.tenants() == before[0]
        assert len(shop.registry.history()) == history


@pytest.mark.parametrize(("method", "path", "need"), OPERATIONS, ids=IDS)
def test_a_token_that_is_none_opens_nothing(shop: House, method: str, path: str, need: Need) -> None:
    """No token, an expired, a revoked, a mistyped, an invented, a huge one, and what is no token at all."""
    good = shop.token("admin")
    soon = shop.token("admin", expires_s=60)
    revoked = shop.token("admin")
    shop.registry.revoke_token(shop.registry.grant(revoked).token)  # type: ignore[union-attr]
    shop.registry.now = lambda: datetime.now(UTC) + timedelta(seconds=61)
    before = (shop.registry.tenants(), len(shop.registry.history()))
    values = [
        None,
        f"Bearer {soon}",
        f"Bearer {revoked}",
        f"Bearer {good[:-1]}{'0' if good[-1] != '0' else '1'}",
        f"Bearer {good}0",
        f"Bearer {good[:40]}",
        "Bearer dayfly_" + "0" * 49,
        "Bearer " + "x" * 60_000,
        "Bearer",
        f"Basic {good}",
        good,
        f"Bearer {good} {good}",
        "Bearer \u00e9".encode(),
    ]
    for number, value in enumerate(values):
        headers: dict[str, Any] = {} if value is None else {"Authorization": value}
        answer = send(shop, method, path, headers=headers, peer=(f"192.0.2.{number + 1}", 1))
        if need is Need.NOTHING:
            assert answer.status_code in {200, 503}
        else:
            problem(answer, 401, "bad_token", "Authorization")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (shop.registry.tenants(), len(shop.registry.history())) == before
    if need is not Need.NOTHING:
        assert send(shop, method, path, token=good).status_code != 401


def test_a_token_goes_before_whose_socket_it_is(shop: House) -> None:
    """The owner who shows a token has its rights and no others; another user of the machine has none."""
    read = shop.token("read")
    assert shop.ask("GET", "/v1/tokens", peer=OWNER).status_code == 200
    problem(shop.ask("GET", "/v1/tokens", peer=OWNER, token=read), 403, "forbidden")
    problem(shop.ask("GET", "/v1/tokens", peer=OWNER, token=NONSENSE), 401, "bad_token")
    problem(shop.ask("GET", "/v1/tenants", peer=("unix:4711", 1)), 401, "bad_token")
    assert shop.ask("GET", "/v1/tenants", peer=("unix:4711", 1), token=read).status_code == 200


def test_two_tokens_are_none(shop: House) -> None:
    """Nobody can say which one it would be."""
    token = shop.token("admin")
    headers = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    problem(shop.ask("GET", "/v1/tenants", peer=STRANGER, headers=headers), 401, "bad_token")


def test_what_does_not_exist_is_for_those_who_may_ask(shop: House) -> None:
    """A stranger does not learn which paths there are, or which tenants."""
    for path in ("/v1/tenants/shop", "/v1/tenants/nobody", "/nothing", "/openapi.json", "/docs", "/redoc"):
        problem(shop.ask("GET", path, peer=STRANGER), 401, "bad_token")
    mine = shop.token("deploy:shop")
    problem(shop.ask("GET", "/v1/tenants/nobody", peer=STRANGER, token=mine), 403, "forbidden")
    problem(shop.ask("GET", "/nothing", peer=STRANGER, token=mine), 404, "not_found")
    problem(shop.ask("PATCH", "/v1/tenants", peer=STRANGER, token=mine), 405, "method")
    assert shop.ask("GET", "/openapi.json", peer=STRANGER, token=mine).json()["openapi"].startswith("3.1")


def test_guessing_is_slowed_down(shop: House) -> None:
    """Of one address; those behind it whose tokens are valid are not concerned, nor is anybody else."""
    good = shop.token("read")
    for _ in range(FAILURES_MAX):
        problem(shop.ask("GET", "/v1/tenants", peer=STRANGER, token=NONSENSE), 401, "bad_token")
    answer = shop.ask("GET", "/v1/tenants", peer=STRANGER, token=NONSENSE)
    problem(answer, 429, "too_many_failures", "Authorization")
    wait = int(answer.headers["Retry-After"])
    assert 0 < wait <= FAILURE_SECONDS + 1
    assert shop.ask("GET", "/v1/tenants", peer=STRANGER, token=good).status_code == 200
    problem(shop.ask("GET", "/v1/tenants", peer=("192.0.2.8", 1), token=NONSENSE), 401, "bad_token")
    assert shop.ask("GET", "/v1/tenants", peer=OWNER).status_code == 200
    assert shop.ask("GET", "/health", peer=STRANGER).status_code == 200
    shop.clock.seconds += wait
    problem(shop.ask("GET", "/v1/tenants", peer=STRANGER, token=NONSENSE), 401, "bad_token")
    problem(shop.ask("GET", "/v1/tenants", peer=STRANGER, token=NONSENSE), 429, "too_many_failures")


def test_one_network_of_ipv6_is_one_peer() -> None:
    """And how many peers are remembered is bounded."""
    failures = Failures(lambda: 0.0)
    for number in range(FAILURES_MAX):
        failures.record(Peer(f"2001:db8::{number:x}"))
    assert failures.wait_seconds(Peer("2001:db8::ffff")) > 0
    assert failures.wait_seconds(Peer("2001:db8:0:1::1")) == 0
    for number in range(PEERS_MAX):
        failures.record(Peer(f"unix:{number}"))
    assert failures.wait_seconds(Peer("2001:db8::ffff")) == 0


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:9000", 200),
        ("[::1]:9000", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("admin.example.com", 200),
        ("Admin.Example.com:443", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("admin.example.com@evil.example", 421),
        ("evil.example#localhost", 421),
        ("localhost/evil", 421),
        ("127.0.0.1:port", 421),
        ("0x7f000001", 421),
        ("", 421),
        ("a" * 5000, 421),
    ],
)
def test_a_name_that_is_not_ours_is_refused(shop: House, host: str, status: int) -> None:
    """Whoever makes their own name lead here gets nothing by it, with a token or without (DNS rebinding)."""
    token = shop.token("admin")
    answer = shop.ask("GET", "/v1/tenants", peer=STRANGER, token=token, headers={"Host": host})
    assert answer.status_code == status
    if status != 200:
        problem(answer, status, "host", "Host")
        problem(shop.ask("GET", "/health", peer=STRANGER, headers={"Host": host}), status, "host")


@pytest.mark.parametrize("peer", [OWNER, STRANGER])
def test_pages_of_others_may_not_ask(shop: House, peer: tuple[str, int]) -> None:
    """A browser says whose page it shows; only our own may ask."""
    options: dict[str, Any] = {"peer": peer, "token": shop.token("admin")}
    for origin in ("http://evil.example", "null", "http://127.0.0.1:8080", "https://127.0.0.1.evil.example"):
        answer = shop.ask("POST", "/v1/tenants/shop/rollback", headers={"Origin": origin}, **options)
        problem(answer, 403, "origin", "Origin")
    for site in ("cross-site", "same-site"):
        answer = shop.ask("GET", "/v1/tenants", headers={"Sec-Fetch-Site": site}, **options)
        problem(answer, 403, "origin", "Sec-Fetch-Site")
    ours = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
    assert shop.ask("GET", "/v1/tenants", headers=ours, **options).status_code == 200


BAD_NAMES = [
    "Shop",
    "shop_",
    "-shop",
    "shop-",
    "s" * 64,
    "sh%20op",
    "sh%00op",
    "sh%2Fop",
    "%2e%2e",
    "shop%0A",
    "%EF%BD%93hop",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_no_tenant_can_have_is_refused(shop: House, name: str) -> None:
    """At every route that takes one, before anything is looked up."""
    before = shop.registry.tenants()
    for method, path, _ in OPERATIONS:
        if "{tenant}" not in path:
            continue
        place = path.replace("{tenant}", name).format(variable="KEY")
        options = BODIES.get(path, {}) if method in {"POST", "PUT"} else {}
        answer = shop.ask(method, place, **options)
        assert answer.status_code in {404, 405, 422}, (place, answer.text)
        assert answer.json()["field"] in {"tenant", "path", ""}
    assert shop.registry.tenants() == before


@pytest.mark.parametrize("variable", ["1A", "A-B", "A%20B", "A%00", "A" * 256, "%C3%A4"])
def test_a_secret_has_the_name_of_a_variable(shop: House, variable: str) -> None:
    """Else it could not be asked for."""
    answer = shop.ask("PUT", f"/v1/tenants/shop/secrets/{variable}", json={"value": "x"})
    problem(answer, 422, "request", "variable")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("limits", {"cpu_ns_max": 1}, "cpu_ns_max"),
        ("limits", {"cpu_ns_max": "20 parsecs"}, "cpu_ns_max"),
        ("limits", {"cpu_ns_max": None}, "cpu_ns_max"),
        ("limits", {"cpu_ns_max": True}, "cpu_ns_max"),
        ("limits", {"speed": 1}, "speed"),
        ("limits", [], "body"),
        ("environment", {"A-B": "1"}, "A-B"),
        ("environment", {"A": 1}, "A"),
        ("environment", {"A": "\0"}, "A"),
        ("environment", {f"A{number}": "" for number in range(201)}, "body"),
        ("secrets/KEY", {"value": ""}, "value"),
        ("secrets/KEY", {"value": "a\0b"}, "value"),
        ("secrets/KEY", {"value": "x" * 65_537}, "value"),
        ("secrets/KEY", {"value": "ä" * 40_000}, "value"),
        ("secrets/KEY", {"value": 1}, "value"),
        ("secrets/KEY", {"value": "x", "note": "y"}, "note"),
        ("secrets/KEY", {}, "value"),
        ("canary", {"share": 0}, "share"),
        ("canary", {"share": 1.01}, "share"),
        ("canary", {"share": "half"}, "share"),
        ("activate", {"release": -1}, "release"),
        ("activate", {"release": "zzzzzzzz"}, "release"),
        ("activate", {"release": None}, "release"),
        ("activate", {}, "release"),
    ],
)
def test_a_body_is_as_it_must_be_or_refused(shop: House, path: str, body: Any, field: str) -> None:
    """With the field that is wrong; nothing is guessed, and nothing that is not known is passed over."""
    before = (shop.registry.tenants(), shop.registry.secret_names("shop"))
    method = "POST" if path == "activate" else "PUT"
    answer = shop.ask(method, f"/v1/tenants/shop/{path}", json=body, headers=shop.tag())
    content = problem(answer, 422, "request")
    assert field in content["field"], content
    assert (shop.registry.tenants(), shop.registry.secret_names("shop")) == before


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes.0"),
        ({"scopes": ["deploy:"]}, "scopes.0"),
        ({"scopes": ["deploy:Shop"]}, "scopes.0"),
        ({"scopes": ["read", "admin "]}, "scopes.1"),
        ({"scopes": "admin"}, "scopes"),
        ({"scopes": ["read"], "expires_s": 0}, "expires_s"),
        ({"scopes": ["read"], "expires_s": 10**12}, "expires_s"),
        ({"scopes": ["read"], "note": "a\nb"}, "note"),
        ({"scopes": ["read"], "id": "mine"}, "id"),
    ],
)
def test_a_token_is_asked_for_as_it_must_be(house: House, order: dict[str, Any], field: str) -> None:
    """Or there is none."""
    problem(house.ask("POST", "/v1/tokens", json=order), 422, "request", field)
    assert house.registry.tokens() == []


def test_a_token_is_seen_once(house: House) -> None:
    """It works, it is listed without itself, it is revoked, and works no more."""
    order = {"scopes": ["read"], "note": "a pipeline", "expires_s": 3600}
    issued = house.ask("POST", "/v1/tokens", json=order).json()
    token = issued["token"]
    assert house.ask("GET", "/v1/tenants", peer=STRANGER, token=token).status_code == 200
    (row,) = house.ask("GET", "/v1/tokens").json()
    assert row == issued["about"]
    assert token not in house.ask("GET", "/v1/tokens").text
    assert house.ask("DELETE", f"/v1/tokens/{row['id']}").status_code == 204
    problem(house.ask("GET", "/v1/tenants", peer=STRANGER, token=token), 401, "bad_token")
    problem(house.ask("DELETE", "/v1/tokens/ffffffff"), 404, "not_found", "token_id")


def test_what_nobody_asked_for_is_refused(shop: House) -> None:
    """An unknown option, or one twice: a typing error is told, not passed over."""
    for path in ("/v1/tenants?verbose=1", "/v1/tenants/shop?tenant=other", "/health?x"):
        problem(shop.ask("GET", path), 422, "request")
    problem(shop.ask("GET", "/v1/tenants/shop/history?limit=1&limit=2"), 422, "request", "limit")
    for limit in ("0", "1001", "1.5", "many", "-1", "9" * 400):
        problem(shop.ask("GET", f"/v1/tenants/shop/history?limit={limit}"), 422, "request", "limit")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"release": 1', b"[" * 50_000, b"nul", b'"' + b"\\" * 999])
def test_what_is_no_json_is_refused(shop: House, content: bytes) -> None:
    """However it is broken."""
    headers = {"Content-Type": "application/json"}
    answer = shop.ask("POST", "/v1/tenants/shop/activate", content=content, headers=headers)
    assert answer.status_code in {400, 422}
    problem(answer, answer.status_code, "request")


def test_a_large_body_is_refused(shop: House) -> None:
    """By what it says it has, and by what it has; before it is read, for those who may not ask."""

    async def pieces() -> Any:
        for _ in range(80):
            yield b" " * 8192

    headers = {"Content-Type": "application/json"}
    for content in (b" " * (BODY_BYTES_MAX + 1), pieces()):
        answer = shop.ask("POST", "/v1/tenants/shop/activate", content=content, headers=headers)
        problem(answer, 413, "too_large", "body")
    answer = shop.ask("POST", "/v1/tenants/shop/deploys", content=bytes(49 << 20), headers=TAR)
    problem(answer, 413, "too_large", "body")
    read = shop.token("read")
    answer = shop.ask("POST", "/v1/tenants/shop/deploys", content=pieces(), headers=TAR, peer=STRANGER, token=read)
    problem(answer, 403, "forbidden")


def test_the_largest_secret_fits(shop: House) -> None:
    """However JSON writes it: six octets for one are as good as one."""
    value = "\x01" * 65_536
    assert shop.ask("PUT", "/v1/tenants/shop/secrets/KEY", json={"value": value}).status_code == 204
    assert shop.registry.secrets("shop") == {"KEY": value}


def test_our_own_mistakes_stay_here(
    shop: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client learns that it was ours, and nothing of where or what; the log has all that under the request's id."""
    monkeypatch.setattr(shop.operator, "tenants", lambda: 1 / 0)
    with caplog.at_level("ERROR", "dayfly"):
        content = problem(shop.ask("GET", "/v1/tenants"), 500, "internal")
    assert not re.search(r"division|/home|/tmp|\.py", str(content))
    assert content["request_id"] in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_every_answer_stays_out_of_caches(shop: House) -> None:
    """And is what it says it is."""
    for path, peer in itertools.product(("/v1/tenants", "/nothing", "/health"), (OWNER, STRANGER)):
        answer = shop.ask("GET", path, peer=peer)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["Dayfly-Request-Id"])
