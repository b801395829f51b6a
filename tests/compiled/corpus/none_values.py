"""None: optional values, is None"""
# GET /?a=1
# GET /?b
def find(query):
    if "=" in query:
        return query.split("=")[1]
    return None

def on_client_request(query):
    value = find(query)
    if value is None:
        return "nothing"
    return "value " + value
