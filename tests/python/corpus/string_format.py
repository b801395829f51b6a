"""str.format and its little language"""
def on_client_request():
    class P:
        x = 7
    return "{0} {1!r} {name:>6} {p.x:03d} {d[k]} {{}} {0:^7}|{2:{width}}".format("a", "b", 3, name="n", p=P, d={"k": "v"}, width=4)

# GET /
