"""division by zero: ZeroDivisionError, caught by name"""
# messages: those of CPython 3.14
# GET /?div
# GET /?floor
# GET /?mod
# GET /?float
# GET /?caught
def on_client_request(query):
    zero = len(query) - len(query)
    if query == "div":
        return str(1 / zero)
    if query == "floor":
        return str(1 // zero)
    if query == "mod":
        return str(1 % zero)
    if query == "float":
        return str(1.5 / float(zero))
    try:
        return str(5 // zero)
    except ZeroDivisionError:
        return "caught"
