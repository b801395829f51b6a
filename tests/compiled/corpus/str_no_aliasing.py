"""str: += never changes another name's string"""
# GET /?abc
def on_client_request(query):
    a = query
    b = a
    b += "x"
    c = a.upper()
    d = b
    d += "y"
    return "|".join([a, b, c, d, query])
