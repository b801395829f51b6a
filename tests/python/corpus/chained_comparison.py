"""operators in a chain evaluate once"""
def on_client_request():
    log = []
    def v(n): log.append(n); return n
    r = v(1) < v(5) < v(3) < v(9)
    return repr([r, log])

# GET /
