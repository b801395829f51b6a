"""The examples that a sandbox of CPython runs, called without one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dayfly.handler.client import Answer, Client

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Return a client of the example that the test names."""
    with Client.load(EXAMPLES / request.param / "app.py", mount=f"/{request.param}") as client:
        yield client
    sys.modules.pop("app")


def of(name: str) -> pytest.MarkDecorator:
    """Name an example."""
    return pytest.mark.parametrize("client", [name], indirect=True)


def problem(answer: Answer) -> tuple[int, str]:
    """Return what an error says."""
    return answer.status, answer.json()["detail"]


@of("api")
def test_the_api_finds_items(client: Client) -> None:
    """By number, by tag, by page."""
    assert client.get("/items/1").json() == {"id": 1, "name": "lamp", "price": 9.5, "tags": ["light"]}
    assert problem(client.get("/items/99")) == (404, "there is no item 99")
    found = client.get("/items?tag=wood&tag=seat").json()
    assert (found["total"], [item["name"] for item in found["items"]]) == (3, ["chair", "stool", "bench"])
    assert [item["id"] for item in client.get("/items?page=2").json()["items"]] == [11, 12]
    assert problem(client.get("/items?page=x")) == (400, "`page` is a number")


@of("api")
def test_the_api_says_what_a_store_would_keep(client: Client) -> None:
    """And what is wrong with what it is given."""
    item = {"name": "sofa", "price": 99, "tags": []}
    answer = client.post("/items", json=item)
    assert (answer.status, answer.headers["location"], answer.json()) == (201, "/api/items/13", {"id": 13, **item})
    assert client.put("/items/2", json=item).json() == {"id": 2, **item}
    assert client.patch("/items/2", json={"price": 1}).json()["price"] == 1
    assert client.delete("/items/2").status == 204
    assert problem(client.post("/items", json={"name": "sofa"})) == (422, "missing: price, tags")
    assert problem(client.patch("/items/2", json={"price": "much"})) == (422, "`price` is of the wrong type")
    assert client.post("/items", body="{").status == 400
    assert client.post("/echo", json=item).json() == item


@of("flask")
def test_the_flask_example_has_a_page_and_a_file(client: Client) -> None:
    """With links that know where it is mounted."""
    page = client.get("/?name=<you>").text
    assert "<h1>hello, &lt;you&gt;</h1>" in page
    assert 'href="/flask/static/style.css"' in page
    assert client.get("/static/style.css").headers["content-type"] == "text/css; charset=utf-8"
    assert client.get("/colours/red").json() == {"code": "#c0392b", "name": "red"}
    assert client.get("/colours/grey").status == 404
    assert client.post("/guess", form={"colour": "red"}).headers["location"].startswith("/flask/answer?right=")


@of("starlette")
def test_the_starlette_example_has_coroutines_and_functions(client: Client) -> None:
    """And a start-up."""
    assert client.get("/hello").text == "hello"
    assert client.get("/square/12").json() == {"square": 144}
    assert client.get("/both").json() == ["slow", "fast"]
    assert client.get("/count").text.split() == [str(n) for n in range(10)]
    assert "style.css" in client.get("/?name=you").text
    assert client.get("/static/style.css").status == 200


@of("bottle")
def test_the_bottle_example_remembers(client: Client) -> None:
    """In a cookie."""
    assert "<h1>hello, you</h1>" in client.get("/?name=you").text
    answer = client.post("/remember", form={"name": "zoë"})
    assert answer.status == 303
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert client.get("/name", headers={"Cookie": cookie}).json() == {"name": "zoë"}
    assert client.get("/hello").text == "hello"
