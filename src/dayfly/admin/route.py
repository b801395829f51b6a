"""What all routes have in common: whom they let in, which options they know, and what a change is made from."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from dayfly.admin.bodies import Why, is_name
from dayfly.admin.caller import Caller, Need
from dayfly.admin.problem import MEDIA_TYPE, Problem
from dayfly.config import Tenant
from dayfly.deploy import Change
from dayfly.operator import Operator

NEED = "x-dayfly-need"
"""The key in the OpenAPI document that says what a route asks of a caller."""

CAREFUL = "x-dayfly-careful"
"""The key that says that `If-Match` must be there."""

IF_MATCH = r'^(\*|"[0-9]{1,18}")$'
"""One entity tag (RFC 9110 section 13.1.1): ours are revisions."""

_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}

REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused; nothing was changed", **_PROBLEM},
    "5XX": {"description": "The server cannot do it now", **_PROBLEM},
}

TAGGED: dict[str, Any] = {
    "headers": {"ETag": {"description": "the tenant's revision, for `If-Match`", "schema": {"type": "string"}}}
}
"""What an answer has that holds a tenant's revision."""


class Route(APIRoute):
    """A route that looks at the caller and at the options before it reads the body."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """Return what answers a request."""
        answer = super().get_route_handler()
        need = Need((self.openapi_extra or {})[NEED])
        known = _options(self.dependant)

        async def admitted(request: Request) -> Response:
            _check_name(request)
            _authorise(request, need)
            _check_options(request, known)
            return await answer(request)

        return admitted


def _check_name(request: Request) -> None:
    """Refuse what no tenant can be called, whatever else may be wrong."""
    name = request.path_params.get("tenant", "x")
    if not is_name(name):
        detail = f"path: `tenant` cannot be {name[:100]!r}; allowed: {Tenant.model_fields['name'].description}"
        raise Problem(422, "request", detail, field="tenant")


def _options(dependant: Dependant) -> set[str]:
    """Return the names of the query parameters that a route takes, with what it depends on."""
    own = {parameter.alias for parameter in dependant.query_params}
    return own.union(*map(_options, dependant.dependencies))


def _authorise(request: Request, need: Need) -> None:
    caller: Caller | None = getattr(request.state, "caller", None)
    tenant = request.path_params.get("tenant")
    if need is not Need.NOTHING and (caller is None or not caller.may(need, tenant)):
        what = {Need.ADMIN: "`admin`", Need.DEPLOY: f"`admin` or `deploy:{tenant}`"}.get(need, "`admin` or `read`")
        raise Problem(403, "forbidden", f"your token is not for that; it takes one for {what}", field="Authorization")


def _check_options(request: Request, known: set[str]) -> None:
    """Refuse a query with what would be ignored, or with one thing twice."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            allowed = ", ".join(sorted(known)) or "none"
            raise Problem(
                422, "request", f"query: `{name[:100]}` is not known here; allowed: {allowed}", field=name[:100]
            )
        if names.count(name) > 1:
            raise Problem(422, "request", f"query: `{name}` is there twice; say it once", field=name)


def needs(
    need: Need,
    extra: Mapping[str, Any] | None = None,
    *,
    answers: Mapping[int | str, dict[str, Any]] | None = None,
    careful: bool = False,
) -> dict[str, Any]:
    """Return the arguments of a route that lets in who has a right.

    `extra` and `answers` go into the OpenAPI document; `careful`: it takes `CarefullyChanging`.
    """
    own = {NEED: str(need), CAREFUL: careful, **(extra or {})}
    return {"openapi_extra": own, "responses": {**REFUSALS, **(answers or {})}}


def make_router(tag: str) -> APIRouter:
    """Return a router for the routes of one module."""
    return APIRouter(prefix="/v1", route_class=Route, tags=[tag])


async def _operator(request: Request) -> Operator:
    operator: Operator = request.app.state.operator
    return operator


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Operating = Annotated[Operator, Depends(_operator)]
Asking = Annotated[Caller, Depends(_caller)]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="the `ETag` that the change is meant for: if it is another one now, 412",
    ),
]


async def _change(caller: Asking, why: Why = "", if_match: IfMatch = None) -> Change:
    if if_match is not None and not re.fullmatch(IF_MATCH, if_match):
        detail = "`If-Match` is no `ETag` of ours; read the tenant, and send the one that is answered, or `*`"
        raise Problem(412, "conflict", detail, field="If-Match")
    revision = None if if_match in {None, "*"} else int(str(if_match).strip('"'))
    return Change(caller.actor, why, revision)


Changing = Annotated[Change, Depends(_change)]


async def _careful_change(change: Changing, if_match: IfMatch = None) -> Change:
    if if_match is None:
        raise Problem(
            428,
            "precondition",
            "this change needs `If-Match` with the tenant's `ETag`; read the tenant first",
            field="If-Match",
        )
    return change


CarefullyChanging = Annotated[Change, Depends(_careful_change)]
"""A change that would undo what the client has not seen."""


def tag(response: Response, revision: int) -> None:
    """Put a revision into an answer."""
    response.headers["ETag"] = f'"{revision}"'
