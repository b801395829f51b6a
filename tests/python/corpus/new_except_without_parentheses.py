"""several exceptions without parentheses (3.14)"""
def on_client_request():
    try:
        {}["x"]
    except KeyError, ValueError:
        return "caught"

# expect: caught
# GET /
