"""set: the order of its items"""
# differs: another order; sort before you show one
# GET /?x
def on_client_request(query):
    return str({30, 1, 22, 7, 100})
