"""attributes by hook"""
class Proxy:
    def __init__(self, d): object.__setattr__(self, "d", d)
    def __getattr__(self, name):
        try: return self.d[name]
        except KeyError: raise AttributeError(name) from None
    def __setattr__(self, name, value): self.d[name] = value
    def __delattr__(self, name): del self.d[name]
    def __dir__(self): return list(self.d)
def on_client_request():
    p = Proxy({"a": 1}); p.b = 2; del p.a
    return repr([p.b, hasattr(p, "a"), getattr(p, "zz", "none"), dir(p), p.d])

# GET /
