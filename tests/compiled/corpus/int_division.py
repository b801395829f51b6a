"""ints: // % divmod with negative numbers"""
# GET /?7,3
# GET /?-7,3
# GET /?7,-3
# GET /?-7,-3
# GET /?0,5
def on_client_request(query):
    parts = query.split(",")
    a = int(parts[0])
    b = int(parts[1])
    q, r = divmod(a, b)
    c = a
    c //= b
    d = a
    d %= b
    return "%d %d %d %d %d %d %s" % (a // b, a % b, q, r, c, d, a / b)
