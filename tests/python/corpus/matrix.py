"""matrices of lists"""
def mul(a, b): return [[sum(x * y for x, y in zip(r, c)) for c in zip(*b)] for r in a]
def on_client_request():
    m = [[1, 1], [1, 0]]; r = [[1, 0], [0, 1]]
    for _ in range(60): r = mul(r, m)
    return repr([r, [list(x) for x in zip(*[[1, 2], [3, 4]])]])

# GET /
