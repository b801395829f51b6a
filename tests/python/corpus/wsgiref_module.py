"""WSGI by hand"""
from wsgiref.util import setup_testing_defaults, request_uri
from wsgiref.headers import Headers
from wsgiref.validate import validator
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [request_uri(environ).encode()]
def on_client_request():
    e = {}; setup_testing_defaults(e); got = []
    body = b"".join(app(e, lambda s, h: got.append((s, h))))
    h = Headers([("A", "1")]); h.add_header("B", "x", q="y")
    return repr([body, got, str(h)])

# GET /
