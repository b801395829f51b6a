"""closures and nonlocal"""
def counter():
    n = 0
    def step(by=1):
        nonlocal n
        n += by
        return n
    return step
def on_client_request():
    c = counter(); c(); c(5)
    fs = [lambda i=i: i for i in range(3)]
    return f"{c()} {[f() for f in fs]} {[f() for f in [lambda: i for i in range(3)]]}"

# GET /
