"""replies: (status, body)"""
# GET /?404
# GET /?200
# GET /?99
def on_client_request(query):
    return int(query), "status " + query
