"""A JSON API over a list of items.

Every request begins with the items as they were when the program was frozen, and what it changes is gone with it: the
answer to POST says what a store would keep.
"""

from dayfly import HTTPError, Request, Response, get, post

ITEMS = {}


def on_init():
    """Run once, at the deploy: what it leaves in memory is there for each request."""
    for number, name in enumerate(["lamp", "chair", "table"], 1):
        ITEMS[number] = {"id": number, "name": name}


@get("/")
def index():
    return {"items": "/items", "item": "/items/1"}


@get("/items")
def items(args):
    word = args.get("name", "")
    return [item for item in ITEMS.values() if word in item["name"]]


@get("/items/{id}")
def item(id: int):
    if id not in ITEMS:
        raise HTTPError(404, f"there is no item {id}")
    return ITEMS[id]


@post("/items")
def create(request: Request):
    fields = request.json()
    if not isinstance(fields, dict) or not isinstance(fields.get("name"), str):
        raise HTTPError(422, "an item needs a `name`")
    made = {"id": len(ITEMS) + 1, "name": fields["name"]}
    return Response.json(made, 201, {"Location": f"{request.mount}/items/{made['id']}"})
