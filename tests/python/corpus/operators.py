"""operators of one's own"""
class V:
    def __init__(self, x, y): self.x, self.y = x, y
    def __add__(self, o): return V(self.x + o.x, self.y + o.y)
    def __mul__(self, k): return V(self.x * k, self.y * k)
    __rmul__ = __mul__
    def __neg__(self): return V(-self.x, -self.y)
    def __eq__(self, o): return isinstance(o, V) and (self.x, self.y) == (o.x, o.y)
    def __hash__(self): return hash((self.x, self.y))
    def __bool__(self): return bool(self.x or self.y)
    def __getitem__(self, i): return (self.x, self.y)[i]
    def __len__(self): return 2
    def __call__(self, n): return n * self.x
    def __contains__(self, n): return n in (self.x, self.y)
    def __matmul__(self, o): return self.x * o.x + self.y * o.y
    def __iadd__(self, o): self.x += o.x; return self
    def __repr__(self): return f"V({self.x},{self.y})"
    def __format__(self, spec): return f"<{spec}:{self.x}>"
def on_client_request():
    v = V(1, 2); w = 3 * v; v += w
    out = [w, v, -w, V(1, 2) == V(1, 2), bool(V(0, 0)), w[1], len(w), w(10), 6 in w, v @ w, f"{w:abc}", len({V(1, 1), V(1, 1)})]
    try: v + 1
    except AttributeError as e: out.append(type(e).__name__)
    try: v - w
    except TypeError as e: out.append(str(e))
    return repr(out)

# GET /
