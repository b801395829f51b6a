"""print with sep and end"""
# GET /?x
def on_client_request(query):
    print(1, 2, query, sep="-", end="!\n")
    print("no newline", end="")
    return "printed"
