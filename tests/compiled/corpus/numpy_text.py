"""numpy: str of arrays"""
# GET /?3
# GET /?12
import numpy as np

def on_client_request(query):
    n = int(query)
    a = np.arange(n)
    out = [str(a), str(a - 5), str(np.ones(2)), str(np.array([True, False])), str(a / 4), str(a * 1000.5), str(a / 3)]
    out.append(str(np.ones((2, n)) * a))
    out.append(str(np.array([1e10, 1.5])))
    out.append(str(np.zeros((2, 2, 2))))
    return "|".join(out)
