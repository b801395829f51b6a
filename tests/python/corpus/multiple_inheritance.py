"""method resolution order"""
class A:
    def f(self): return "A"
class B(A):
    def f(self): return "B" + super().f()
class C(A):
    def f(self): return "C" + super().f()
class D(B, C):
    def f(self): return "D" + super().f()
def on_client_request():
    out = [D().f(), [k.__name__ for k in D.__mro__]]
    try:
        type("X", (A, B), {})
    except TypeError as e:
        out.append("method resolution" in str(e))
    return repr(out)

# GET /
