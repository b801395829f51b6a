"""recursion deeper than 1000 calls"""
# differs: no RecursionError: some 10,000 calls deep the request ends with a trap
# GET /?900
# GET /?5000
# GET /?1000000
def down(n):
    return 0 if n == 0 else down(n - 1) + 1

def on_client_request(query):
    return str(down(int(query)))
