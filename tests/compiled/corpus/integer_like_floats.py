"""numbers of both kinds in one name"""
# GET /?3
def on_client_request(query):
    x = int(query)
    if x > 2:
        x = x / 2
    return str(x)
