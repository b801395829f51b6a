"""floats are shown as short as they can be"""
def on_client_request():
    return repr([0.1 + 0.2, 1e16, 1e-5, 1.0, float("inf"), float("-inf"), -0.0, 5e-324, 1/3, 123456789.123456789])

# GET /
