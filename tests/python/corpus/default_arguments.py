"""defaults are made once"""
def f(x, seen=[]):
    seen.append(x)
    return seen
def on_client_request():
    f(1)
    return repr(f(2))

# GET /
# GET /
