"""numpy: sums, slices, broadcasting"""
# GET /?4
import numpy as np

def on_client_request(query):
    n = int(query)
    a = np.arange(n) * 2.0
    b = np.ones((n, n))
    b[1, 2] = 5.0
    return "%s %s %s %s %d" % (np.sum(a), a.mean(), (a + 1.0).max(), np.dot(a, a), b.shape[0]) + " " + str(b[1, 2]) + " " + str(np.sqrt(a[2]))
