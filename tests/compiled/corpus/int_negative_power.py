"""an int to a negative int"""
# differs: a ValueError that says to write float(x) ** y; a constant exponent is no problem
# GET /?2,-1
def on_client_request(query):
    parts = query.split(",")
    return str(int(parts[0]) ** int(parts[1]))
