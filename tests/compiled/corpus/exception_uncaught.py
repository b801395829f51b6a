"""an exception that nobody catches"""
# GET /?one
# GET /?two
# GET /?none
def on_client_request(query):
    if query == "one":
        raise ValueError("one problem")
    if query == "two":
        raise RuntimeError("a", "b")
    if query == "none":
        raise NotImplementedError()
    return "fine"
