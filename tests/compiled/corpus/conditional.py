"""and, or, not, chained comparison, conditional expressions"""
# GET /?5
# GET /?
def on_client_request(query):
    n = len(query)
    name = query or "nobody"
    return "%s %s %s %s %s" % (name, 0 < n < 3, "one" if n == 1 else "other", n and 7, not query)
