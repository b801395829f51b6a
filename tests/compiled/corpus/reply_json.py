"""replies: a dict or list becomes JSON"""
# GET /list
# GET /dict
# GET /nested
# GET /status
def on_client_request(path):
    if path == "/list":
        return [1.5, 2.0, 1e20]
    if path == "/dict":
        return {"a": 1, "quote\"d": 2}
    if path == "/status":
        return 422, {"error": path}
    return {"rows": [[1, 2], [3]], "empty": [[0] * 0]}
