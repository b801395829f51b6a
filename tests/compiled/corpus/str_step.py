"""str: slices with steps"""
# GET /?abcdefgh
# GET /?abc
def on_client_request(query):
    s = query
    return "|".join([s[::2], s[1::2], s[::-2], s[5:1:-1], s[-3:], s[:-1], s[10::-1], s[0:100]])
