"""generators"""
def numbers(n):
    for i in range(n):
        got = yield i
        if got:
            yield got * 100
    return "done"
def chain():
    result = yield from numbers(2)
    yield result
def on_client_request():
    g = numbers(3)
    a = [next(g), g.send(7), next(g)]
    g.close()
    return repr([a, list(chain()), sum(x * x for x in range(10)), list(g)])

# GET /
