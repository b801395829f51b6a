"""list with ints and floats"""
# differs: ints in a list with floats become floats
# GET /?x
def on_client_request(query):
    return str([1, 2.5, len(query)])
