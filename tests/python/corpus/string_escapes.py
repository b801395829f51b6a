"""escapes in literals"""
def on_client_request():
    return repr(["\t\n\\", r"\t", "\x41\u00e9\U0001F600", b"\x00\xff", "\101", "a\
b"])

# GET /
