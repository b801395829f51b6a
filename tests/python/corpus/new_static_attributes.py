"""classes know their attributes and lines (3.13)"""
class C:
    """Doc."""
    def __init__(self): self.b = 1; self.a = 2
def on_client_request():
    return repr([sorted(C.__static_attributes__), C.__firstlineno__])

# expect: [['a', 'b'], 2]
# GET /
