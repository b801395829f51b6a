"""forms of an answer"""
def on_client_request(path):
    return {"/a": "text", "/b": b"octets", "/c": ("text/html", "<p>"), "/d": (201, "made"), "/e": (202, {"X-A": "1"}, "b"), "/f": {"k": [1, None]}, "/g": [1, 2], "/h": lambda: ("text/plain", "called")}[path]

# GET /a
# GET /b
# GET /c
# GET /d
# GET /e
# GET /f
# GET /g
# GET /h
