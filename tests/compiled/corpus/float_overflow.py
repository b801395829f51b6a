"""floats: overflow, int() of infinity, 0.0 ** -1"""
# GET /?power
# GET /?inf
# GET /?zero
# GET /?large
def on_client_request(query):
    x = 10.0 * len(query)
    if query == "power":
        return str(x ** 400)
    if query == "inf":
        return str(int(x * 1e308 * 10))
    if query == "zero":
        return str((x - x) ** -1.0)
    return str(int(x * 1e17))
