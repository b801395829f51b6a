"""None where a number is expected"""
# messages: those of CPython 3.14
# GET /?1
# GET /?
def find(query):
    if query:
        return int(query)
    return None

def on_client_request(query):
    return str(find(query) + 1)
