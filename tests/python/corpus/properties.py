"""properties and descriptors"""
class Celsius:
    def __set_name__(self, owner, name): self.name = "_" + name
    def __get__(self, obj, kind=None): return self if obj is None else getattr(obj, self.name, 0)
    def __set__(self, obj, value):
        if value < -273: raise ValueError("too cold")
        setattr(obj, self.name, value)
class T:
    c = Celsius()
    @property
    def f(self): return self.c * 9 / 5 + 32
    @f.setter
    def f(self, v): self.c = (v - 32) * 5 / 9
def on_client_request():
    t = T(); t.f = 212
    out = [t.c, t.f]
    try: t.c = -300
    except ValueError as e: out.append(str(e))
    try: del t.f
    except AttributeError as e: out.append(type(e).__name__)
    return repr(out)

# GET /
