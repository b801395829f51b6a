"""pickles"""
import pickle, marshal
class P:
    def __init__(self, x): self.x = x
    def __eq__(self, o): return self.x == o.x
    def __reduce__(self): return (P, (self.x,))
def on_client_request():
    d = {"a": [1, (2, b"x")], "s": {3}, "p": P(1)}; d["self"] = d["a"]
    r = pickle.loads(pickle.dumps(d))
    out = [r["p"] == P(1), r["self"] is r["a"], r["s"], pickle.loads(b"\x80\x04K\x05."), marshal.loads(marshal.dumps([1, "x"]))]
    try: pickle.dumps(lambda: 0)
    except Exception as e: out.append(type(e).__name__ in ("PicklingError", "AttributeError"))
    return repr(out)

# GET /
