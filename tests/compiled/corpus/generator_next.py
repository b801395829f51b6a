"""generators: next, then the rest"""
# GET /?5
def numbers(n):
    for i in range(n):
        yield i
def on_client_request(query):
    g = numbers(int(query))
    first = next(g)
    second = next(g)
    return "%d %d %s" % (first, second, list(g))
