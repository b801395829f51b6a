"""refused: module globals that change"""
# GET /?x
COUNTS = {"a": 0}

def on_client_request(query):
    COUNTS["a"] += 1
    return str(COUNTS)
