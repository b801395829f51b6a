"""names: letters beyond ASCII, one underscore, two"""
# GET /?3
def größe(_x, __y):
    π = 3
    return _x * π + __y
def on_client_request(query):
    _ = int(query)
    __init = größe(_, 1)
    return str(__init)
