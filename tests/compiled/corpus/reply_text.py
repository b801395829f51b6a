"""replies: a str"""
# GET /a%20b
def on_client_request(path):
    return "you asked for " + path
