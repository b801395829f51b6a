"""tuple: mixed types, unpacking, indexes, comparison"""
# GET /?x
def pair(a, b):
    return a, b

def on_client_request(query):
    t = (1, "a", 2.5)
    a, b = pair(len(query), query)
    return "%s %s %d %s %s %s" % (t, t[1], a, b, (1, 2) < (1, 3), (a, a + 1))
