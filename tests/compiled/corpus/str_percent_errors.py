"""% formatting: wrong types and counts"""
# GET /?type
# GET /?few
# GET /?many
def on_client_request(query):
    if query == "type":
        return "%d" % query
    if query == "few":
        return "%s %s" % (query,)
    return "%s" % (query, query)
