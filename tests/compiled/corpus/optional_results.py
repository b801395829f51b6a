"""optional results and default arguments"""
# GET /?a=5
# GET /?b=x
def lookup(query, name):
    for part in query.split("&"):
        k, _, v = part.partition("=")
        if k == name:
            return v
    return None
def to_int(text, default=0):
    try:
        return int(text)
    except ValueError:
        return default
def on_client_request(query):
    v = lookup(query, "a")
    n = to_int(v) if v is not None else -1
    return str(n) + ("yes" if v else "no")
