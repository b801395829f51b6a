"""graphs and schedules"""
import graphlib, sched, time
def on_client_request():
    s = sched.scheduler(time.monotonic, lambda t: None); log = []
    s.enter(0, 2, log.append, ("b",)); s.enter(0, 1, log.append, ("a",))
    t = graphlib.TopologicalSorter({"d": {"b", "c"}, "b": {"a"}, "c": {"a"}})
    order = list(t.static_order())
    try: list(graphlib.TopologicalSorter({1: {2}, 2: {1}}).static_order())
    except graphlib.CycleError as e: log.append("cycle")
    return repr([order[0], order[-1], log])

# GET /
