"""refused: recursion without end"""
# GET /?x
def down(n):
    return down(n + 1) + 1

def on_client_request(query):
    return str(down(0))
