"""what kind of characters"""
def on_client_request():
    return repr([("12".isdigit(), "½".isnumeric(), "a1".isalnum(), "A".isupper(), " ".isspace(), "x y".isidentifier(), "é".isascii(), "Ab".istitle(), "\n".isprintable())])

# GET /
