"""A canary gets its share of the requests, and each answer says which release it is of."""

import http.client
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dayfly.config import Tenant
from dayfly.core import Canary, ServerOptions
from dayfly.deploy import Change, Workshop, deploy, publish
from dayfly.errors import InvalidOption
from dayfly.toolchain.toolchain import code_cache
from tests.conftest import HELLO_WAT
from tests.serving import Serving

MakeTenant = Callable[..., Path]
TOML = 'tier = "wasm"\n'


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """Return a server of one thread, not yet started."""
    serving = Serving(tmp_path, code_cache())
    yield serving
    serving.registry.close()


def deploy_both(serving: Serving, make_tenant: MakeTenant, share: float) -> tuple[str, str]:
    """Deploy a release and a canary; return the names that answers give them."""
    digests = []
    for text, change in (("hello", Change()), ("later", Change(canary=share))):
        directory = make_tenant("hello", {"app.wat": HELLO_WAT.replace("hello", text), "dayfly.toml": TOML})
        deployed = deploy(
            Tenant.load(directory),
            directory,
            workshop=Workshop(),
            registry=serving.registry,
            core=serving.core,
            change=change,
        )
        digests.append(deployed.release.digest[:16])
    return digests[0], digests[1]


def ask(serving: Serving, count: int) -> "list[tuple[bytes, str | None]]":
    """Return content and release of the answers to so many requests, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=30)
    answers = []
    for _ in range(count):
        connection.request("GET", "/", headers={"Host": "hello.localhost"})
        response = connection.getresponse()
        answers.append((response.read(), response.headers["Dayfly-Release"]))
    connection.close()
    return answers


def answered(stats: dict[str, Any]) -> int:
    """Return how many requests the program answered, in whichever lane: with every restore checked, some take long."""
    return sum(line["count"] for line in stats["requests"] if line["outcome"] == "ok")


def test_a_canary_gets_its_share_evenly_spread(serving: Serving, make_tenant: MakeTenant) -> None:
    """Every tenth request of one connection; counted apart."""
    old, new = deploy_both(serving, make_tenant, 0.1)
    with serving:
        answers = ask(serving, 200)
        stats = serving.core.stats()["tenants"]["hello"]
    assert Counter(answers) == {(b"hello", old): 180, (b"later", new): 20}
    places = [place for place, answer in enumerate(answers) if answer == (b"later", new)]
    assert {after - before for before, after in pairwise(places)} == {10}
    assert (answered(stats), answered(stats["canary"])) == (180, 20)
    assert stats["canary"]["release"].startswith(new)


def test_a_promoted_canary_gets_all_and_an_aborted_one_nothing(serving: Serving, make_tenant: MakeTenant) -> None:
    """From the next request on; another share of the same release goes on counting."""
    old, new = deploy_both(serving, make_tenant, 0.5)
    registry, core = serving.registry, serving.core
    with serving:
        assert Counter(ask(serving, 10)) == {(b"hello", old): 5, (b"later", new): 5}
        canary = registry.canary("hello")
        assert canary is not None
        registry.set_canary("hello", canary.release.number, 1.0)
        publish("hello", registry, core)
        assert Counter(ask(serving, 10)) == {(b"later", new): 10}
        assert answered(core.stats()["tenants"]["hello"]["canary"]) == 15
        registry.abort("hello")
        publish("hello", registry, core)
        assert Counter(ask(serving, 10)) == {(b"hello", old): 10}
        stats = core.stats()
        assert stats["tenants"]["hello"]["canary"] is None
        assert answered(stats["retired"]) == 15
        registry.set_canary("hello", canary.release.number, 0.5)
        registry.promote("hello")
        publish("hello", registry, core)
        assert Counter(ask(serving, 10)) == {(b"later", new): 10}


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
def test_a_share_that_cannot_be_is_refused(serving: Serving, make_tenant: MakeTenant, share: float) -> None:
    """The tenant is what it was."""
    old, _ = deploy_both(serving, make_tenant, 0.5)
    current, canary = serving.registry.current("hello"), serving.core.stats()["tenants"]["hello"]["canary"]
    assert current is not None
    recorded = serving.registry.canary("hello")
    assert recorded is not None
    wrong = Canary(recorded.release.directory, share, current.tenant.limits)
    with pytest.raises(InvalidOption):
        serving.core.publish(current.tenant, current.directory, canary=wrong)
    assert serving.core.stats()["tenants"]["hello"]["canary"] == canary
    assert serving.core.stats()["tenants"]["hello"]["release"].startswith(old)


def test_error_answers_name_their_release_too(serving: Serving, make_tenant: MakeTenant) -> None:
    """An answer that no release gave names none."""
    files = {"app.wat": HELLO_WAT.replace("(i32.const 2048)))", "(unreachable)))"), "dayfly.toml": TOML}
    directory = make_tenant("hello", files)
    tenant = Tenant.load(directory)
    deployed = deploy(tenant, directory, workshop=Workshop(), registry=serving.registry, core=serving.core)
    with serving:
        ((body, release),) = ask(serving, 1)
        connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=30)
        connection.request("GET", "/", headers={"Host": "nobody.localhost"})
        missing = connection.getresponse()
        connection.close()
    assert b"trap" in body
    assert release == deployed.release.digest[:16]
    assert missing.headers["Dayfly-Release"] is None


def test_the_field_can_be_left_out(serving: Serving, make_tenant: MakeTenant) -> None:
    """Where clients are not to know."""
    deploy_both(serving, make_tenant, 0.5)
    serving.options = replace(serving.options, release_header=False)
    with serving:
        assert {release for _, release in ask(serving, 4)} == {None}


def test_the_default_names_releases() -> None:
    """As the command line does."""
    assert ServerOptions().release_header
