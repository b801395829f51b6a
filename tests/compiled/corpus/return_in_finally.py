"""refused: return inside try with finally"""
# GET /?x
def on_client_request(query):
    try:
        return query
    finally:
        print("done")
