"""time.time()"""
# GET /?x
import time

def on_client_request(query):
    return str(time.time() > 1.0)
