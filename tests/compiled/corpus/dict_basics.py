"""dict: insertion order, get, in, items, pop, update, del"""
# GET /?b=2&a=1&c=3
# GET /?x=1
def on_client_request(query):
    d = {}
    for part in query.split("&"):
        key, _, value = part.partition("=")
        d[key] = value
    d["z"] = "26"
    d["a"] = "one"
    out = str(d) + str(len(d)) + str("a" in d) + d.get("q", "none") + str(list(d.keys())) + str(list(d.values())) + str(list(d.items()))
    d.pop("z")
    d.update({"n": "14"})
    for key, value in d.items():
        out += key + ":" + value + ";"
    return out + d.setdefault("new", "v") + str(sorted(d))
