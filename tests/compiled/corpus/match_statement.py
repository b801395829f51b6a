"""refused: match"""
# GET /?x
def on_client_request(query):
    match query:
        case "x":
            return "matched"
    return "other"
