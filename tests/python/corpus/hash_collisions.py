"""colliding keys"""
class Same:
    def __init__(self, n): self.n = n
    def __hash__(self): return 1
    def __eq__(self, other): return self.n == other.n
def on_client_request():
    d = {Same(i): i for i in range(100)}
    return f"{len(d)} {d[Same(42)]} {Same(100) in d}"

# GET /
