"""floats: // % int() round()"""
# GET /?7.5,2
# GET /?-7.5,2
# GET /?7.5,-2
# GET /?2.5,1
# GET /?-0.5,3
# GET /?2.675,1
def on_client_request(query):
    parts = query.split(",")
    a = float(parts[0])
    b = float(parts[1])
    return "%s %s %d %d %s %s" % (a // b, a % b, int(a), round(a), round(a, 2), divmod(a, b))
