"""a dictionary that changes while it is walked"""
def on_client_request():
    d = {1: 1}
    try:
        for key in d:
            d[key + 1] = 0
    except RuntimeError as error:
        return str(error)

# GET /
