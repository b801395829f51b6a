"""refused: *args and **kwargs"""
# GET /?x
def total(*values):
    return sum(values)

def on_client_request(query):
    return str(total(1, 2, 3))
