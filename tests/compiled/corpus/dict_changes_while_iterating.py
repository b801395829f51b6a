"""dict: a change of size while iterating is a RuntimeError"""
# GET /?x
def on_client_request(query):
    d = {"a": 1, "b": 2}
    for key in d:
        d[key + query] = 3
    return str(len(d))
