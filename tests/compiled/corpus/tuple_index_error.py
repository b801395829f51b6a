"""tuple: IndexError"""
# GET /?5
# GET /?-1
def on_client_request(query):
    t = (1, 2, 3)
    return str(t[int(query)])
