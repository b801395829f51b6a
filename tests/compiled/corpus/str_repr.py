"""repr of texts: quotes and escapes"""
# POST / it's
# POST / "q"
# POST / both'"
def on_client_request(body):
    query = body
    return repr(query) + repr("a\nb\t\\") + str([query, "x"]) + "%r" % query
