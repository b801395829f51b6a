"""int(text) in try/except ValueError"""
# GET /?12
# GET /?twelve
def on_client_request(query):
    try:
        return "number " + str(int(query))
    except ValueError as error:
        return "no: " + str(error)
