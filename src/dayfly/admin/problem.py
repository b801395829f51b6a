"""Every refusal of the admin API in one form: `application/problem+json` (RFC 9457) with a kind and a field."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

from dayfly.config import Limits
from dayfly.errors import Conflict, DayflyError, Overload
from dayfly.log import logger

MEDIA_TYPE = "application/problem+json"

REQUEST_ID = "Dayfly-Request-Id"

RETRY_SECONDS = 10
"""After which those are to come back who were too many."""

KINDS: dict[str, tuple[int, str]] = {
    "request": (422, "a parameter, a header or a body is not as it must be; 400 if it is no JSON or no HTTP at all"),
    "archive": (422, "an archive holds what it must not, or is damaged"),
    "config": (422, "dayfly.toml, or what it and the operator say together, is not as it must be"),
    "build": (422, "the source does not become a program"),
    "packages": (422, "a package cannot be had, or cannot work here"),
    "refused": (422, "the program asks for what a sandbox does not have"),
    "init": (422, "the program failed while it was loaded"),
    "rehearsal": (422, "a sample request was not answered as it must be"),
    "token": (422, "a token cannot be as it was asked for"),
    "usage": (422, "an option has a value that it cannot have"),
    "bad_token": (401, "a valid token is needed"),
    "forbidden": (403, "the token is not for that"),
    "origin": (403, "a page of another origin asked"),
    "not_found": (404, "no such tenant, release, secret, token or path"),
    "method": (405, "the path does not take the method"),
    "timeout": (408, "the body took too long"),
    "conflict": (409, "the tenant is not in the state for it; 412 if `If-Match` was there"),
    "route_taken": (409, "a host or path belongs to another tenant"),
    "damaged": (409, "the files of a release are not here, or not as they were"),
    "too_large": (413, "the body has too many octets"),
    "quota": (413, "the release does not fit into what the disk has for the tenant, or for all"),
    "media_type": (415, "the body is of another type than it must be"),
    "host": (421, "the server does not go by that name"),
    "precondition": (428, "`If-Match` is needed"),
    "too_many_failures": (429, "too many refused tokens; wait as `Retry-After` says"),
    "internal": (500, "our fault; the operator's log says more"),
    "index": (503, "the package index does not answer"),
    "overload": (503, "too many at once; try again after `Retry-After`"),
    "not_ready": (503, "requests to tenants are not answered yet, or not any more"),
    "registry": (503, "the data directory cannot be used"),
    "system": (503, "the operating system refused something"),
}
"""Every kind of refusal, its status, and what it means."""

SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "Why something was refused (RFC 9457). Without a `type`, the title says what the status says.",
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is wrong and, after a semicolon, what to do"},
        "kind": {"type": "string", "description": "a word for programs; see the table of kinds"},
        "field": {"type": "string", "description": "the key, header or part that is wrong; empty if it is none"},
        "request_id": {"type": "string", "description": "what the operator's log calls this request"},
    },
    "required": ["title", "status", "detail", "kind", "field", "request_id"],
    "additionalProperties": False,
}


class Problem(HTTPException):
    """A refusal on its way out, of a request that no operation has seen."""

    def __init__(
        self, status: int, kind: str, detail: str, *, field: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.kind, self.field = kind, field


def response(problem: Problem, request_id: str) -> JSONResponse:
    """Lay a refusal out."""
    content = {
        "title": HTTPStatus(problem.status_code).phrase,
        "status": problem.status_code,
        "detail": problem.detail,
        "kind": problem.kind,
        "field": problem.field,
        "request_id": request_id,
    }
    return JSONResponse(content, problem.status_code, problem.headers, MEDIA_TYPE)


def of_error(error: DayflyError) -> Problem:
    """Say why an operation refused something. What is our fault or our machine's is for the operator's log only."""
    status, _ = KINDS.get(error.kind, (500, ""))
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("admin: %s: %s", error.kind, error)
        return internal()
    again = {"Retry-After": str(RETRY_SECONDS)} if isinstance(error, Overload) else {}
    return Problem(status, error.kind, str(error), field=error.field, headers=again)


def internal() -> Problem:
    """Say no more than that it is our fault."""
    return Problem(500, "internal", "the server failed; its log says more, under the request's id")


def handle(app: FastAPI) -> None:
    """Have an application answer with problems only."""
    for kind in (DayflyError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> JSONResponse:
    problem = _of(error)
    if isinstance(error, Conflict) and "If-Match" in request.headers:
        problem = Problem(412, problem.kind, problem.detail, field="If-Match")
    if problem.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The framework has looked at one route of several with this path.
        problem.headers = {"Allow": ", ".join(_methods(request))}
    return response(problem, str(request.state.request_id))


def _methods(request: Request) -> list[str]:
    """Return the methods that the path of a request takes."""
    path = request.url.path
    return sorted(
        {
            method
            for router in request.app.state.routers
            for route in router.routes
            if isinstance(route, Route) and route.path_regex.match(path)
            for method in route.methods or ()
        }
    )


def _of(error: Exception) -> Problem:
    if isinstance(error, DayflyError):
        return of_error(error)
    if isinstance(error, RequestValidationError):
        return _of_validation(error)
    return _of_http(error) if isinstance(error, HTTPException) else internal()


def _of_http(error: HTTPException) -> Problem:
    """Translate what the framework raises: no route, another method, a body that it could not read."""
    if isinstance(error, Problem):
        return error
    kind, detail = {
        404: ("not_found", "there is nothing at this path; the paths stand in /openapi.json"),
        405: ("method", "this path does not take this method; `Allow` says which it takes"),
    }.get(error.status_code, ("request", str(error.detail)))
    return Problem(error.status_code, kind, detail, field="path" if kind == "not_found" else "", headers=error.headers)


def _of_validation(error: RequestValidationError) -> Problem:
    """Name the first value that is not as it must be."""
    first = error.errors()[0]
    place, *keys = map(str, first["loc"])
    if first["type"] == "json_invalid":
        return Problem(400, "request", "the body is not valid JSON; correct it", field="body")
    field = ".".join(key for key in keys if key != "[key]") or place
    what = {"extra_forbidden": "it is not known here", "missing": "it is missing"}.get(first["type"], first["msg"])
    if limit := Limits.model_fields.get(field):
        what = f"allowed: {limit.description}"
    return Problem(422, "request", f"{place}: `{field[:100]}`: {_lower(what)}", field=field[:100])


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
