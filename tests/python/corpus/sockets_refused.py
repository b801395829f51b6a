"""there is no network"""
import socket, urllib.request
def on_client_request():
    out = []
    for f in (lambda: socket.socket(), lambda: socket.create_connection(("127.0.0.1", 80)), lambda: urllib.request.urlopen("http://127.0.0.1/")):
        try: f()
        except OSError as e: out.append("no network" in str(e))
    return repr(out)

# expect: [True, True, True]
# GET /
