"""Routes by decorator."""

import pytest

from dayfly.handler import EntryError, Router, get

from .conftest import MakeClient

SHOP = """
    from uuid import UUID

    from dayfly import HTTPError, Response, delete, get, head, options, patch, post, put, route

    ITEMS = {1: "one"}

    @get("/")
    def index():
        return "text/html", "<h1>shop</h1>"

    @get("/items/{number}")
    def item(number: int):
        if number not in ITEMS:
            raise HTTPError(404, f"no item {number}")
        return {"item": ITEMS[number]}

    @put("/items/{number:int}")
    def replace(number, body, request):
        return {"number": number, "body": body.decode(), "same": request.body == body}

    @delete("/items/{id}")
    def remove(id):
        return 204, ""

    @get("/items/first")
    def first():
        return "the first"

    @get("/files/{rest:path}")
    def files(rest):
        return rest

    @get("/{name}.json")
    def named(name, args):
        return [name, args.get("q")]

    @get("/half/{n:float}/{u:uuid}")
    def half(n, u):
        return [n / 2, u.version, type(u).__name__]

    @get("/number/{n:int}")
    def number(n):
        return n

    @get("/by/{u}/{f}")
    def by_annotation(u: UUID, f: float):
        return [u.hex, f]

    @route("/any", ["GET", "patch"])
    def any_of(method):
        return method

    @head("/any")
    def head_of_any():
        return 200, {"X-Head": "own"}, ""

    @options("/any")
    def options_of_any():
        return "own"

    @post("/any")
    async def create(request):
        return 201, {"Location": "/any/1"}, dict(request.form())

    @get("/two/{kind}")
    @post("/two/{kind}")
    def two(kind, method):
        return f"{method} {kind}"
"""


@pytest.mark.parametrize(
    ("method", "target", "status", "body"),
    [
        ("GET", "/", 200, "<h1>shop</h1>"),
        ("GET", "/items/1", 200, '{"item":"one"}'),
        ("GET", "/items/-1", 404, '{"title":"Not Found","status":404,"detail":"no item -1"}'),
        ("GET", "/items/x", 405, None),
        ("GET", "/items/1/", 404, '{"title":"Not Found","status":404,"detail":"there is nothing at this path"}'),
        ("GET", "/items/first", 200, "the first"),
        ("PUT", "/items/7", 200, '{"number":7,"body":"x","same":true}'),
        ("DELETE", "/items/7", 204, ""),
        ("GET", f"/half/{'9' * 5000}/12345678-1234-4234-8234-123456789abc", 404, None),
        ("GET", f"/number/{'9' * 5000}", 404, None),
        ("DELETE", "/items/x", 204, ""),
        ("GET", "/files/a/b%20c", 200, "a/b c"),
        ("GET", "/files/", 404, None),
        ("GET", "/a%C3%BC.json?q=1", 200, '["aü","1"]'),
        ("GET", "/half/3/12345678-1234-4234-8234-123456789abc", 200, '[1.5,4,"UUID"]'),
        ("GET", "/half/x/12345678-1234-4234-8234-123456789abc", 404, None),
        ("GET", "/by/12345678-1234-4234-8234-123456789abc/2.5", 200, '["12345678123442348234123456789abc",2.5]'),
        ("PATCH", "/any", 200, "PATCH"),
        ("OPTIONS", "/any", 200, "own"),
        ("POST", "/any", 201, "{}"),
        ("GET", "/two/a", 200, "GET a"),
        ("POST", "/two/a", 200, "POST a"),
        ("GET", "/nothing", 404, None),
        ("GET", "/%69tems/1", 200, '{"item":"one"}'),
    ],
)
def test_a_path_and_a_method_find_their_function(
    load: MakeClient, method: str, target: str, status: int, body: str | None
) -> None:
    """Or say which there is."""
    answer = load(SHOP).request(method, target, body=b"x" if method == "PUT" else b"")
    assert answer.status == status
    assert body is None or answer.text == body


def test_a_path_that_several_patterns_match_has_the_methods_of_all(load: MakeClient) -> None:
    """And each its function."""
    client = load(SHOP)
    assert client.post("/items/7").headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PUT"
    assert client.get("/items/x").headers["allow"] == "DELETE, OPTIONS"


def test_head_and_options_are_answered_for_every_path(load: MakeClient) -> None:
    """HEAD by the function for GET, unless there is one of its own."""
    client = load(SHOP)
    answer = client.request("HEAD", "/items/1")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/json", b"")
    assert client.request("HEAD", "/any").headers["x-head"] == "own"
    answer = client.request("OPTIONS", "/items/1")
    assert (answer.status, answer.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PUT")


def test_routes_take_what_their_functions_name(load: MakeClient) -> None:
    """Method, path, and nothing else that none of them needs."""
    assert load('from dayfly import get\n\n@get("/")\ndef index(): return ""\n').entry.takes == 3
    assert load('from dayfly import get\n\n@get("/")\ndef index(args, body): return ""\n').entry.takes == 3 | 4 | 16


def test_a_router_may_be_an_object(load: MakeClient) -> None:
    """Named `app`, as with frameworks."""
    client = load(
        """
        from dayfly import Router

        app = Router()

        @app.get("/{x}")
        def page(x):
            return x
        """
    )
    assert client.entry.interface == "routes"
    assert client.get("/a").text == "a"


def test_a_function_is_given_the_values_of_its_path_whatever_its_parameters_are(load: MakeClient) -> None:
    """Each by its name: also what `**` collects, what has a default, and what comes after `*`."""
    client = load(
        """
        from dayfly import get

        @get("/rest/{a}/{class:int}/{part_1}")
        def rest(path, a="none", **values):
            return [path, a, values]

        @get("/star/{a}/{part_1}")
        def star(path, *args, part_1, method, a="none"):
            return [path, args, part_1, method, a]

        @get("/default/{a:int}")
        def default(nothing=3, a=4, *, args=None, other=5):
            return [nothing, a, dict(args), other]

        @get("/position/{a}/{b}")
        def position(a, b="none", /, c=1):
            return [a, b, c]

        @get("/all/{a}/{b}")
        def wrapper(*args, **kwargs):
            return [args, kwargs]
        """
    )
    assert client.get("/rest/x/7/y").json() == ["/rest/x/7/y", "x", {"class": 7, "part_1": "y"}]
    assert client.get("/star/x/y").json() == ["/star/x/y", [], "y", "GET", "x"]
    assert client.get("/default/1?q=2").json() == [3, 1, {"q": "2"}, 5]
    assert client.get("/position/x/y").json() == ["x", "y", 1]
    assert client.get("/all/x/y").json() == [[], {"a": "x", "b": "y"}]


def test_a_parameter_that_nothing_can_be_given_to_refuses_the_deploy() -> None:
    """It is positional, and what comes before it keeps its default."""
    router = Router()

    @router.get("/{a}")
    def function(nothing: int = 1, a: str = "", /) -> str:
        return f"{nothing} {a}"

    with pytest.raises(EntryError, match=r"`function` cannot be given `a`, which is positional"):
        router.make_entry()


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("items", "does not begin with `/`"),
        ("/{id", "braces of `/{id` do not match"),
        ("/{other}", "has a placeholder `other`, `function` has no such parameter"),
        ("/{rest}", "has a placeholder `rest`, `function` has no such parameter"),
        ("/{}", "the placeholder `` of `/{}` is no name"),
        ("/{a-b}", "the placeholder `a-b` of `/{a-b}` is no name"),
        ("/{id}/{id}", "the placeholder `id` of `/{id}/{id}` is .* there twice"),
        ("/{id:number}", "`number` in `/{id:number}` is none of str, path, int, float, uuid"),
    ],
)
def test_a_wrong_path_is_refused_where_it_is_written(pattern: str, words: str) -> None:
    """So that the traceback shows the line."""

    def function(id: str, *rest: str) -> str:  # noqa: A002 - the usual name
        return id + "".join(rest)

    with pytest.raises(ValueError, match=words):
        get(pattern)(function)


def test_two_functions_for_one_place_are_refused() -> None:
    """Both are named."""
    router = Router()

    @router.get("/{a}")
    def one(a: str) -> str:
        return a

    @router.route("/{a}", ["POST", "GET"])
    def two(a: str) -> str:
        return a

    with pytest.raises(EntryError, match=r"`two` and `one` both answer GET /{a}"):
        router.make_entry()
