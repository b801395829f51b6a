"""scopes"""
x = "module"
class C:
    x = "class"
    def f(self): return x
    y = [x for _ in range(1)]
def g():
    global z
    z = 5
    return locals()
def on_client_request():
    g()
    try:
        def h():
            print(w)
            w = 1
        h()
    except UnboundLocalError as e: err = type(e).__name__
    return repr([C().f(), C.y, z, g(), err, "x" in globals()])

# GET /
