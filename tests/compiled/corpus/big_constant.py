"""refused: an int constant beyond 64 bits"""
# GET /?x
def on_client_request(query):
    return str(123456789012345678901234567890)
