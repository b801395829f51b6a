"""comprehensions and generator expressions"""
# GET /?5
def on_client_request(query):
    n = int(query)
    squares = [i * i for i in range(n)]
    d = {i: str(i) for i in range(n)}
    evens = {i for i in range(n) if i % 2 == 0}
    return "%s %s %s %d %s %s" % (squares, d, sorted(evens), sum(i for i in range(n)), any(i > 3 for i in squares), all([i < 3 for i in squares]))
