"""text to octets and back"""
def on_client_request():
    out = []
    for name in ("utf-8", "latin-1", "utf-16", "cp1252", "ascii", "utf-8-sig", "shift_jis", "punycode"):
        try:
            data = "é日".encode(name)
            out.append((name, data, data.decode(name)))
        except UnicodeEncodeError as error:
            out.append((name, str(error)))
    return repr(out) + "é".encode("ascii", "xmlcharrefreplace").decode() + b"\xff".decode("utf-8", "replace") + repr(b"\xff".decode("utf-8", "surrogateescape"))

# GET /
