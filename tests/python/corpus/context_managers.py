"""with"""
import contextlib
class CM:
    def __init__(self, log, name, swallow=False): self.log, self.name, self.swallow = log, name, swallow
    def __enter__(self): self.log.append("enter " + self.name); return self
    def __exit__(self, t, v, tb): self.log.append(f"exit {self.name} {t and t.__name__}"); return self.swallow
@contextlib.contextmanager
def simple(log):
    log.append("before")
    try: yield 42
    finally: log.append("after")
def on_client_request():
    log = []
    with CM(log, "a", True), CM(log, "b"): raise ValueError
    with simple(log) as x: log.append(x)
    with contextlib.suppress(KeyError): {}["x"]
    with contextlib.ExitStack() as stack:
        stack.callback(log.append, "last"); stack.enter_context(CM(log, "c"))
    with (contextlib.nullcontext(1) as q, contextlib.nullcontext(2)): log.append(q)
    return repr(log)

# GET /
