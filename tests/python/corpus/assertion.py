"""assert"""
def on_client_request():
    try: assert 1 == 2, "not equal"
    except AssertionError as e: return f"AssertionError {e}"

# GET /
