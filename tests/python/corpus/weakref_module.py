"""weak references"""
import weakref
class K: pass
def on_client_request():
    k = K(); d = weakref.WeakKeyDictionary({k: 1}); s = weakref.WeakSet([k]); v = weakref.WeakValueDictionary(a=k); p = weakref.proxy(k); k.x = 5
    out = [len(d), len(s), v["a"] is k, p.x]
    del k
    return repr(out + [len(d), len(s), list(v)])

# GET /
