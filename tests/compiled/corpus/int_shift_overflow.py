"""ints: shifts beyond 64 bits"""
# differs: a result beyond 64 bits is an OverflowError
# GET /?1,64
def on_client_request(query):
    parts = query.split(",")
    a = int(parts[0])
    n = int(parts[1])
    b = a
    b <<= 1
    b |= 8
    return "%d %d %d %d %d %d %d" % (a << n, a >> n, a & 6, a | 6, a ^ 6, ~a, b)
