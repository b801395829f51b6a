"""named tuples"""
from collections import namedtuple
P = namedtuple("P", "x y", defaults=[9])
def on_client_request():
    p = P(1)
    return repr([p, p.y, p._replace(x=5), P._fields, p + (1,), *p])

# GET /
