"""random: different at each request"""
# GET /?x
import random

def on_client_request(query):
    n = random.randint(1, 6)
    x = random.random()
    return "%s %s" % (1 <= n <= 6, 0.0 <= x < 1.0)
