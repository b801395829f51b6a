"""refused: str + int"""
# GET /?x
def on_client_request(query):
    n = int(query)
    return "number " + n
