"""a pool of threads"""
from concurrent.futures import ThreadPoolExecutor, as_completed
import threading
def on_client_request():
    lock = threading.Lock(); local = threading.local(); local.x = 1
    with ThreadPoolExecutor(4) as pool:
        fs = [pool.submit(pow, 2, n) for n in range(4)]
        bad = pool.submit(lambda: 1 / 0)
        with lock: out = sorted(f.result() for f in as_completed(fs))
        out += list(pool.map(len, ["a", "bb"]))
    return repr([out, type(bad.exception()).__name__, local.x, threading.current_thread() is threading.main_thread(), lock.locked()])

# GET /
