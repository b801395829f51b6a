"""ways to pass arguments"""
def f(a, b=2, /, c=3, *args, d, e=5, **kw):
    return a, b, c, args, d, e, kw
def on_client_request():
    out = [f(1, d=4), f(1, 2, 3, 4, 5, d=6, x=7), f(*[1, 2], **{"d": 3, "c": 4})]
    for bad in (lambda: f(), lambda: f(1, d=1, a=2, b=3), lambda: f(1)):
        try:
            out.append(bad())
        except TypeError as error:
            out.append(str(error))
    return repr(out)

# GET /
