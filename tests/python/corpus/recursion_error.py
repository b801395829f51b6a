"""recursion without an end"""
def f(): return f()
def on_client_request():
    try: f()
    except RecursionError as e: return "RecursionError " + str("recursion" in str(e))

# GET /
