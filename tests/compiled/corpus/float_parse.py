"""float(text): ValueError with Python's message"""
# GET /?1.5
# GET /?1e3
# GET /?.5
# GET /?1_0.5
# GET /?Infinity
# GET /?
# GET /?1.5x
# GET /?0x10
def on_client_request(query):
    try:
        return str(float(query) * 2)
    except ValueError as error:
        return "ValueError " + str(error)
