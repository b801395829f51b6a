"""numpy: str of arrays of more than 1000 elements"""
# differs: every element is shown
# GET /?1001
import numpy as np

def on_client_request(query):
    return str(np.arange(int(query)))
