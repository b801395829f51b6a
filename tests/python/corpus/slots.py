"""slots"""
class P:
    __slots__ = ("x", "y")
    def __init__(self): self.x = 1
def on_client_request():
    p = P(); out = [p.x, hasattr(p, "y"), hasattr(p, "__dict__")]
    try: p.z = 1
    except AttributeError as e: out.append(type(e).__name__)
    return repr(out)

# GET /
