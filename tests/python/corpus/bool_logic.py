"""truth of values and short cuts"""
def on_client_request():
    return repr([True + True, [] or "x", 0 and 1, not "", bool([0]), 1 < 2 < 3, 3 > 2 == 2, None is None, any([]), all([])])

# GET /
