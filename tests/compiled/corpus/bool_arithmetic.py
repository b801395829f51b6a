"""bool: str, arithmetic, sum"""
# GET /?a
# GET /?
def on_client_request(query):
    yes = len(query) > 0
    count = sum([c == "a" for c in query])
    return "%s %d %d %s %s" % (yes, yes + yes, count, not yes, yes and query == "b")
