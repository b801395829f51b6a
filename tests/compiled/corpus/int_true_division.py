"""ints: / of numbers beyond 2**53"""
# differs: both numbers are rounded to floats first
# GET /?9007199254740993
def on_client_request(query):
    return str(int(query) / 3)
