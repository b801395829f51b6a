"""Random requests made from the OpenAPI document: the API does what the document says, and nothing else."""

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dayfly.admin import caller
from dayfly.admin.listener import AdminOptions, serving
from dayfly.errors import NotFound
from dayfly.log import Subscription, TenantLogs
from dayfly.registry import Actor
from tests.admin.conftest import House

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = int(os.environ.get("DAYFLY_CASES", "8"))


def test_the_api_is_as_it_says(shop: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every check of the tool, over examples, edge cases, random requests and sequences of them."""
    seed = int(os.environ.get("DAYFLY_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}")
    # It tries wrong tokens by the hundred, from one address; and a log that is followed never ends.
    monkeypatch.setattr(caller, "FAILURES_MAX", 1 << 40)
    subscribe = TenantLogs.subscribe

    def closed(*arguments: object) -> Subscription:
        subscription = subscribe(*arguments)  # type: ignore[arg-type]
        subscription.close()
        return subscription

    monkeypatch.setattr(TenantLogs, "subscribe", closed)
    token = shop.token("admin")
    grant = shop.registry.grant(token)
    assert grant is not None
    revoke = shop.registry.revoke_token

    def revoke_others(name: str, *, by: Actor) -> None:
        """Spare its own token, which it would find in the list: it would saw off the branch it sits on."""
        if name == grant.token:
            raise NotFound("there is no such token", field="token_id")
        revoke(name, by=by)

    monkeypatch.setattr(shop.registry, "revoke_token", revoke_others)
    shop.operator.say_ready()
    options = AdminOptions(shop.registry.directory, ("127.0.0.1", 0))
    with serving(shop.operator, options) as at:
        command: list[Any] = [
            Path(sys.executable).with_name("schemathesis"),
            "--config-file",
            Path(__file__).with_name("schemathesis.toml"),
        ]
        command += ["run", f"{at.url}/openapi.json", "--header", f"Authorization: Bearer {token}"]
        command += ["--checks", "all", "--mode", "all", "--seed", str(seed), "--max-examples", str(EXAMPLES)]
        command += ["--workers", "1", "--request-timeout", "20", "--no-color", "--generation-database", "none"]
        environment = {
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.admin.schemathesis_hooks",
            "PYTHONPATH": str(REPOSITORY),
        }
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False
        )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
