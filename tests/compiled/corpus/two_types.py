"""refused: a name with values of types that do not fit together"""
# GET /?x
def on_client_request(query):
    if query == "x":
        value = [1, 2]
    else:
        value = "text"
    return str(value)
