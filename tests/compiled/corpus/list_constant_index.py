"""list: a constant index out of range"""
# GET /?a,b
# GET /?a
def on_client_request(query):
    parts = query.split(",")
    return parts[1]
