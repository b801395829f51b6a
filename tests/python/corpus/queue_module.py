"""queues"""
import queue
def on_client_request():
    q = queue.PriorityQueue(); [q.put(n) for n in (3, 1, 2)]
    l = queue.LifoQueue(); l.put(1); l.put(2)
    out = [q.get(), q.qsize(), l.get()]
    try: queue.Queue().get_nowait()
    except queue.Empty: out.append("empty")
    try: queue.Queue().get(timeout=0.001)
    except queue.Empty: out.append("late")
    s = queue.SimpleQueue(); s.put("s")
    return repr(out + [s.get()])

# GET /
