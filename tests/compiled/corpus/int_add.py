"""ints: + - * and 64 bits"""
# GET /?a=4294967296&b=4294967297
# GET /?a=-5&b=3
# GET /?a=9223372036854775806&b=1
def on_client_request(query):
    values = [int(part.split("=")[1]) for part in query.split("&")]
    a, b = values[0], values[1]
    return "text/plain", "%d %d" % (a + b, a - b)
