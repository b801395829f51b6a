"""an int to a negative int"""
# GET /?2,-1
def on_client_request(query):
    parts = query.split(",")
    return str(int(parts[0]) ** int(parts[1]))
