"""itertools and functools"""
# GET /?3
import functools
import itertools

def on_client_request(query):
    n = int(query)
    pairs = [a + b for a, b in itertools.product(["x", "y"], ["1", "2"])]
    total = functools.reduce(lambda a, b: a * b, range(1, n + 1))
    return "%s %d %s" % (pairs, total, list(itertools.combinations([1, 2, 3], 2)))
