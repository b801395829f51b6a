"""there are no threads and no processes"""
import threading, subprocess, multiprocessing, os
def on_client_request():
    out = []
    for f in (lambda: threading.Thread(target=print).start(), lambda: subprocess.run(["ls"]), lambda: multiprocessing.Process(target=print).start(), lambda: threading.Event().wait()):
        try: f()
        except (RuntimeError, OSError) as e: out.append(str(getattr(e, "strerror", e)).split()[:2])
    return repr(out)

# expect: [['a', 'sandbox'], ['a', 'sandbox'], ['a', 'sandbox'], ['waiting', 'for']]
# GET /
