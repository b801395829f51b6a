"""what a request says"""
def on_client_request(method, path, query):
    return f"{method} {path} {query}"

# GET /a%20b/c?x=1&y=%C3%A9
# POST /p body
# GET /
