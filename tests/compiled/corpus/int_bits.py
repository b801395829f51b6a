"""ints: shifts and bit operators"""
# GET /?5,3
# GET /?-5,2
# GET /?1,62
# GET /?1,-1
def on_client_request(query):
    parts = query.split(",")
    a = int(parts[0])
    n = int(parts[1])
    b = a
    b <<= 1
    b |= 8
    return "%d %d %d %d %d %d %d" % (a << n, a >> n, a & 6, a | 6, a ^ 6, ~a, b)
