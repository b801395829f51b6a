"""not a number is unequal to itself"""
def on_client_request():
    nan = float("nan")
    return repr([nan == nan, nan in [nan], nan < 1, max(1, nan), min([nan, 1]) != min([nan, 1])])

# GET /
