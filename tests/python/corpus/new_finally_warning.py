"""return in finally still works (3.14 warns when compiling)"""
def f():
    try:
        1 / 0
    finally:
        return "swallowed"
def on_client_request():
    return f()

# expect: swallowed
# GET /
