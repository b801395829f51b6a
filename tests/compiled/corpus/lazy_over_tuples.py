"""map, zip, filter and generators over tuples"""
# GET /?3
def walk(n):
    for a in (1, 2, n):
        for i, b in enumerate((10, 20)):
            yield a * b + i
def twice(m):
    return [x * 2 for x in m]
def on_client_request(query):
    n = int(query)
    m = map(lambda x: x + n, (1, 2, 3))
    z = zip((1, 2, 3), ("a", "b", "c"))
    pairs = twice(m)
    f = filter(lambda x: x > 1, (1, 2, n))
    return "%s %s %s %s %s %s" % (pairs, list(z), list(f), list(walk(n)), sum(map(lambda x: x * x, (1, 2, n))), list(reversed((1, 2, n))))
