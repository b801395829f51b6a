"""repr of texts: quotes and escapes"""
# GET /?it's
# GET /?"q"
# GET /?both'"
def on_client_request(query):
    return repr(query) + repr("a\nb\t\\") + str([query, "x"]) + "%r" % query
