"""Applications of three frameworks, asked over HTTP in sandboxes, answer as they do natively."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import Serve
from tests.handler.table import ROWS, TENANTS, Answer, Row
from tests.handler.transports import NativeAsgi, Send, converse, load, native_wsgi, server
from tests.resolver.index import LocalIndex, installed, serving

PACKAGES = (
    *("flask", "werkzeug", "jinja2", "markupsafe", "click", "itsdangerous", "blinker", "bottle"),
    *("starlette", "anyio", "idna", "python-multipart", "typing-extensions"),
)
SITES = ("flask-site", "bottle-site", "starlette-site")


@pytest.fixture(scope="module")
def index() -> Iterator[None]:
    """Have the packages as they are installed here."""
    with serving(LocalIndex()) as served, pytest.MonkeyPatch.context() as patch:
        for name in PACKAGES:
            served.add(name, installed(name))
        patch.setenv("DAYFLY_INDEX", served.url)
        yield


@pytest.fixture(scope="module")
def natively() -> Iterator[dict[str, Send]]:
    """Return how each site is asked without us."""
    starlette = NativeAsgi(load(TENANTS / "starlette-site", "http_starlette_site").app, "starlette-site.localhost")
    yield {
        "flask-site": native_wsgi(load(TENANTS / "flask-site", "http_flask_site").app, "flask-site.localhost"),
        "bottle-site": native_wsgi(load(TENANTS / "bottle-site", "http_bottle_site").app, "bottle-site.localhost"),
        "starlette-site": starlette,
    }
    starlette.close()


def without_times(answers: list[Answer]) -> list[Answer]:
    """Leave out when a file was written, and what is made of it."""
    for answer in answers:
        answer.fields = [
            (name, "..." if name in {"etag", "last-modified"} and answer.body != b"the same" else value)
            for name, value in answer.fields
        ]
    return answers


@pytest.mark.usefixtures("index")
def test_applications_answer_as_natively(serve: Serve, natively: dict[str, Send]) -> None:
    """Every request of the table: status, fields and body."""
    with serve(*(TENANTS / site for site in SITES)) as served:
        url = urlsplit(served.url)

        def ask(row: Row) -> list[Answer]:
            send = server((str(url.hostname), url.port or 80), f"{row.site}.localhost")
            return without_times(converse(row, send))

        different = [
            f"{row.site}: {row.name}" for row in ROWS if ask(row) != without_times(converse(row, natively[row.site]))
        ]
    assert different == []
