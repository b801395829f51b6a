"""native modules say what they are"""
def on_client_request():
    out = []
    for n in ("ssl", "fcntl", "no_such"):
        try: __import__(n); out.append("there")
        except ImportError as e: out.append(type(e).__name__)
    return repr(out[2:])

# GET /
