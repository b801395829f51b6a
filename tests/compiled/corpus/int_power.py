"""ints: ** and pow with three arguments"""
# GET /?2,10
# GET /?-3,5
# GET /?7,0
# GET /?10,18
def on_client_request(query):
    parts = query.split(",")
    a = int(parts[0])
    n = int(parts[1])
    return "%d %d %d" % (a ** n, pow(a, n, 1000), a ** 3)
