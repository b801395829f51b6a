"""try, else, finally"""
def f(n):
    out = []
    try:
        out.append("try")
        if n == 1: raise ValueError
        if n == 2: return out
    except ValueError: out.append("except")
    else: out.append("else")
    finally: out.append("finally")
    return out
def on_client_request():
    return repr([f(0), f(1), f(2)])

# GET /
