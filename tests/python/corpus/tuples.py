"""tuples and unpacking"""
def on_client_request():
    a, (b, *c), *d = 1, (2, 3, 4), 5, 6
    (x,) = [9]
    a, b = b, a
    return repr([a, b, c, d, x, (1,) + (2,), (1, 2)[1], tuple("ab"), hash((1, 2)) == hash((1, 2))])

# GET /
