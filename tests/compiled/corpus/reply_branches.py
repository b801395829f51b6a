"""replies: a different form in each branch"""
# GET /a
# GET /b
# GET /c
# GET /d
# GET /e
def on_client_request(path):
    if path == "/a":
        return "just text"
    if path == "/b":
        return 404, "missing"
    if path == "/c":
        return 201, {"X-Kind": "c"}, "made"
    if path == "/d":
        return {"kind": "d", "text": "é"}
    def late():
        return "text/html", "<p>late</p>"
    return late
