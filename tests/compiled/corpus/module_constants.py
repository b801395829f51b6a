"""module constants: numbers, lists, dicts, computed ones"""
# GET /?b
# GET /?q
LIMIT = 3
NAMES = ["a", "b"]
TABLE = {"a": 1, "b": 2}
SQUARES = [i * i for i in range(LIMIT)]

def on_client_request(query):
    return "%d %s %s %s" % (LIMIT, NAMES, SQUARES, TABLE[query])
