"""numpy: str of arrays"""
# GET /?3
import numpy as np

def on_client_request(query):
    return str(np.arange(int(query))) + str(np.ones(2)) + str(np.array([True, False]))
