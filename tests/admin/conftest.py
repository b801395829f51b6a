"""An admin API in this process: a registry in a directory of the test's own, and a core that only remembers."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from dayfly.admin.app import create_app
from dayfly.admin.caller import Failures
from dayfly.admin.client import archive_of
from dayfly.admin.guard import Guard
from dayfly.config import Tier
from dayfly.deploy import Workshop
from dayfly.log import TenantLogs
from dayfly.operator import Operator
from dayfly.registry import Registry
from dayfly.testing import FakeCore
from dayfly.toolchain import Program, Source, Toolchain

TAR = {"Content-Type": "application/x-tar"}
OWNER = ("unix:0", 1)
STRANGER = ("192.0.2.7", 4711)
Result = TypeVar("Result")


class InstantToolchain(Toolchain):
    """Takes a module as it is: what is built is no concern of these tests."""

    def build(self, source: Source, tier: Tier) -> Program:
        """Return it."""
        return Program(tier, source, source.files["app.wat"])


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Return it."""
        return self.seconds


@dataclass
class House:
    """A server's inside, and ways to ask it."""

    registry: Registry
    core: FakeCore
    logs: TenantLogs
    operator: Operator
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        """Make the application."""
        self.app: Guard = create_app(
            self.operator, hosts=frozenset({"admin.example.com"}), failures=Failures(self.clock)
        )

    def client(self, peer: tuple[str, int] = OWNER, token: str | None = None) -> httpx.AsyncClient:
        """Return a client at some address."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=peer, raise_app_exceptions=False),
            base_url="http://127.0.0.1",
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )

    def ask(
        self,
        method: str,
        path: str,
        *,
        peer: tuple[str, int] = OWNER,
        token: str | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Send one request."""

        async def send() -> httpx.Response:
            async with self.client(peer, token) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def run(self, story: Callable[[httpx.AsyncClient], Coroutine[Any, Any, Result]]) -> Result:
        """Have a client do several things."""

        async def tell() -> Result:
            async with self.client() as client:
                return await story(client)

        return asyncio.run(tell())

    def deploy(self, name: str = "shop", text: str = "1", **options: Any) -> httpx.Response:
        """Deploy a program that holds a text."""
        return self.ask("POST", f"/v1/tenants/{name}/deploys", content=bundle(name, text), headers=TAR, **options)

    def tag(self, name: str = "shop") -> dict[str, str]:
        """Return the header that a careful change needs."""
        return {"If-Match": self.ask("GET", f"/v1/tenants/{name}").headers["ETag"]}

    def token(self, *scopes: str, **options: Any) -> str:
        """Issue a token."""
        return self.registry.issue_token(scopes, **options)[1]


def source(name: str, text: str = "1", config: str = 'tier = "wasm"\n') -> Source:
    """Return a tenant's source."""
    return Source(Path(name), {"app.wat": text.encode(), "dayfly.toml": config.encode()}, 1_700_000_000)


def bundle(name: str, text: str = "1", config: str = 'tier = "wasm"\n') -> bytes:
    """Return it as it is sent."""
    return archive_of(source(name, text, config))


def problem(answer: httpx.Response, status: int, kind: str, field: str | None = None) -> dict[str, Any]:
    """Check that an answer is a refusal in the one form that all have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    content: dict[str, Any] = answer.json()
    assert set(content) == {"title", "status", "detail", "kind", "field", "request_id"}
    assert content["status"] == status
    assert content["kind"] == kind, content
    assert content["request_id"] == answer.headers["Dayfly-Request-Id"]
    assert field is None or content["field"] == field, content
    assert "Traceback" not in answer.text
    return content


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Return an admin API without tenants."""
    with Registry.open(tmp_path / "data") as registry, closing(TenantLogs(registry.log_directory)) as logs:
        core = FakeCore()
        workshop = Workshop(InstantToolchain())
        operator = Operator(registry=registry, workshop=workshop, core=core, logs=logs)
        yield House(registry, core, logs, operator)


@pytest.fixture
def shop(house: House) -> House:
    """Return one with a tenant."""
    assert house.deploy().status_code == 201
    return house
