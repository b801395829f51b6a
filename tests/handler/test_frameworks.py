"""Applications of three frameworks answer as they do natively."""

from collections.abc import Iterator

import pytest

from dayfly.handler import asgi

from .table import ROWS, TENANTS, Row
from .transports import NativeAsgi, Send, converse, load, native_wsgi, stand_in

SITES = ("flask-site", "bottle-site", "starlette-site")


@pytest.fixture(scope="module")
def natively() -> Iterator[dict[str, Send]]:
    """Return how each site is asked without us."""
    starlette = NativeAsgi(load(TENANTS / "starlette-site", "native_starlette_site").app)
    yield {
        "flask-site": native_wsgi(load(TENANTS / "flask-site", "native_flask_site").app),
        "bottle-site": native_wsgi(load(TENANTS / "bottle-site", "native_bottle_site").app),
        "starlette-site": starlette,
    }
    starlette.close()


@pytest.fixture(scope="module")
def by_entry() -> Iterator[dict[str, Send]]:
    """Return how each site is asked as in a sandbox, where threads are none."""
    yield {site: stand_in(load(TENANTS / site, f"entry_{site}")) for site in SITES}
    asgi.shut_down()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.site}: {row.name}")
def test_an_application_answers_as_natively(row: Row, natively: dict[str, Send], by_entry: dict[str, Send]) -> None:
    """Status, fields and body."""
    assert converse(row, by_entry[row.site]) == converse(row, natively[row.site])


def test_the_table_is_long_enough() -> None:
    """For each framework, and together."""
    assert sum(len(row.requests) for row in ROWS) >= 150
    assert {row.site for row in ROWS} == set(SITES)
