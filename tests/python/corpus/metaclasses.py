"""metaclasses and __init_subclass__"""
registry = []
class Meta(type):
    def __new__(m, name, bases, ns, **kw):
        ns["tag"] = kw.get("tag", "none")
        return super().__new__(m, name, bases, ns)
    def __init__(cls, name, bases, ns, **kw): super().__init__(name, bases, ns)
    def __call__(cls, *a): return ("made", super().__call__(*a).tag)
class Base:
    def __init_subclass__(cls, key=None, **kw):
        super().__init_subclass__(**kw); registry.append((cls.__name__, key))
class X(metaclass=Meta, tag="t"): pass
class Y(Base, key="k"): pass
def on_client_request():
    return repr([X(), registry, type(X).__name__, type("Z", (), {"a": 1}).a])

# GET /
