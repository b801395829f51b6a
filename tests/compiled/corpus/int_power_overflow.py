"""ints: ** beyond 64 bits"""
# differs: a result beyond 64 bits is an OverflowError
# GET /?10,19
def on_client_request(query):
    parts = query.split(",")
    a = int(parts[0])
    n = int(parts[1])
    return "%d %d %d" % (a ** n, pow(a, n, 1000), a ** 3)
