"""chained exceptions"""
def on_client_request():
    try:
        try: int("x")
        except ValueError as e: raise KeyError("k") from e
    except KeyError as e:
        a = (repr(e), repr(e.__cause__), e.__suppress_context__)
    try:
        try: 1 / 0
        finally: raise RuntimeError("in finally")
    except RuntimeError as e:
        b = type(e.__context__).__name__
    return repr([a, b])

# GET /
