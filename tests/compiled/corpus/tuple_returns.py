"""functions that return tuples, unpacking in loops"""
# GET /?3
def stats(values):
    return min(values), max(values), sum(values) / len(values), "n=%d" % len(values)
def on_client_request(query):
    n = int(query)
    lo, hi, mean, label = stats([n, 1, 2])
    points = [(i, i * i) for i in range(n)]
    out = ""
    for x, y in points:
        out += "(%d,%d)" % (x, y)
    a, b = 1, 2
    a, b = b, a
    (c, d), e = (1, 2), 3
    return "%s %s %s %s %s %s %s %s" % (lo, hi, mean, label, out, (a, b), (c, d, e), points[-1])
