"""`docs/admin-api.md`, made from the OpenAPI document: `python -m dayfly.admin.reference`."""

import sys
from collections.abc import Iterator
from typing import Any

from dayfly.admin.app import document, routes
from dayfly.admin.problem import KINDS
from dayfly.admin.route import NEED

_INTRODUCTION = """\
# The admin API

Made from the routes by `make reference`; a running server has the same as OpenAPI 3.1 at `/openapi.json`.

It is served on `DATA_DIR/admin.sock`, whose owner needs no token, and with `dayfly serve --admin HOST:PORT` on an
address too, where everybody does: `Authorization: Bearer TOKEN`, made by `dayfly token create`. It is never served
where tenants are. All [client commands](cli.md) use it, and so can you:

```sh
curl --unix-socket .dayfly/admin.sock http://localhost/v1/tenants
tar -C shop -c . | curl --unix-socket .dayfly/admin.sock -T - -X POST -H 'Content-Type: application/x-tar' \\
  http://localhost/v1/tenants/shop/deploys
```

A token has scopes: `admin` may do everything, `read` may look at everything but tokens, and `deploy:TENANT` may look
at one tenant, deploy it, and give it variables and secrets. Its limits and its end are for `admin`.

Each change gives a tenant a new revision, which is the `ETag` of answers about it. A request with `If-Match` changes
nothing if the tenant has another revision by then: 412. Where a change would undo what its sender has not seen, `If-
Match` must be there: else 428.

Bodies are JSON but for archives. What is not known is refused, in bodies and queries alike. A request with an
`Origin` of somebody else's, or a `Host` that is neither an address, `localhost`, nor given to `--admin-name`, is
refused: no page that a browser shows can ask. A peer that shows ten refused tokens in a row must wait six seconds for
each further one.

An archive is a tar of regular files, uncompressed: 48 MiB and 10,000 entries at most, 32 MiB of source. Links,
devices, sparse files, absolute paths, `..`, names twice, and an archive that ends too early are refused by the name
of the entry. Files that begin with a dot are left out, as from a directory."""


def page() -> str:
    """Write the reference of the admin API."""
    return "\n".join(_page(document(routes()))) + "\n"


def _page(described: dict[str, Any]) -> Iterator[str]:
    yield _INTRODUCTION
    tag = ""
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if operation["tags"][0] != tag:
                tag = operation["tags"][0]
                yield from ("", f"## {tag.capitalize()}")
            yield from _operation(method.upper(), path, operation)
    yield from ("", "## Shapes")
    for name, schema in described["components"]["schemas"].items():
        yield from _shape(name, schema)
    yield from ("", "## Kinds of refusals", "", "| kind | status | |", "|---|---|---|")
    yield from (f"| `{kind}` | {status} | {what} |" for kind, (status, what) in KINDS.items())


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield from ("", f"### {method} {path}", "", operation["description"], "")
    yield f"- who: {_who(operation[NEED], has_tenant='{tenant}' in path)}"
    for parameter in operation.get("parameters", []):
        must = ", required" if parameter["required"] and parameter["in"] != "path" else ""
        if parameter["name"] != "tenant":
            yield f"- `{parameter['name']}` ({parameter['in']}{must}): {parameter['description']}"
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"- body: {_type(content['schema'])}, `{media_type}`"
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            shapes = [_type(content["schema"]) for content in answer.get("content", {}).values()]
            yield f"- answer: {status}{f', {shapes[0]}' if shapes else ''}"


def _who(need: str, *, has_tenant: bool) -> str:
    return {
        "nothing": "everybody, without a token",
        "read": "`admin`, `read`, `deploy:TENANT`" if has_tenant else "`admin`, `read`",
        "deploy": "`admin`, `deploy:TENANT`",
        "admin": "`admin`",
    }[need]


def _shape(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield from ("", f"### {name}", "", schema.get("description", "").partition("\n\n")[0], "")
    if "properties" not in schema:
        yield f"{_type(schema).capitalize()}."
        return
    yield from ("| key | type | |", "|---|---|---|")
    required = schema.get("required", [])
    for key, value in schema["properties"].items():
        about = value.get("description", "")
        left_out = "" if key in required else "may be left out" if not about else "; may be left out"
        yield f"| `{key}` | {_type(value)} | {about}{left_out} |"


def _type(schema: dict[str, Any]) -> str:  # noqa: PLR0911 - a table
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    match schema.get("type"):
        case "array":
            items = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
            return f"list of {_type(items)}"
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return f"table of {_type(schema['additionalProperties'])}"
        case str() as kind:
            return str(schema.get("format", kind))
    return "anything"


if __name__ == "__main__":
    sys.stdout.write(page())
