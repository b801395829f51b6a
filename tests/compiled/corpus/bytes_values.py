"""refused: bytes"""
# GET /?x
def on_client_request(query):
    return str(len(b"abc"))
