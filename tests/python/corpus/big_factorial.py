"""factorials beyond machine words"""
import math
def on_client_request(query):
    return f"{math.factorial(int(query))} {math.comb(60, 30)} {math.gcd(2**80, 6**30)}"

# GET /?30
