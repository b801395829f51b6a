"""context variables"""
import contextvars
v = contextvars.ContextVar("v", default=0)
def on_client_request():
    t = v.set(1)
    c = contextvars.copy_context()
    c.run(v.set, 2)
    out = [v.get(), c[v]]
    v.reset(t)
    return repr(out + [v.get()])

# GET /
