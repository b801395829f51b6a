"""throwing into a generator"""
def g():
    try:
        yield 1
    except ValueError as e:
        yield f"caught {e}"
    finally:
        yield "finally"
def on_client_request():
    it = g()
    next(it)
    return repr([it.throw(ValueError("x")), next(it), next(it, "end")])

# GET /
