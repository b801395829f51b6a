"""set: the order of its items"""
# GET /?x
def on_client_request(query):
    return str({30, 1, 22, 7, 100})
