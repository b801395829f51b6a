"""del"""
def on_client_request():
    a = [1, 2, 3, 4]; d = {"x": 1, "y": 2}
    del a[1:3], d["x"]
    x = 1
    del x
    try: x
    except NameError as e: return repr([a, d, type(e).__name__])

# GET /
