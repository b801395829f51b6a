"""an exception is a 500 with its traceback in the log"""
def inner(x):
    return 1 / x
def on_client_request():
    return str(inner(0))

# GET /
