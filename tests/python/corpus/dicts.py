"""dictionaries keep their order"""
def on_client_request():
    d = {"b": 1, "a": 2}
    d["c"] = 3
    d.update(a=5, e=6)
    d.setdefault("z", []).append(1)
    first = next(iter(d))
    popped = d.pop("b")
    return repr([d, list(d.items()), first, popped, d.get("nope", "default"), d | {"x": 1}, dict(zip("ab", [1, 2])), dict.fromkeys("ab", 0), "a" in d, list(reversed(d))])

# GET /
