"""str: letters beyond ASCII"""
# GET /?%C3%A9
def on_client_request(path):
    s = "grüße"
    return "%d %s %s %s" % (len(s), s.upper(), s[2], s[::-1])
