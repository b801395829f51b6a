"""functools"""
import functools as f
@f.total_ordering
class N:
    def __init__(self, n): self.n = n
    def __eq__(self, o): return self.n == o.n
    def __lt__(self, o): return self.n < o.n
@f.singledispatch
def show(x): return "object"
@show.register
def _(x: int): return "int"
@show.register(list)
def _(x): return "list"
class C:
    calls = 0
    @f.cached_property
    def p(self): C.calls += 1; return 7
def on_client_request():
    c = C(); c.p; c.p
    return repr([f.reduce(lambda a, b: a * b, [1, 2, 3, 4]), f.partial(int, base=2)("101"), N(1) >= N(0), show(1), show([]), show("x"), C.calls, sorted([3, 1, 2], key=f.cmp_to_key(lambda a, b: b - a))])

# GET /
# GET /
