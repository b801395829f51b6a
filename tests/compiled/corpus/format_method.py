"""str.format of a constant"""
# GET /?7
def on_client_request(query):
    n = int(query)
    return "{} {:>4} {name!r} {name:*^5} {{}}".format(n, n, name=query) + "{1}{0}{1}".format("a", "b")
