"""What is done while a program is frozen, because every request would do it again."""

import sys
from pathlib import Path

import bottle
import flask
import jinja2
import pytest

from dayfly.handler import first_request

from .conftest import MakeClient


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """Return a directory with a template, one that inherits, and one that is broken."""
    directory = tmp_path / "templates"
    directory.mkdir()
    (directory / "base.html").write_text("<{% block x %}{% endblock %}>")
    (directory / "page.html").write_text("{% extends 'base.html' %}{% block x %}{{ x }}{% endblock %}")
    (directory / "broken.html").write_text("{% if %}")
    (directory / "page.tpl").write_text("% for n in range(x):\n{{n}}\n% end\n")
    (directory / "broken.tpl").write_text("% if:\n")
    return directory


def compiled(environment: jinja2.Environment) -> set[str]:
    """Return the names of the templates that it keeps."""
    assert environment.cache is not None
    return {str(name) for _, name in environment.cache.keys()}  # noqa: SIM118 - it is no dict


def test_templates_of_flask_are_compiled(load: MakeClient, pages: Path) -> None:
    """And the broken one is told of where it is used."""
    client = load(
        f"""
        import sys
        from flask import Flask, render_template

        sys.modules["program_of_flask"] = sys.modules[__name__]

        app = Flask(__name__, template_folder={str(pages)!r})

        @app.get("/<name>")
        def page(name):
            return render_template(name, x=3)

        assert "jinja_env" not in vars(app)
        """
    )
    app = sys.modules["program_of_flask"].app
    first_request.spare()
    assert compiled(app.jinja_env) >= {"base.html", "page.html"}
    assert "broken.html" not in compiled(app.jinja_env)
    assert client.get("/page.html").text == "<3>"
    assert client.get("/broken.html").status == 500


def test_templates_of_jinja_are_compiled_wherever_they_are_used(load: MakeClient, pages: Path) -> None:
    """By a function without a framework, for example; environments without files are left alone."""
    client = load(
        f"""
        import jinja2

        PAGES = jinja2.Environment(loader=jinja2.FileSystemLoader({str(pages)!r}))
        STRINGS = jinja2.Environment()
        OTHER = jinja2.Environment(loader=jinja2.FunctionLoader(lambda name: name))

        def on_client_request(path):
            kept = sorted(name for _, name in PAGES.cache.keys())
            return {{"kept": kept, "page": PAGES.get_template("page.html").render(x=path)}}
        """
    )
    first_request.spare()
    assert client.get("/a").json() == {"kept": ["base.html", "broken.tpl", "page.html", "page.tpl"], "page": "</a>"}


def test_templates_of_bottle_are_compiled(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By each name that finds them."""
    monkeypatch.setattr(bottle, "TEMPLATE_PATH", [str(pages), "/nowhere"])
    monkeypatch.setattr(bottle, "TEMPLATES", {})
    first_request.spare()
    names = {name for _, name in bottle.TEMPLATES}
    assert {"page", "page.tpl"} <= names
    assert "broken" not in names
    before = dict(bottle.TEMPLATES)
    assert bottle.template("page", x=2) == "0\n1\n"
    assert before == bottle.TEMPLATES


def test_frameworks_that_are_not_there_are_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is what is called like one and is no class."""
    app = flask.Flask("none")
    assert app in first_request.instances("flask", "Flask")
    assert first_request.instances("flask", "request") == []
    monkeypatch.delitem(sys.modules, "flask")
    assert first_request.instances("flask", "Flask") == []
