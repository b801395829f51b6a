"""rounding halves to even"""
def on_client_request():
    return repr([round(0.5), round(1.5), round(2.5), round(2.675, 2), round(1234, -2), round(-0.5), round(1e22)])

# GET /
