"""Secrets: sealed under one key, and worth nothing without it."""

import base64
import threading
from pathlib import Path

import pytest

from dayfly.errors import RegistryError
from dayfly.registry import Key, Registry
from tests.registry.spoil import spoil

OTHER = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that of the person who runs the tests."""
    monkeypatch.delenv("DAYFLY_KEY", raising=False)
    monkeypatch.delenv("DAYFLY_KEY_FILE", raising=False)


def test_the_first_secret_makes_the_key(tmp_path: Path) -> None:
    """Readable for its owner only; nothing else does."""
    with Registry.open(tmp_path) as registry:
        assert not (tmp_path / "key").exists()
        registry.set_secret("hello", "KEY", "value")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode((tmp_path / "key").read_bytes())) == 32
    assert str(Key.find(tmp_path)) == "Key()"


def test_two_first_secrets_at_once_are_sealed_with_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the one that stands in the data directory: both open after a restart."""
    make = Key.make

    def make_while_another_comes(directory: Path, scratch: Path) -> Key:
        if other.ident is None:
            other.start()
            other.join(0.2)  # not to the end: it waits for this one, and finds its key
        return make(directory, scratch)

    monkeypatch.setattr(Key, "make", make_while_another_comes)
    with Registry.open(tmp_path) as registry:
        other = threading.Thread(target=registry.set_secret, args=("hello", "B", "B"))
        registry.set_secret("hello", "A", "A")
        other.join()
    with Registry.open(tmp_path) as registry:
        assert registry.secrets("hello") == {"A": "A", "B": "B"}


def test_the_key_may_stand_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a variable, or in a file that one names; then the data directory has none."""
    (tmp_path / "kept").write_text(OTHER + "\n", encoding="ascii")
    (tmp_path / "kept").chmod(0o600)
    monkeypatch.setenv("DAYFLY_KEY", OTHER)
    with Registry.open(tmp_path / "data") as registry:
        registry.set_secret("hello", "KEY", "välue")
    monkeypatch.delenv("DAYFLY_KEY")
    monkeypatch.setenv("DAYFLY_KEY_FILE", str(tmp_path / "kept"))
    with Registry.open(tmp_path / "data") as registry:
        assert registry.secrets("hello") == {"KEY": "välue"}
    assert not (tmp_path / "data/key").exists()


def test_a_wrong_key_refuses_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line; so does a missing one. Without secrets any key will do."""
    with Registry.open(tmp_path) as registry:
        registry.set_secret("hello", "KEY", "value")
    monkeypatch.setenv("DAYFLY_KEY", OTHER)
    with pytest.raises(
        RegistryError, match=r"^the key is not the one that the secrets were sealed with; set DAYFLY_KEY"
    ):
        Registry.open(tmp_path)
    monkeypatch.delenv("DAYFLY_KEY")
    key = (tmp_path / "key").rename(tmp_path / "elsewhere")
    with pytest.raises(
        RegistryError, match=r"^the key that the secrets are sealed with is missing; set DAYFLY_KEY .*key b"
    ):
        Registry.open(tmp_path)
    key.rename(tmp_path / "key")
    with Registry.open(tmp_path) as registry:
        registry.set_secret("hello", "KEY", None)
    monkeypatch.setenv("DAYFLY_KEY", OTHER)
    with Registry.open(tmp_path) as registry:
        registry.set_secret("hello", "KEY", "another")
        assert registry.secrets("hello") == {"KEY": "another"}


@pytest.mark.parametrize("text", ["", "secret", OTHER[:-4], OTHER + OTHER, "é", OTHER.replace("A", "*")])
def test_what_is_no_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """With where it stands and how one is made, and never the text."""
    (tmp_path / "key").write_text(text, encoding="utf-8")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(RegistryError, match=rf"^{tmp_path}/key: not a key; it must be 32 octets in base64") as told:
        Registry.open(tmp_path)
    assert not text or text not in str(told.value)
    if text:
        monkeypatch.setenv("DAYFLY_KEY", text)
        with pytest.raises(RegistryError, match=r"^DAYFLY_KEY: not a key; it must be"):
            Registry.open(tmp_path)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is one that is not there, if it was named."""
    (tmp_path / "key").write_text(OTHER, encoding="ascii")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(RegistryError, match=r"key: others than its owner have access to the key; chmod 600"):
        Registry.open(tmp_path)
    monkeypatch.setenv("DAYFLY_KEY_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(RegistryError, match=r"nowhere: the key cannot be read: No such file"):
        Registry.open(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE variable = 'B') WHERE variable = 'A'",
        "UPDATE secrets SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE variable = 'A'",
        "UPDATE secrets SET sealed = x'' WHERE variable = 'A'",
    ],
)
def test_a_value_opens_only_where_it_belongs(tmp_path: Path, statement: str) -> None:
    """Moved, cut or emptied it is damaged; setting it again is the cure."""
    with Registry.open(tmp_path) as registry:
        registry.set_secret("hello", "A", "1")
        registry.set_secret("hello", "B", "2")
        spoil(tmp_path, statement)
        with pytest.raises(
            RegistryError, match=r"secret `A` of tenant `hello` is damaged; set it again: dayfly secret set h"
        ):
            registry.secrets("hello")
        registry.set_secret("hello", "A", "3")
        assert registry.secrets("hello") == {"A": "3", "B": "2"}


def test_the_key_can_be_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a new one of the data directory, or to one that stands elsewhere; all secrets at once."""
    with Registry.open(tmp_path) as registry:
        with pytest.raises(RegistryError, match=r"the key that the secrets are sealed with is missing"):
            registry.change_key()
        for tenant, variable in (("one", "A"), ("one", "B"), ("two", "A")):
            registry.set_secret(tenant, variable, f"{tenant} {variable}")
        old = (tmp_path / "key").read_bytes()
        registry.change_key(why="it was seen")
        assert (tmp_path / "key").read_bytes() != old
        assert registry.secrets("one") == {"A": "one A", "B": "one B"}
    with Registry.open(tmp_path) as registry:
        assert registry.secrets("two") == {"A": "two A"}
        assert [event.why for event in registry.history(limit=1)] == ["it was seen"]
        registry.change_key(Key.parse(OTHER, "the test"))
        assert registry.secrets("two") == {"A": "two A"}
    with pytest.raises(RegistryError, match=r"the key is not the one"):
        Registry.open(tmp_path)
    monkeypatch.setenv("DAYFLY_KEY", OTHER)
    with Registry.open(tmp_path) as registry:
        assert registry.secrets("one") == {"A": "one A", "B": "one B"}
        with pytest.raises(RegistryError, match=r"the key does not stand in the data directory; say which one"):
            registry.change_key()
    assert sorted(place.name for place in tmp_path.glob("key*")) == ["key"]


def test_one_value_is_never_sealed_twice_alike() -> None:
    """A nonce is drawn each time."""
    key = Key(bytes(32))
    sealed = {key.seal("hello", "A", "value") for _ in range(100)}
    assert len(sealed) == 100
    assert {key.open("hello", "A", one) for one in sealed} == {"value"}
    with pytest.raises(RegistryError):
        key.open("other", "A", sealed.pop())
