"""A JSON API over a small catalogue: the handler API without a framework.

Every request begins with the catalogue as it was when the program was frozen, so what a request changes is gone with
it: the answers to POST, PUT and DELETE say what a store would keep.
"""

import json
from pathlib import Path

from dayfly import HTTPError, Request, Response, delete, get, patch, post, put

CATALOGUE = {}
"""Items by number; read once, while the program is frozen."""

PAGE = 10


def on_init():
    for item in json.loads(Path(__file__).with_name("items.json").read_text()):
        CATALOGUE[item["id"]] = item


def item_of(id):
    try:
        return CATALOGUE[id]
    except KeyError:
        raise HTTPError(404, f"there is no item {id}") from None


def checked(fields, *, whole):
    """Return the fields of an item, or say what is wrong with them."""
    kinds = {"name": str, "price": (int, float), "tags": list}
    if not isinstance(fields, dict) or set(fields) - set(kinds):
        raise HTTPError(422, f"an item has the fields {', '.join(kinds)}")
    if whole and set(fields) != set(kinds):
        raise HTTPError(422, f"missing: {', '.join(sorted(set(kinds) - set(fields)))}")
    for name, value in fields.items():
        if not isinstance(value, kinds[name]) or isinstance(value, bool):
            raise HTTPError(422, f"`{name}` is of the wrong type")
    return fields


@get("/")
def index(mount):
    return {"items": f"{mount}/items{{?tag,page}}", "echo": f"{mount}/echo"}


@get("/items")
def items(args):
    found = list(CATALOGUE.values())
    for tag in args.all("tag"):
        found = [item for item in found if tag in item["tags"]]
    try:
        page = int(args.get("page", 1))
    except ValueError:
        raise HTTPError(400, "`page` is a number") from None
    return {"total": len(found), "items": found[(page - 1) * PAGE : page * PAGE]}


@get("/items/{id}")
def item(id: int):
    return item_of(id)


@post("/items")
def create(request: Request):
    item = {"id": max(CATALOGUE) + 1, **checked(request.json(), whole=True)}
    return Response.json(item, 201, {"Location": f"{request.mount}/items/{item['id']}"})


@put("/items/{id}")
def replace(id: int, request: Request):
    return {"id": item_of(id)["id"], **checked(request.json(), whole=True)}


@patch("/items/{id}")
def change(id: int, request: Request):
    return {**item_of(id), **checked(request.json(), whole=False)}


@delete("/items/{id}")
def remove(id: int):
    item_of(id)
    return 204, ""


@post("/echo")
def echo(request: Request):
    return request.json()
