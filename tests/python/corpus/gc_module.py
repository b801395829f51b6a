"""cycles are collected"""
import gc
class N: alive = 0
def on_client_request():
    class C:
        def __init__(self): N.alive += 1
        def __del__(self): N.alive -= 1
    for _ in range(10):
        a, b = C(), C(); a.b, b.a = b, a
    del a, b
    gc.collect()
    return repr([N.alive, gc.isenabled(), gc.is_tracked([]), gc.is_tracked(1)])

# GET /
