"""objects go when nothing refers to them"""
import weakref, gc
class R:
    def __init__(self, log): self.log = log
    def __del__(self): self.log.append("del")
def on_client_request():
    log = []
    r = R(log); w = weakref.ref(r); f = weakref.finalize(r, log.append, "finalize")
    alive = w() is r
    del r
    a = R(log); a.me = a; del a; gc.collect()
    return repr([alive, w(), log])

# GET /
