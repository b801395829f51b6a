"""numpy: indexes out of range"""
# GET /?10
# GET /?-5
# GET /?-1
import numpy as np

def on_client_request(query):
    a = np.zeros(4)
    i = int(query)
    a[i] = 2.0
    return str(a[i])
