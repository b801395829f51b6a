"""dict of lists, del, comparison"""
# GET /?a=1&b=2&a=3
def on_client_request(query):
    d = {}
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key not in d:
            d[key] = []
        d[key].append(int(value))
    e = dict(d)
    del d["b"]
    return "%s %s %s" % (d, e, d == e)
