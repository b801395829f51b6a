"""sets"""
def on_client_request():
    a, b = {1, 2, 3}, frozenset([3, 4])
    a.add(5); a.discard(99)
    return repr([sorted(a | b), sorted(a & b), sorted(a - b), sorted(a ^ b), {1} < {1, 2}, a.isdisjoint({9}), len({1, 1.0, True})])

# GET /
