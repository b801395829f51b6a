"""the structure of time"""
import time
def on_client_request():
    t = time.gmtime(86400 * 365)
    return repr([tuple(t), time.strftime("%Y-%m-%d", t), time.strptime("2000-01-02", "%Y-%m-%d").tm_yday, time.time() > 1.7e9, time.monotonic() <= time.monotonic(), time.perf_counter_ns() > 0])

# GET /
