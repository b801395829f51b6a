"""str: letters beyond ASCII"""
# differs: len, indexes, slices and case work on UTF-8 octets and ASCII letters
# GET /gr%C3%BC%C3%9Fe
def on_client_request(path):
    s = path[1:]
    return "%d %s %s %s" % (len(s), s.upper(), s[2], s[::-1])
