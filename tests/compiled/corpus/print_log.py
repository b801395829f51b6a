"""print: many values, numbers, containers, at start and per request"""
# GET /?x
def on_init():
    print("start", 1, 2.0, [1.5], True, None)

def on_client_request(query):
    print("request", query)
    print()
    print("two\nlines")
    return "printed"
