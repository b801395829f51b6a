"""print into a buffer"""
import io, contextlib
def on_client_request():
    b = io.StringIO()
    print("a", "b", file=b)
    with contextlib.redirect_stdout(b): print("c")
    return repr(b.getvalue())

# GET /
