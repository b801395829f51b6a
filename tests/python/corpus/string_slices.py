"""slices of text"""
def on_client_request(query):
    s = query
    return repr([s[0], s[-1], s[::2], s[::-1], s[1:-1], s[10:], s[-3:], s[slice(1, 4)]])

# GET /?abcdef
