"""refused: methods that the tier does not know"""
# GET /?x
def on_client_request(query):
    return query.encode("utf-8").hex()
