"""exceptions: raise, except order, finally, re-raise"""
# GET /?value
# GET /?key
# GET /?index
# GET /?type
# GET /?none
# GET /?again
def check(kind):
    if kind == "value":
        raise ValueError("bad value")
    if kind == "key":
        raise KeyError("k")
    if kind == "index":
        raise IndexError("i")
    if kind == "type":
        raise TypeError("t", "u")
    if kind == "again":
        try:
            raise RuntimeError("first")
        except RuntimeError:
            raise
    return "fine"

def on_client_request(query):
    out = ""
    try:
        out += check(query)
    except ValueError as error:
        out += "value " + str(error)
    except LookupError:
        out += "lookup"
    return out
