"""None where a str is expected"""
# differs: an empty str; ask `is None` first
# GET /?a
def find(query):
    if query == "b":
        return "found"
    return None
def on_client_request(query):
    return find(query).upper()
