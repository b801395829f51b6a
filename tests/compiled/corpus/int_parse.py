"""int(text): spaces, signs, underscores, bases; ValueError with Python's message"""
# GET /?42
# GET /?-7
# GET /?+7
# GET /?1_000
# GET /?x
# GET /?
# GET /?4.5
# GET /?1__0
def on_client_request(query):
    try:
        hexadecimal = str(int(query, 16))
    except ValueError as error:
        hexadecimal = str(error)
    return "%d %s %d %d" % (int(query), hexadecimal, int(" 12 "), int("ff", 16))
