"""Tokens: shown once, kept as a digest, accepted until they expire or are revoked."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from dayfly.errors import BadToken, ConfigError, NotFound
from dayfly.registry import Actor, Registry
from dayfly.registry.tokens import is_token
from tests.registry.conftest import Open
from tests.registry.releases import record


def test_a_token_allows_what_it_was_issued_for(open_registry: Open) -> None:
    """After a restart too; its bearer is named by its name, and `admin` may do everything."""
    with open_registry() as registry:
        row, text = registry.issue_token(["deploy:shop", "read"], by=Actor("cli"), note="for CI")
        _, admin = registry.issue_token(["admin"])
    with open_registry() as registry:
        grant = registry.grant(text)
        assert grant is not None
        assert (grant.actor.name, grant.scopes) == (f"token:{row.id}", ("deploy:shop", "read"))
        assert [grant.allows(scope) for scope in ("deploy:shop", "read", "deploy:blog", "admin")] == [
            *(True, True, False, False)
        ]
        grant = registry.grant(admin)
        assert grant is not None
        assert grant.allows("deploy:shop")
        token = registry.tokens()[0]
        assert (token.id, token.note, token.made_by) == (row.id, "for CI", "cli")


def test_no_file_holds_a_token(open_registry: Open) -> None:
    """Nor do the history and what is said of tokens; only its digest is kept."""
    with open_registry() as registry:
        row, text = registry.issue_token(["admin"])
        assert text not in repr([row, registry.tokens(), registry.history()])
        files = [path.read_bytes() for path in registry.directory.rglob("*") if path.is_file()]
        assert [content for content in files if text.encode() in content or text[7:50].encode() in content] == []


def test_whoever_mistypes_a_token_asks_nobody() -> None:
    """One changed character, a missing one, or a million more: it is no token. The seed is printed on failure."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    # Of no registry.
    text = "dayfly_" + "A" * 43
    from dayfly.registry.tokens import _check  # noqa: PLC0415 - what makes one of it

    text += _check(text)
    assert is_token(text)
    for _ in range(200):
        place = draw.randrange(len(text))
        other = draw.choice([character for character in "0aZ_-é\0 " if character != text[place]])
        assert not is_token(text[:place] + other + text[place + 1 :])
    for other in ("", "dayfly_", text[:-1], text + "0", text * 20_000, text.upper(), f" {text}", "Bearer " + text):
        assert not is_token(other)


def test_an_unknown_token_is_worth_nothing(registry: Registry) -> None:
    """Nor is one of another registry, though its form is right."""
    _, text = registry.issue_token(["admin"])
    assert registry.grant("x" * 56) is None
    assert registry.grant("") is None
    assert registry.grant("dayfly_" + "A" * 43 + text[-6:]) is None


def test_a_token_ends(registry: Registry) -> None:
    """When it expires, when it is revoked, and with the tenant that it may deploy."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    registry.now = lambda: start
    row, text = registry.issue_token(["read"], expires_s=60)
    assert row.expires_at == start + timedelta(seconds=60)
    registry.now = lambda: start + timedelta(seconds=59.999)
    assert registry.grant(text)
    registry.now = lambda: start + timedelta(seconds=60)
    assert registry.grant(text) is None
    other, text = registry.issue_token(["read"])
    registry.revoke_token(other.id, why="lost")
    registry.revoke_token(other.id, why="again")
    assert registry.grant(text) is None
    with pytest.raises(NotFound, match=r"there is no token `nobody`"):
        registry.revoke_token("nobody")
    assert [(event.what, event.why) for event in registry.history(limit=2)] == [("revoke", "lost"), ("token", "")]


def test_nobody_inherits_the_right_to_deploy(registry: Registry) -> None:
    """Whoever has the name of a tenant next is somebody else; other rights stay."""
    record(registry)
    _, only = registry.issue_token(["deploy:hello"])
    _, both = registry.issue_token(["deploy:hello", "deploy:hello-2"])
    _, longer = registry.issue_token(["deploy:hello-2"])
    registry.remove("hello")
    record(registry)
    assert registry.grant(only) is None
    for text in (both, longer):
        grant = registry.grant(text)
        assert grant is not None
        assert grant.scopes == ("deploy:hello-2",)


@pytest.mark.parametrize("scopes", [[], ["all"], ["deploy:"], ["deploy:A"], ["deploy:a deploy:b"], ["read", "read\n"]])
def test_a_scope_that_is_none_is_refused(registry: Registry, scopes: list[str]) -> None:
    """With those that there are."""
    with pytest.raises(BadToken, match=r"a token's scopes cannot be .*; allowed: admin, read, deploy:TENANT"):
        registry.issue_token(scopes)


def test_a_token_cannot_expire_before_it_begins(registry: Registry) -> None:
    """Nor in a thousand years."""
    for seconds in (0, -1, 1e12, float("nan")):
        with pytest.raises(BadToken, match=r"a token cannot expire in"):
            registry.issue_token(["read"], expires_s=seconds)
    with pytest.raises(ConfigError, match=r"`note` must be one line"):
        registry.issue_token(["read"], note="\x1b[2J")
    assert registry.tokens() == []
