"""replies: (status, headers, body)"""
# GET /?x
def on_client_request(query):
    return 201, {"Content-Type": "text/csv", "X-Query": query}, "a,b"
