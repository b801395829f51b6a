"""Uses frameworks as programs commonly use them, so that a layer of packages is frozen with them in use.

It is what `warm` is for the standard library and this package: the interpreter adapts code to what passes through it,
and fills caches; an application that finds both done runs faster and writes to fewer pages. The applications here are
our own, and nothing of a tenant's is touched.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from . import asgi, host, native
from .entry import make_entry
from .warm import FIELDS, FORM, MULTIPART, UPLOAD

JSON = '{"a": [1, "b", null]}'
REFUSED = 400
SECRET = "of nothing"  # noqa: S105 - it keeps none
APPLICATIONS_MADE = 8
TIMES = 2
"""How often each is sent everything. The interpreter adapts an instruction after a few runs, and looks again at what
did not fit after a few more; making an application is what tenants do while they are frozen."""

PAGE = """{% macro shown(x) %}<b>{{ x|upper }}</b>{% endmacro %}
<title>{% block title %}{{ title }}{% endblock %}</title>
{% for x in xs if x %}{{ loop.index }} {{ shown(x) }} {{ x|length }}{% else %}none{% endfor %}
{% if xs|length > 1 and title is string %}{{ xs[0] }}{{ "%.2f"|format(1.5) }}{% endif %}{% set y = 1 %}{{ y + 1 }}"""
INHERITING = "{% extends 'page' %}{% block title %}{{ super() }}, {{ d.a }} {{ d['b']|default('c') }}{% endblock %}"


def warm() -> list[str]:
    """Use what is imported of these; return what failed, which is no reason to do without the layer."""
    failed = []
    host.use(native, is_real=False)
    try:
        native.set_freezing(is_freezing=True)
        for name, make in APPLICATIONS.items():
            if name in sys.modules:
                try:
                    for _ in range(APPLICATIONS_MADE):
                        use(make())
                except Exception as error:  # noqa: BLE001 - whatever another version does
                    failed.append(f"{name}: {type(error).__name__}: {error}")
        asgi.forget()
    finally:
        native.set_freezing(is_freezing=False)
        host.bind()
    return failed


def use(app: object) -> None:
    """Send it requests of every kind; each is answered, or raises."""
    module = ModuleType("program")
    module.app = app  # type: ignore[attr-defined] # a module's names are its own
    entry = make_entry(module)
    cookies: dict[str, str] = {}
    for _ in range(TIMES):
        for frame in frames():
            if cookies:
                frame.fields.append(("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
            reply = native.call(entry.call, entry.parts, frame)
            if reply.status >= REFUSED and not is_refused(frame):
                raise RuntimeError(f"{frame.method} {frame.path} is answered with {reply.status}")
            for name, value in reply.fields:
                if name.lower() == "set-cookie":
                    cookie, _, content = value.partition(";")[0].partition("=")
                    cookies[cookie] = content


TARGETS = (
    *("/", "/json", "/items/3?a=1&b=%C3%BC", "/name/x%20y", "/page", "/pieces", "/session", "/missing"),
    *("/static/__init__.py", "/static/missing"),
)


def is_refused(frame: native.Frame) -> bool:
    """Tell what an application does not have, and a method that it has not."""
    return frame.path.endswith("/missing") or frame.method == "OPTIONS" or frame.method + frame.path == "POST/"


def frames() -> Iterator[native.Frame]:
    """Yield requests for the routes that each application has."""
    for target in TARGETS:
        path, _, query = target.partition("?")
        yield native.Frame("GET", path, query, list(FIELDS), mount="/z")
    yield native.Frame("HEAD", "/", "", list(FIELDS))
    yield native.Frame("OPTIONS", "/json", "", list(FIELDS))
    for path, kind, body in [
        ("/form", FORM, b"a=1&b=%C3%BC+x"),
        ("/form", MULTIPART, UPLOAD),
        ("/json", "application/json", JSON.encode()),
        ("/", "text/plain", b"x"),
    ]:
        fields = [*FIELDS, ("Content-Type", kind), ("Content-Length", str(len(body)))]
        yield native.Frame("POST", path, "", fields, body)


def templates() -> Any:  # noqa: ANN401 - an environment of Jinja
    """Return an environment with two templates."""
    jinja2 = import_module("jinja2")
    return jinja2.Environment(loader=jinja2.DictLoader({"page": PAGE, "inheriting": INHERITING}), autoescape=True)


def place_of(module: ModuleType) -> str:
    """Return the directory of a module: there are files in it."""
    return str(Path(str(module.__file__)).parent)


VALUES: dict[str, Any] = {"title": "<title>", "xs": ["<a>", "", "b"], "d": {"a": 1}}


def of_flask() -> object:  # noqa: C901 - it has that many routes
    """Make an application with what the quick start of Flask shows."""
    flask = import_module("flask")
    app = flask.Flask("warm", static_folder=place_of(flask), static_url_path="/static")
    app.secret_key = SECRET
    app.jinja_env.loader = import_module("jinja2").DictLoader({"page": PAGE, "inheriting": INHERITING})
    part = flask.Blueprint("part", __name__)

    @app.before_request
    def before() -> None:
        flask.g.a = 1

    @app.after_request
    def after(response: Any) -> Any:  # noqa: ANN401 - a response of Flask
        response.headers["X-A"] = str(flask.g.a)
        return response

    @app.get("/")
    def index() -> str:
        return "hello"

    @app.route("/json", methods=["GET", "POST"])
    def json() -> Any:  # noqa: ANN401 - what Flask makes an answer of
        if flask.request.method == "POST":
            return flask.jsonify(flask.request.get_json())
        return {"a": [1, None, "ü"]}

    @part.get("/items/<int:number>")
    def item(number: int) -> Any:  # noqa: ANN401 - likewise
        return {"item": number, "a": flask.request.args.get("a"), "agent": flask.request.headers.get("User-Agent")}, 201

    @app.get("/name/<name>")
    def name(name: str) -> Any:  # noqa: ANN401 - likewise
        response = flask.make_response(name, 200, {"X-B": "c"})
        response.set_cookie("seen", flask.request.cookies.get("a", ""))
        return response

    @app.get("/page")
    def page() -> str:
        link = flask.url_for("part.item", number=3, x="y")
        return str(flask.render_template("inheriting", link=link, **VALUES))

    @app.get("/pieces")
    def pieces() -> Any:  # noqa: ANN401 - likewise
        return flask.Response(iter(["a", "b"]), mimetype="text/plain")

    @app.get("/session")
    def session() -> Any:  # noqa: ANN401 - likewise
        flask.session["n"] = flask.session.get("n", 0) + 1
        flask.flash("text")
        flask.get_flashed_messages()
        return flask.redirect(flask.url_for("index", _external=True))

    @app.post("/form")
    def form() -> Any:  # noqa: ANN401 - likewise
        files = [file.read().decode() for file in flask.request.files.values()]
        return flask.jsonify(flask.request.form.to_dict(), files)

    app.register_blueprint(part)
    return app


def of_bottle() -> object:
    """Make an application with what the tutorial of Bottle shows."""
    bottle = import_module("bottle")
    app = bottle.Bottle()
    page = bottle.SimpleTemplate("<title>{{title}}</title>\n% for x in xs:\n<b>{{x}}</b> {{!x}}\n% end\n")

    @app.get("/")
    def index() -> str:
        bottle.response.content_type = "text/plain"
        return "hello"

    @app.route("/json", method=["GET", "POST"])
    def json() -> object:
        return {"a": [1, None, "ü"], "got": bottle.request.json}

    @app.get("/items/<number:int>")
    def item(number: int) -> object:
        return {"item": number, "a": bottle.request.query.getunicode("b"), "h": bottle.request.get_header("User-Agent")}

    @app.get("/static/<name>")
    def static(name: str) -> object:
        return bottle.static_file(name.replace("__init__", "bottle"), root=place_of(bottle))

    @app.get("/name/<name>")
    def name(name: str) -> str:
        bottle.response.set_cookie("seen", bottle.request.get_cookie("a", ""))
        return name

    @app.get("/page")
    def show() -> str:
        return str(page.render(**VALUES))

    @app.get("/pieces")
    def pieces() -> Iterator[str]:
        yield "a"
        yield "b"

    @app.get("/session")
    def session() -> None:
        n = int(bottle.request.get_cookie("n", secret=SECRET) or 0)
        bottle.response.set_cookie("n", str(n + 1), secret=SECRET)
        bottle.redirect("/")

    @app.post("/form")
    def form() -> object:
        return {
            "a": bottle.request.forms.getunicode("a"),
            "files": [file.filename for file in bottle.request.files.values()],
        }

    return app


def of_starlette() -> object:  # noqa: C901 - likewise
    """Make an application with what the documentation of Starlette shows; asynchronous and plain functions."""
    responses, routing = import_module("starlette.responses"), import_module("starlette.routing")
    static = import_module("starlette.staticfiles").StaticFiles(directory=place_of(responses))
    pages = templates() if "jinja2" in sys.modules else None

    async def index(_request: Any) -> Any:  # noqa: ANN401 - those of Starlette
        return responses.PlainTextResponse("hello")

    async def json(request: Any) -> Any:  # noqa: ANN401 - likewise
        return responses.JSONResponse(await request.json() if request.method == "POST" else {"a": [1, None, "ü"]})

    async def item(request: Any) -> Any:  # noqa: ANN401 - likewise
        values = {"n": request.path_params["number"], "a": request.query_params.get("a"), "u": str(request.url)}
        return responses.JSONResponse({**values, "agent": request.headers.get("user-agent")}, status_code=201)

    def name(request: Any) -> Any:  # noqa: ANN401 - likewise
        response = responses.PlainTextResponse(request.path_params["name"], headers={"X-B": "c"})
        response.set_cookie("seen", request.cookies.get("a", ""))
        return response

    def page(request: Any) -> Any:  # noqa: ANN401 - likewise
        link = str(request.url_for("item", number=3))
        return responses.HTMLResponse(pages.get_template("inheriting").render(link=link, **VALUES) if pages else link)

    async def pieces(_request: Any) -> Any:  # noqa: ANN401 - likewise
        async def each() -> Any:  # noqa: ANN401 - an asynchronous generator
            yield b"a"
            yield b"b"

        return responses.StreamingResponse(each(), media_type="text/plain")

    async def session(request: Any) -> Any:  # noqa: ANN401 - likewise
        if "session" in request.scope:
            request.session["n"] = request.session.get("n", 0) + 1
        return responses.RedirectResponse("/")

    async def form(request: Any) -> Any:  # noqa: ANN401 - likewise
        if "python_multipart" not in sys.modules:
            return responses.PlainTextResponse(await request.body())
        async with request.form() as fields:
            return responses.JSONResponse({key: getattr(value, "filename", value) for key, value in fields.items()})

    def route(path: str, function: Callable[..., object], *methods: str) -> object:
        return routing.Route(path, function, methods=["GET", *methods])

    routes = [
        *(route("/", index), route("/json", json, "POST"), routing.Route("/items/{number:int}", item, name="item")),
        *(route("/name/{name}", name), route("/page", page), route("/pieces", pieces), route("/session", session)),
        routing.Mount("/static", static),
        routing.Mount("/form", routes=[routing.Route("/", form, methods=["POST"])]),
        routing.Route("/form", form, methods=["POST"]),
    ]
    middleware = []
    with contextlib.suppress(ImportError):
        sessions = import_module("starlette.middleware.sessions")
        options = {"secret_key": SECRET}
        middleware.append(import_module("starlette.middleware").Middleware(sessions.SessionMiddleware, **options))
    return import_module("starlette.applications").Starlette(routes=routes, middleware=middleware)


def of_jinja() -> object:
    """Make an application that is a page."""
    pages = templates()

    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        link = environ["PATH_INFO"]
        return [pages.get_template("inheriting").render(link=link, **VALUES).encode()]

    return app


APPLICATIONS: dict[str, Callable[[], object]] = {
    "jinja2": of_jinja,
    "bottle": of_bottle,
    "flask": of_flask,
    "starlette": of_starlette,
}
"""By the module that must be there; what others are made of comes first."""
