"""The application of the admin API: all routes behind one guard, and the document that describes them."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from dayfly import __version__
from dayfly.admin import deploys, logs, problem, tenants, tokens
from dayfly.admin.caller import Failures, Need
from dayfly.admin.guard import Guard
from dayfly.admin.problem import Problem
from dayfly.admin.route import CAREFUL, NEED, Operating, make_router, needs
from dayfly.operator import Operator
from dayfly.watch import Report

DESCRIPTION = """\
What an operator and the holders of tokens may ask of a running dayfly server.

Every change of a tenant gives it a new revision, which is the `ETag` of its answers. A request with `If-Match` changes
nothing if the tenant has another revision by then (412). Everything that is refused is answered as a problem (RFC 9457)
with a `kind` for programs and the `field` that is wrong.
"""

service = make_router("service")
service.prefix = ""


# These two take no thread, and are answered however many requests there are.


@service.get("/health", **needs(Need.NOTHING))
async def health() -> dict[str, str]:
    """Say that this process is there."""
    return {"status": "ok"}


@service.get("/ready", **needs(Need.NOTHING))
async def ready(operator: Operating) -> dict[str, str]:
    """Say that requests to tenants are answered; a refusal says that they are not."""
    if not operator.is_ready:
        raise Problem(503, "not_ready", "requests are not answered yet, or not any more; try again")
    return {"status": "ready"}


@service.get("/v1/stats", **needs(Need.READ))
def stats(operator: Operating) -> dict[str, Any]:
    """Show the counters of all threads and tenants since the start."""
    return operator.stats()


@service.get("/v1/directories", **needs(Need.READ))
def list_directories(operator: Operating) -> list[Report]:
    """List the tenant directories that the server watches, and why what is in one now is not live."""
    return operator.directories()


def create_app(operator: Operator, *, hosts: frozenset[str] = frozenset(), failures: Failures | None = None) -> Guard:
    """Return the application for a server; `hosts`: names that it goes by, besides addresses and `localhost`."""
    app = routes()
    app.state.operator = operator
    app.state.turns = deploys.Turns()
    return Guard(app, operator, hosts=hosts, failures=failures or Failures())


def routes() -> FastAPI:
    """Return the application without its guard, for those who want to look at the routes."""
    app = FastAPI(
        title="dayfly admin API",
        version=__version__,
        description=DESCRIPTION,
        # Its pages load scripts from elsewhere, which a page with these rights must not.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.routers = (service, tenants.router, deploys.router, logs.router, tokens.router)
    for router in app.state.routers:
        app.include_router(router)
    problem.handle(app)

    @app.get("/openapi.json", include_in_schema=False)
    def openapi() -> dict[str, Any]:
        return document(app)

    return app


def document(app: FastAPI) -> dict[str, Any]:
    """Describe the routes in OpenAPI 3.1."""
    described = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    components = described["components"]
    components["schemas"]["Problem"] = problem.SCHEMA
    for name in ("Limits", "LimitOverrides"):
        _correct(components["schemas"][name])
    about = "not needed by the owner of the server on its own socket"
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": about}}
    for operations in described["paths"].values():
        for operation in operations.values():
            _complete(operation)
    return described


def _complete(operation: dict[str, Any]) -> None:
    """Say of an operation what the framework does not know: the token, and which headers must be there or are there."""
    if operation[NEED] != Need.NOTHING:
        operation["security"] = [{"token": []}]
    is_careful = operation.pop(CAREFUL)
    for parameter in operation.get("parameters", []):
        if parameter["name"] == "If-Match":
            parameter["required"] = is_careful
            parameter["schema"] = {"type": "string"}


def _correct(limits: dict[str, Any]) -> None:
    """Say the bounds of limits in the words of JSON Schema: with a validator in front, pydantic leaves its own."""
    words = {"ge": "minimum", "le": "maximum", "multiple_of": "multipleOf"}
    for name, limit in limits["properties"].items():
        del limit["default"]  # that of dayfly.toml, not of a request
        limits["properties"][name] = {words.get(key, key): value for key, value in limit.items()}
