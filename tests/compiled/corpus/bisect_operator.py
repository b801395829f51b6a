"""bisect, operator, string"""
# GET /?5
import bisect
import operator
import string

def on_client_request(query):
    n = int(query)
    return "%d %d %s" % (bisect.bisect([1, 3, 5, 7], n), operator.add(n, 2), string.digits)
