"""kinds of objects"""
import types
def on_client_request():
    m = types.ModuleType("m"); exec("a = 1", m.__dict__)
    ns = types.SimpleNamespace(a=1, b=[2])
    mp = types.MappingProxyType({"k": 1})
    try: mp["z"] = 1
    except TypeError as e: err = str(e)
    C = types.new_class("C", (), {}, lambda d: d.update(x=3))
    return repr([m.a, ns, mp["k"], err, C.x, isinstance(len, types.BuiltinFunctionType), types.MethodType(lambda s: s, 5)(), isinstance((i for i in ()), types.GeneratorType)])

# GET /
