"""identity of equal values is not promised, equality is"""
def on_client_request():
    return repr([1000 == 10**3, "ab" == "a" + "b", (1, 2) == tuple([1, 2]), 0.5 == 1/2, hash(1) == hash(1.0) == hash(True)])

# GET /
