"""sum of floats"""
# GET /?10
def on_client_request(query):
    n = int(query)
    return "%s %s" % (sum([0.5] * n), sum([i * 0.25 for i in range(n)]))
