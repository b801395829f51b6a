"""assert"""
# GET /?ok
# GET /?bad
def on_client_request(query):
    assert query == "ok", "not ok"
    return "asserted"
