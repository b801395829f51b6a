"""an answer that is a generator function"""
page = "x" * 1000
def on_client_request():
    def generator():
        return "text/plain", page
    return generator

# GET /
