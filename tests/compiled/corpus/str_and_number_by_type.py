"""refused: a str and a number added, seen by their types"""
# GET /?x
def join(a, b):
    return a + b

def on_client_request(query):
    return join(query, len(query))
