"""What a layer runs before it is frozen."""

import sys

import bottle
import flask
import jinja2
import pytest
import starlette.applications

from dayfly.handler import asgi, frameworks, host, native

USED = (bottle, flask, jinja2, starlette.applications)


def test_every_framework_answers_and_nothing_is_left() -> None:
    """Neither the stand-in, nor a loop, nor a request."""
    assert {module.__name__.partition(".")[0] for module in USED} == set(frameworks.APPLICATIONS)
    assert frameworks.warm() == []
    assert asgi.kept == []
    assert native.Current.frame is None
    assert not native.freezing()
    assert host.part is native.part
    assert not flask.has_request_context()


@pytest.mark.parametrize("name", frameworks.APPLICATIONS)
def test_only_what_is_there_is_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that fails is named, but does no harm."""

    def broken() -> object:
        raise ValueError("another version")

    monkeypatch.setattr(frameworks, "APPLICATIONS", {name: broken, "no_such_framework": broken})
    assert frameworks.warm() == [f"{name}: ValueError: another version"]
    assert name in sys.modules
